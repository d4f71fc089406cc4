package tlscred_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets/secretstest"
	"github.com/seed-74dc7b3e/secrets/tlscred"
)

const (
	serverID = "server/tls"
	clientID = "client/tls"
	rootsID  = "roots"
)

// A server and a client, each with its own secrets and cache, shake hands
// without a pause. Meanwhile both certificates rotate, with broken and early
// versions between good ones, and their signing authority is replaced.
func TestLiveRotation(t *testing.T) {
	const rotations, workers = 12, 4
	ca := newAuthority(t, "ca 0")
	srv := secretstest.New(t, secretstest.Secrets{
		serverID: ca.issue(t, "localhost", -time.Hour, time.Hour),
		clientID: ca.issue(t, "client", -time.Hour, time.Hour),
		rootsID:  ca.pem(),
	})
	ours, theirs := open(t, srv, time.Minute), open(t, srv, time.Minute)
	refresh := func(id string) {
		ours.Refresh(t.Context(), id)
		theirs.Refresh(t.Context(), id)
	}
	served := tlscred.New(theirs, serverID, quiet())
	l, err := tls.Listen("tcp", "127.0.0.1:0", tlscred.ServerConfig(served, tlscred.NewPool(theirs, rootsID), nil))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var refused atomic.Int64
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if conn.(*tls.Conn).Handshake() != nil {
					refused.Add(1)
				}
				io.Copy(conn, conn)
			}()
		}
	}()
	dialer := &tlscred.Dialer{Certificate: tlscred.New(ours, clientID, quiet()), Roots: tlscred.NewPool(ours, rootsID), Config: &tls.Config{ServerName: "localhost"}}

	stop := make(chan struct{})
	var done, failed atomic.Int64
	var used sync.Map // serial numbers of the certificates that either side showed
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := shake(dialer, l.Addr().String(), &used); err != nil {
					failed.Add(1)
					t.Log(err)
				}
				done.Add(1)
			}
		})
	}
	settle := func() { // every handshake that is under way ends
		begun := done.Load()
		for done.Load() < begun+2*workers {
			time.Sleep(time.Millisecond)
		}
	}
	for i := range rotations {
		switch i % 6 {
		case 0, 3:
			srv.Put(serverID, ca.issue(t, "localhost", -time.Minute, time.Hour))
		case 1, 4:
			srv.Put(clientID, ca.issue(t, "client", -time.Minute, time.Hour))
		case 2: // neither is used
			srv.Put(serverID, "broken")
			srv.Put(clientID, ca.issue(t, "client", time.Hour, 2*time.Hour))
		case 5:
			ca = newAuthority(t, fmt.Sprint("ca ", i))
			srv.Put(rootsID, ca.pem())
			refresh(rootsID)
			settle()
			srv.Put(serverID, ca.issue(t, "localhost", -time.Minute, time.Hour))
			srv.Put(clientID, ca.issue(t, "client", -time.Minute, time.Hour))
		}
		refresh(serverID)
		refresh(clientID)
		settle()
	}
	close(stop)
	running.Wait()
	certificates := 0
	used.Range(func(_, _ any) bool { certificates++; return true })
	t.Logf("%d rotations: failed handshakes %d of %d, %d server certificates", rotations, failed.Load()+refused.Load(), done.Load(), certificates)
	if n := failed.Load() + refused.Load(); n > 0 {
		t.Errorf("%d of %d handshakes failed", n, done.Load())
	}
	if certificates < rotations/2 {
		t.Errorf("%d certificates were shown in %d rotations: they did not take place", certificates, rotations)
	}
}

// shake connects, sends something and gets it back.
func shake(d *tlscred.Dialer, addr string, used *sync.Map) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	used.Store(conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String(), true)
	if _, err := conn.Write([]byte("hello")); err != nil {
		return err
	}
	_, err = io.ReadFull(conn, make([]byte, 5))
	return err
}

// The pool contains all labeled versions. A version without a label is not
// trusted, and a version that does not parse is skipped.
func TestPool(t *testing.T) {
	a, b, c := newAuthority(t, "a"), newAuthority(t, "b"), newAuthority(t, "c")
	srv := secretstest.New(t, secretstest.Secrets{rootsID: a.pem()})
	client := open(t, srv, 0)
	p := tlscred.NewPool(client, rootsID)
	trusts := func(what string, want ...*authority) {
		t.Helper()
		if err := client.Refresh(t.Context(), rootsID); err != nil {
			t.Fatal(err)
		}
		pool, err := p.Get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		again, _ := p.Get(t.Context())
		got := newPoolOf(want...)
		if !pool.Equal(got) || again != pool {
			t.Errorf("%s: the pool is another, or made anew for each handshake", what)
		}
	}
	trusts("one", a)
	srv.Put(rootsID, `{"ca_bundle":`+quote(b.pem()+c.pem())+`}`)
	trusts("two versions", a, b, c)
	srv.Put(rootsID, "broken")
	trusts("a broken one", b, c)
	srv.Put(rootsID, a.pem())
	trusts("when the second has no label", a)
}

// Without a certificate that the pool's authorities signed nobody gets in; and
// HTTP/2 is spoken both with a pool and without.
func TestHTTP(t *testing.T) {
	ca, other := newAuthority(t, "ca"), newAuthority(t, "other")
	srv := secretstest.New(t, secretstest.Secrets{
		serverID: ca.issue(t, "localhost", -time.Hour, time.Hour),
		clientID: ca.issue(t, "client", -time.Hour, time.Hour),
		"other":  other.issue(t, "client", -time.Hour, time.Hour),
		rootsID:  ca.pem(),
	})
	client := open(t, srv, 0)
	cert, roots := tlscred.New(client, serverID, quiet()), tlscred.NewPool(client, rootsID)
	for _, clients := range []*tlscred.Pool{nil, roots} {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.Proto, " ", len(r.TLS.VerifiedChains))
		}))
		server.Config.ErrorLog = discard
		l := server.Listener
		cfg := tlscred.ServerConfig(cert, clients, nil)
		server.Config.TLSConfig = cfg
		go server.Config.ServeTLS(l, "", "")
		_, port, _ := net.SplitHostPort(l.Addr().String())
		for name, want := range map[string]string{clientID: "HTTP/2.0 1", "other": "refused", "": "refused"} {
			d := &tlscred.Dialer{Roots: roots}
			if name != "" {
				d.Certificate = tlscred.New(client, name, quiet())
			}
			if clients == nil {
				want = "HTTP/2.0 0"
			}
			got := "refused"
			tr := d.Transport()
			if resp, err := (&http.Client{Transport: tr}).Get("https://localhost:" + port); err == nil {
				body, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				got = string(body)
			}
			tr.CloseIdleConnections()
			if got != want {
				t.Errorf("pool %v, certificate %q: %s, want %s", clients != nil, name, got, want)
			}
		}
		// A client that trusts another authority does not talk to the server.
		srv.Put("others", other.pem())
		d := &tlscred.Dialer{Roots: tlscred.NewPool(client, "others")}
		if conn, err := d.DialContext(t.Context(), "tcp", "localhost:"+port); err == nil {
			conn.Close()
			t.Error("a server whose authority is not in the pool was trusted")
		}
		server.Config.Close()
	}
}
