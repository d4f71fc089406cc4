package secretstest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// Client returns an SDK client for the default region that needs no socket.
// Marshaling, typed errors and retries are the SDK's own. The client may be
// used in a synctest bubble, and by multiple goroutines. For another region set
// Region in opts.
func (s *Server) Client(opts ...func(*secretsmanager.Options)) *secretsmanager.Client {
	return s.client(defaultAccessKey, defaultSecretKey, opts)
}

// ClientFor returns a client like that of Client, with id as the caller.
func (s *Server) ClientFor(id Identity, opts ...func(*secretsmanager.Options)) *secretsmanager.Client {
	s.helper()()
	if id.SecretKey == "" {
		id.SecretKey = defaultSecretKey
	}
	return s.client(s.AddIdentity(id), id.SecretKey, opts)
}

func (s *Server) client(key, secret string, opts []func(*secretsmanager.Options)) *secretsmanager.Client {
	return secretsmanager.New(secretsmanager.Options{
		Region:      s.opts.Region,
		HTTPClient:  transport{s},
		Credentials: s.credentials(key, secret),
	}, opts...)
}

// HTTPClient returns an http.Client whose requests all go to the server. The
// host of a request does not matter. The server handles it in the goroutine
// that makes it.
func (s *Server) HTTPClient() *http.Client {
	return &http.Client{
		Transport:     transport{s},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// A transport hands requests to a server without a socket.
type transport struct{ srv *Server }

// Do implements the SDK's HTTPClient, which needs only the round trip of an
// http.Client.
func (t transport) Do(r *http.Request) (*http.Response, error) { return t.RoundTrip(r) }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	req := newWireRequest(r, body)
	req.sourceIP = ""
	a := t.srv.serve(r.Context(), req)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if a.broken == dropped {
		return nil, errReset
	}
	resp := &http.Response{
		Status:        http.StatusText(a.status),
		StatusCode:    a.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        make(http.Header, 3),
		ContentLength: int64(len(a.body)),
		Request:       r,
	}
	t.srv.setHeader(&a, resp.Header)
	resp.Body = io.NopCloser(bytes.NewReader(a.body))
	switch {
	case a.trickle > 0:
		resp.Body = io.NopCloser(&drippingReader{r.Context(), a.body, a.trickle})
	case a.broken == truncated:
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(a.body[:len(a.body)/2]), brokenReader{}))
	}
	return resp, nil
}

// readBody reads and closes the body of a request.
func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	defer r.Body.Close()
	if r.ContentLength > 0 && r.ContentLength <= maxBody {
		body := make([]byte, r.ContentLength)
		_, err := io.ReadFull(r.Body, body)
		return body, err
	}
	return io.ReadAll(io.LimitReader(r.Body, maxBody+1))
}

// errReset is the error that a client sees when the server closes a connection.
var errReset error = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}

// A brokenReader is the end of an answer that was cut short.
type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// A drippingReader is a body that arrives a byte at a time.
type drippingReader struct {
	ctx   context.Context
	left  []byte
	every time.Duration
}

func (r *drippingReader) Read(p []byte) (int, error) {
	switch {
	case len(r.left) == 0:
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	case !sleep(r.ctx, r.every):
		return 0, r.ctx.Err()
	}
	p[0], r.left = r.left[0], r.left[1:]
	return 1, nil
}

// A listener serves a server over loopback.
type listener struct {
	url string
	srv *http.Server
}

func (l *listener) close() { l.srv.Close() }

// URL returns the address of the server over HTTP, for other programs. The
// server listens on loopback from the first call until Close. Do not use URL in
// a synctest bubble.
//
// A Go test that counts calls should use Client. With smithy-go v1.28.8 the SDK
// for Go sometimes loses the end of a response of more than 4 KB over HTTP,
// mostly the first on a connection. It closes the body of its request before
// net/http has read that to the end, so net/http reports an error and closes
// the connection. The SDK then retries, and two calls arrive. Without retries
// the call fails with "use of closed network connection". No server can prevent
// it.
func (s *Server) URL() string {
	s.helper()()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		return s.listener.url
	}
	l, err := s.listenLocked(s)
	s.check(err, "listen")
	s.listener = l
	return l.url
}

func (s *Server) listenLocked(handler http.Handler) (*listener, error) {
	if s.closed {
		return nil, errors.New("server is closed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	h := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	s.running.Go(func() { h.Serve(l) })
	return &listener{url: "http://" + l.Addr().String(), srv: h}, nil
}
