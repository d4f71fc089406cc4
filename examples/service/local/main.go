// Command local is the environment of the service on a laptop. It serves a fake
// Secrets Manager and a rates API, starts a throwaway PostgreSQL, and writes
// the environment variables of the service into a file. Then it rotates the
// database's password and the API's key in turn, with an occasional outage of
// Secrets Manager, until it is interrupted.
//
//	go run ./local [-env local.env] [-every 10s] [-postgres URL]
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/seed-74dc7b3e/secrets/examples/service/local/world"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	env := flag.String("env", "local.env", "the `file` to write the service's environment to")
	every := flag.Duration("every", 10*time.Second, "how long nothing happens between two events")
	postgres := flag.String("postgres", "", "the `URL` of a PostgreSQL to use, with the user and password of one who may create roles")
	flag.Parse()
	if err := run(ctx, os.Stdout, *env, *every, *postgres); err != nil {
		fmt.Fprintln(os.Stderr, "local:", err)
		os.Exit(1)
	}
}

// run runs a world until ctx ends.
func run(ctx context.Context, out io.Writer, env string, every time.Duration, postgres string) error {
	w, err := world.Start(ctx, postgres)
	if err != nil {
		return fmt.Errorf("%w (or name a PostgreSQL with -postgres)", err)
	}
	defer w.Close()
	if err := os.WriteFile(env, []byte(strings.Join(w.Env(), "\n")+"\n"), 0o600); err != nil {
		return err
	}
	defer os.Remove(env)
	fmt.Fprintf(out, "ready; run the service with: env $(cat %s) go run .\n", env)
	for i := 0; wait(ctx, every); i++ {
		name, event := events[i%len(events)].name, events[i%len(events)].do
		fmt.Fprintf(out, "%s %s\n", time.Now().Format(time.TimeOnly), name)
		if err := event(ctx, w, every); err != nil && ctx.Err() == nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// events are the events, in order.
var events = []struct {
	name string
	do   func(context.Context, *world.World, time.Duration) error
}{
	{"the password rotates", func(ctx context.Context, w *world.World, every time.Duration) error {
		return w.RotatePassword(ctx, func() error {
			wait(ctx, every/10)
			return ctx.Err()
		})
	}},
	{"the API key rotates", func(ctx context.Context, w *world.World, _ time.Duration) error { return w.RotateKey(ctx) }},
	{"Secrets Manager cannot be reached", func(ctx context.Context, w *world.World, every time.Duration) error {
		defer w.Outage()()
		wait(ctx, every)
		return nil
	}},
}

// wait waits for d and reports whether ctx is still valid.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
