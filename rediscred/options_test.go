package rediscred_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/rediscred"
)

// certificate returns one for example.com and 127.0.0.1, and who vouches for it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	srv := httptest.NewUnstartedServer(nil)
	srv.StartTLS()
	defer srv.Close()
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	return srv.TLS.Certificates[0], pool
}

// Over TLS the password is sent to a server that proved its name, and no other.
func TestTLS(t *testing.T) {
	cert, pool := certificate(t)
	for _, test := range []struct {
		name, addr string
		config     *tls.Config
		ok         bool
	}{
		{"the host's name", "example.com:6379", &tls.Config{RootCAs: pool}, true},
		{"a name of its own", "10.0.0.1:6379", &tls.Config{RootCAs: pool, ServerName: "example.com"}, true},
		{"another name", "evil.test:6379", &tls.Config{RootCAs: pool}, false},
		{"an unknown authority", "example.com:6379", &tls.Config{RootCAs: x509.NewCertPool()}, false},
		{"what the secret asks for", "example.com:6379", nil, false}, // the system knows no such authority
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, &rediscred.Options{TLS: test.config})
			r.srv.Put(secretID, strings.Replace(secret("one"), "{", `{"ssl":true,`, 1))
			r.redis.wrap = func(c net.Conn) net.Conn { return tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}}) }
			c, err := r.dial(t.Context(), test.addr)
			if (err == nil) != test.ok {
				t.Fatalf("got %v, want success: %t", err, test.ok)
			}
			if !test.ok {
				if got := r.redis.sent(); len(got) > 0 || !strings.Contains(err.Error(), test.addr) {
					t.Errorf("sent %q, error %v", got, err)
				}
				return
			}
			if _, ok := c.NetConn().(*tls.Conn); !ok {
				t.Errorf("got %T, want TLS", c.NetConn())
			}
			if _, err := c.SyscallConn(); err != nil {
				t.Error(err)
			}
		})
	}
}

// The program's TLS prevails over a secret that says ssl is off.
func TestTLSPrevails(t *testing.T) {
	r := newRig(t, &rediscred.Options{TLS: &tls.Config{RootCAs: x509.NewCertPool()}})
	r.srv.Put(secretID, strings.Replace(secret("one"), "{", `{"ssl":false,`, 1))
	if _, err := r.dial(t.Context(), "cache:6379"); err == nil {
		t.Error("connected without TLS")
	}
	if got := r.redis.sent(); slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "one") }) {
		t.Errorf("sent %q", got)
	}
}

// Secrets in the forms that there are.
func TestSecretForms(t *testing.T) {
	for _, test := range []struct {
		name, secret string
		o            rediscred.Options
		want         string // what is sent; empty: an error
		addr         string
		problem      string
	}{
		{name: "object", secret: secret("p w"), want: "AUTH app p w", addr: "cache:6379"},
		{name: "no user", secret: `{"password":"p","host":"h"}`, want: "AUTH p", addr: "h:6379"},
		{name: "user of the options", secret: `{"password":"p"}`, o: rediscred.Options{Username: "svc"}, want: "AUTH svc p"},
		{name: "the secret's user prevails", secret: secret("p"), o: rediscred.Options{Username: "svc"}, want: "AUTH app p", addr: "cache:6379"},
		{name: "text", secret: "s3cret token", want: "AUTH s3cret token"},
		{name: "text and user", secret: "token", o: rediscred.Options{Username: "svc"}, want: "AUTH svc token"},
		{name: "IPv6", secret: `{"password":"p","host":"::1","port":"7000"}`, want: "AUTH p", addr: "[::1]:7000"},
		{name: "no password", secret: `{"username":"app"}`, problem: `"password"`},
		{name: "broken", secret: `{"password":"x`, problem: "JSON"},
		{name: "bad port", secret: `{"password":"p","port":"x"}`, problem: `"port"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := test.o
				r := newRig(t, &o)
				for _, user := range []string{"", "svc", "app"} {
					r.redis.password(user, "p", "p w", "s3cret token", "token")
				}
				r.srv.Put(secretID, test.secret)
				_, err := r.dial(t.Context(), "cache:6379")
				if test.problem != "" {
					if err == nil || !strings.Contains(err.Error(), test.problem) || len(r.redis.sent()) > 0 {
						t.Errorf("got %v, sent %q, want it to name %s", err, r.redis.sent(), test.problem)
					}
					return
				}
				if got := r.redis.sent(); err != nil || !slices.Equal(got, []string{test.want}) {
					t.Errorf("sent %q, %v, want %q", got, err, test.want)
				}
				addr, err := r.dialer.Addr(t.Context())
				if addr != test.addr || (err == nil) != (test.addr != "") {
					t.Errorf("got address %q, %v, want %q", addr, err, test.addr)
				}
			})
		})
	}
}

func TestBinarySecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.srv.PutBinary(secretID, []byte(secret("one")))
		r.mustDial()
	})
}

// Before Redis 6 a wrong password had no code.
func TestLegacyRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &rediscred.Options{Stages: []string{secrets.Current}})
		r.redis.set(func(f *fakeRedis) { f.answer = "-ERR invalid password\r\n" })
		ctx, cancel := context.WithTimeout(t.Context(), 1e9)
		defer cancel()
		if _, err := r.dial(ctx, "cache:6379"); !rediscred.IsRefused(err) {
			t.Errorf("got %v, want a refusal", err)
		}
	})
	for _, err := range []error{nil, net.ErrClosed, context.DeadlineExceeded, &rediscred.LoginError{Err: net.ErrClosed}} {
		if rediscred.IsRefused(err) {
			t.Errorf("%v is taken for a refusal", err)
		}
	}
}
