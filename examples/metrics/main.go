// Command metrics is a service that exports metrics of its secrets to
// Prometheus. It serves /metrics, /readyz and /debug/secrets on loopback, and
// reads the secrets of a fake Secrets Manager. Again and again it provokes
// events: a new version, a version that does not decode, a rotation that does
// not end, an outage. It needs no credentials and no Prometheus: use a browser,
// or curl.
//
//	go run . [-addr 127.0.0.1:9464] [-turn 20s]
//
// alerts.yml has alerting rules for Prometheus, and dashboard.json is a
// dashboard to import into Grafana. The test checks every name in both against
// the scraped metrics, and that the alerts fire when they should and at no
// other time.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	addr := flag.String("addr", "127.0.0.1:9464", "where to serve")
	turn := flag.Duration("turn", 20*time.Second, "how long each of the faults lasts")
	flag.Parse()
	if err := run(ctx, os.Stdout, *addr, *turn); err != nil {
		fmt.Fprintln(os.Stderr, "metrics:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, out io.Writer, addr string, turn time.Duration) error {
	if turn < time.Second {
		return fmt.Errorf("-turn %v is below a second", turn)
	}
	srv := secretstest.NewServer(&secretstest.Options{Secrets: start})
	defer srv.Close()
	s, err := newService(srv.Client(), secrets.Options{TTL: turn / 10})
	if err != nil {
		return err
	}
	defer s.close()
	if err := secrets.Load(ctx, s.login, s.limit); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	web := &http.Server{Handler: s.admin, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		s.use(ctx, turn/100)
		web.Close()
	}()
	go goWrong(ctx, srv, turn)
	fmt.Fprintf(out, "http://%[1]s/metrics\nhttp://%[1]s/readyz\nhttp://%[1]s/debug/secrets\n", listener.Addr())
	if err := web.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// start is the initial content of the fake service.
var start = secretstest.Secrets{"prod/db": `{"username":"app","password":"old"}`, "prod/limit": "7", "prod/api-key": "key"}

// use repeatedly reads the secrets until ctx ends.
func (s *service) use(ctx context.Context, pause time.Duration) {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		// Failures are counted, logged and shown: that is the point of this program.
		s.login.Get(ctx)
		s.limit.Get(ctx)
		s.client.Get(ctx, "prod/api-key")
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// A fault is something that goes wrong.
type fault struct {
	name  string
	begin func(*secretstest.Server) (end func())
}

var faults = []fault{
	{"a new version", func(srv *secretstest.Server) func() { srv.Put("prod/api-key", "another"); return func() {} }},
	{"a version that does not decode", func(srv *secretstest.Server) func() {
		srv.Put("prod/limit", "seven")
		return func() { srv.Put("prod/limit", "8") }
	}},
	{"a rotation that does not end", func(srv *secretstest.Server) func() {
		id := srv.PutPending("prod/db", `{"username":"app","password":"new"}`)
		return func() { srv.MoveStage("prod/db", secrets.Current, id) }
	}},
	{"an outage", func(srv *secretstest.Server) func() { return srv.RegionOutage(secretstest.DefaultRegion) }},
	{"throttling", func(srv *secretstest.Server) func() { return srv.ThrottleStorm() }},
	{"a key that is refused", func(srv *secretstest.Server) func() { return srv.KMSRevoked("prod/api-key") }},
}

// goWrong provokes one fault after another until ctx ends.
func goWrong(ctx context.Context, srv *secretstest.Server, turn time.Duration) {
	ticker := time.NewTicker(turn)
	defer ticker.Stop()
	end := func() {}
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		end()
		end = func() {}
		if i%2 == 0 { // no fault in every other turn
			end = faults[i/2%len(faults)].begin(srv)
		}
	}
}
