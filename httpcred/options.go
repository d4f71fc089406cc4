package httpcred

import (
	"net/http"
	"slices"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// DefaultPause is the default of Options.Pause.
const DefaultPause = time.Second

// Options are the settings of a [Transport]. A nil *Options and zero fields mean
// the defaults. [New] copies them.
type Options struct {
	// Base sends the requests. The default is [http.DefaultTransport].
	Base http.RoundTripper

	// Hosts are the hosts that the credential is for, as "api.example.com" for
	// any port or "api.example.com:8443" for one. A request to another host is
	// an error, and one that a redirect leads there goes without the
	// credential. The default is whatever host a request names.
	Hosts []string

	// IsRejected reports whether a response means that the server does not
	// take the credential, so that another version may help. It must not read
	// the body. The default is status 401; [Statuses] makes others.
	IsRejected func(*http.Response) bool

	// Stages are the labels of the versions that may be offered;
	// secrets.Current always may. Nil means that, secrets.Pending and
	// secrets.Previous.
	Stages []string

	// Wait is for how long a request that was rejected with every version waits
	// for another one to come. The default is not to wait: the service is asked
	// once, and if that does not help the caller gets the response.
	Wait time.Duration

	// Pause is for how long a version that was rejected is left alone before
	// its rejection is looked into again; it doubles with each further one, to
	// 15 times itself. The default is [DefaultPause].
	Pause time.Duration

	// AllowHTTP allows the credential to be sent over plain http to other hosts
	// than this one. Loopback addresses are always allowed.
	AllowHTTP bool
}

// Statuses returns an Options.IsRejected that takes responses with any of the
// status codes as rejections.
func Statuses(codes ...int) func(*http.Response) bool {
	codes = slices.Clone(codes)
	return func(r *http.Response) bool { return slices.Contains(codes, r.StatusCode) }
}

func (o *Options) withDefaults() Options {
	var d Options
	if o != nil {
		d = *o
	}
	if d.Base == nil {
		d.Base = http.DefaultTransport
	}
	if d.IsRejected == nil {
		d.IsRejected = Statuses(http.StatusUnauthorized)
	}
	if d.Pause == 0 {
		d.Pause = DefaultPause
	}
	if d.Wait <= 0 {
		d.Wait = -1
	}
	d.Hosts, d.Stages = slices.Clone(d.Hosts), slices.Clone(d.Stages)
	return d
}

func (o *Options) try() *secrets.TryOptions {
	return &secrets.TryOptions{Stages: o.Stages, Wait: o.Wait, Pause: o.Pause}
}
