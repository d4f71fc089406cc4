package httpcred

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// stayed reports whether a request is the program's own, or was redirected to
// by requests that all went to the same scheme, host and port.
func stayed(r *http.Request) bool {
	for at := r; at.Response != nil && at.Response.Request != nil; at = at.Response.Request {
		if before := at.Response.Request.URL; before == nil || origin(before) != origin(r.URL) {
			return false
		}
	}
	return true
}

// origin returns scheme, host and port.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[strings.ToLower(u.Scheme)]
	}
	return strings.ToLower(u.Scheme + "://" + net.JoinHostPort(u.Hostname(), port))
}

// permit returns why the credential may not be sent with a request.
func (o *Options) permit(id string, u *url.URL) error {
	switch {
	case u == nil || u.Host == "":
		return fmt.Errorf("httpcred: the request for the credential %q has no host", id)
	case !o.isHost(u):
		return fmt.Errorf("httpcred: host %q is not in Options.Hosts, so the credential %q is not sent to it", u.Host, id)
	case !strings.EqualFold(u.Scheme, "https") && !isLoopback(u.Hostname()) && !o.AllowHTTP:
		return fmt.Errorf("httpcred: the credential %q is not sent to %s over %s; see Options.AllowHTTP", id, u.Host, u.Scheme)
	}
	return nil
}

func (o *Options) isHost(u *url.URL) bool {
	return o.Hosts == nil || slices.ContainsFunc(o.Hosts, func(h string) bool {
		return strings.EqualFold(h, u.Hostname()) || strings.EqualFold(h, u.Host) || "https://"+strings.ToLower(h) == origin(u)
	})
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
