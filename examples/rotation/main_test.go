package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
)

// row is a line of the table in which nothing failed.
var row = regexp.MustCompile(`^ +[0-9]+ +[0-9.]+m?s +[1-9][0-9]* +0 +0 +[0-9]+ +[0-9]+ +[0-9.]+m?s$`)

func TestRotation(t *testing.T) {
	_ = mysql.SetLogger(&mysql.NopLogger{})
	for _, s := range []settings{
		{server: "postgres", strategy: "single-user"},
		{server: "postgres", strategy: "alternating-users"},
		{server: "mariadb", strategy: "single-user"},
		{server: "mariadb", strategy: "alternating-users"},
	} {
		t.Run(s.server+" "+s.strategy, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			s.rotations, s.hold = 3, 100*time.Millisecond
			var out bytes.Buffer
			err := run(ctx, &out, s)
			if errors.Is(err, dbserver.ErrNotInstalled) && os.Getenv("CI") == "" {
				t.Skipf("LEFT OUT: %v", err)
			}
			if err != nil {
				t.Errorf("got error %v", err)
			}
			lines := strings.Split(out.String(), "\n")
			if got, want := len(lines), 2+s.rotations+2; got != want {
				t.Fatalf("got %d lines, want %d:\n%s", got, want, &out)
			}
			for _, line := range lines[2 : 2+s.rotations] {
				if !row.MatchString(line) {
					t.Errorf("got line %q, want one that matches %s", line, row)
				}
			}
			if got, want := lines[2+s.rotations], "rotations 3, "; !strings.HasPrefix(got, want) {
				t.Errorf("got last line %q, want one that begins with %q", got, want)
			}
		})
	}
}

// A database that is gone makes failed queries, and those make an error.
func TestFailedQueries(t *testing.T) {
	s := settings{server: "postgres", strategy: "single-user", rotations: 1}
	w, err := newWorld(t.Context(), s)
	if errors.Is(err, dbserver.ErrNotInstalled) && os.Getenv("CI") == "" {
		t.Skipf("LEFT OUT: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	svc, err := newService(w)
	if err != nil {
		t.Fatal(err)
	}
	defer svc.close()

	if err := w.db.Halt(); err != nil {
		t.Fatal(err)
	}
	err = svc.query()
	if err == nil {
		t.Fatal("got no error of a query without a server")
	}
	svc.counters.query(err)
	if err := w.db.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = rotateAll(t.Context(), &out, s, w, svc)
	if err == nil || !strings.Contains(err.Error(), "queries failed") {
		t.Errorf("got error %v, want one of failed queries; printed:\n%s", err, &out)
	}
}

func TestSettings(t *testing.T) {
	good := settings{server: "postgres", strategy: "single-user", rotations: 1}
	if err := good.check(); err != nil {
		t.Errorf("got error %v of good settings", err)
	}
	for name, change := range map[string]func(*settings){
		"-server":    func(s *settings) { s.server = "oracle" },
		"-strategy":  func(s *settings) { s.strategy = "" },
		"-rotations": func(s *settings) { s.rotations = 0 },
		"-hold":      func(s *settings) { s.hold = -1 },
	} {
		s := good
		change(&s)
		err := run(context.Background(), &bytes.Buffer{}, s)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got error %v, want one that names the flag", name, err)
		}
	}
}
