// Command service is the HTTP service to copy. It reads rows from PostgreSQL
// with a password, and calls an API with a key. It continues to serve while the
// password and the key rotate, and while Secrets Manager cannot be reached.
// README.md describes how to run it on a laptop, and the purpose of each file.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := run(ctx, os.Getenv, os.Stderr)
	if err != nil { // it is in the log
		os.Exit(1)
	}
}

// run serves until ctx ends, then shuts down in order. It reads its settings
// with getenv and writes its log to out, one JSON object per line. It returns
// nil after a clean shutdown. Any error is also the last line of the log.
func run(ctx context.Context, getenv func(string) string, out io.Writer) (err error) {
	log := slog.New(slog.NewJSONHandler(out, nil))
	defer func() {
		if err != nil {
			log.Error("the service ends", "error", err)
		} else {
			log.Info("shut down in order")
		}
	}()
	c, err := readSettings(getenv)
	if err != nil {
		return err
	}
	a, err := newApp(ctx, c, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()

	// The probes answer from here on: a service that waits for its secrets is
	// alive but not ready.
	ls, err := a.listen()
	if err != nil {
		return err
	}
	failed := ls.serve(ls.admin, ls.debug)
	if err := a.start(ctx); err != nil {
		return errors.Join(fmt.Errorf("cannot start: %w", err), ls.close())
	}
	failedPublic := ls.serve(ls.public)
	a.ready.Store(true)
	log.Info("ready")

	select {
	case <-ctx.Done():
		log.Info("shutting down")
	case err = <-failed:
	case err = <-failedPublic:
	}
	return errors.Join(err, a.shutDown(ls))
}
