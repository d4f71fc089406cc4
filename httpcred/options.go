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

	// Hosts lists the hosts that may get the credential, as "api.example.com" for
	// any port or "api.example.com:8443" for one port. A request to another host
	// is an error. If a redirect leads to another host, the request goes there
	// without the credential. The default is every host.
	Hosts []string

	// IsRejected reports whether a response means that the server does not accept
	// the credential, so that another version may help. It must not read the body.
	// By default only status 401 does; [Statuses] returns functions for other
	// codes.
	IsRejected func(*http.Response) bool

	// Stages are the staging labels of the versions that may be offered.
	// secrets.Current may always be offered. Nil means secrets.Current,
	// secrets.Pending and secrets.Previous.
	Stages []string

	// Wait is how long a request that was rejected with every version waits for a
	// new version. The default is not to wait: the service is asked once, and if
	// that does not help, the caller gets the response.
	Wait time.Duration

	// Pause is how long the Transport waits after a rejection of a version before
	// another rejection of it makes it offer other versions again. It doubles with
	// each further rejection, up to 15 times its length. The default is
	// [DefaultPause].
	Pause time.Duration

	// AllowHTTP allows sending the credential over plain http to hosts other than
	// this one. Loopback addresses are always allowed.
	AllowHTTP bool
}

// Statuses returns an Options.IsRejected that matches the given status codes.
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
