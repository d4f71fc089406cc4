package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// A server is an http.Server with its listener. All of its timeouts are set.
type server struct {
	http.Server
	name     string
	listener net.Listener
	log      *slog.Logger
}

// servers are those of the service.
type servers struct{ public, admin, debug *server }

// listen opens all listeners, so that an address in use fails the start.
func (a *app) listen() (ls *servers, err error) {
	ls = new(servers)
	for _, s := range []struct {
		at      **server
		name    string
		addr    string
		handler http.Handler
	}{
		{&ls.public, "public", a.settings.publicAddr, a.public()},
		{&ls.admin, "admin", a.settings.adminAddr, a.admin()},
		{&ls.debug, "debug", a.settings.debugAddr, a.debug()},
	} {
		if *s.at, err = newServer(s.name, s.addr, s.handler, a.log); err != nil {
			return nil, errors.Join(err, ls.close())
		}
	}
	return ls, nil
}

func newServer(name, addr string, handler http.Handler, log *slog.Logger) (*server, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &server{name: name, listener: l, log: log}
	s.Handler = handler
	s.ReadHeaderTimeout, s.ReadTimeout, s.WriteTimeout, s.IdleTimeout = 5*time.Second, 10*time.Second, 30*time.Second, 2*time.Minute
	s.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelWarn)
	return s, nil
}

// serve starts the servers and returns. They serve until they are closed. The
// channel gets the error of a server that ends for another reason. It need not
// be read.
func (*servers) serve(list ...*server) <-chan error {
	failed := make(chan error, len(list))
	for _, s := range list {
		s.log.Info("serving", "listener", s.name, "addr", s.listener.Addr().String())
		go func() {
			if err := s.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		}()
	}
	return failed
}

// close closes every server at once, and every listener that was not served.
func (ls *servers) close() error {
	var errs []error
	for _, s := range []*server{ls.public, ls.admin, ls.debug} {
		if s == nil {
			continue
		}
		err := s.Close()
		if lerr := s.listener.Close(); !errors.Is(lerr, net.ErrClosed) {
			err = errors.Join(err, lerr)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// shutDown stops serving, in order. First /readyz fails for DRAIN_DELAY. Then
// the public listener closes, and shutDown blocks until the running requests
// have ended, for at most SHUTDOWN_TIMEOUT. Then the other listeners close.
// Afterward nothing uses the pool: run closes it, and then the client.
//
// Kubernetes kills the process after terminationGracePeriodSeconds, which must
// be longer than all of this: see the folder deploy.
func (a *app) shutDown(ls *servers) error {
	a.ready.Store(false)
	// A load balancer sends requests until it notices that.
	time.Sleep(a.settings.drainDelay)
	ctx, cancel := context.WithTimeout(context.Background(), a.settings.shutdownTimeout)
	defer cancel()
	err := ls.public.Shutdown(ctx)
	if err != nil {
		a.log.Warn("requests are cut off", "after", a.settings.shutdownTimeout)
	}
	return errors.Join(err, ls.close()) // ends the contexts, and so the queries, of aborted requests
}
