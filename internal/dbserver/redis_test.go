package dbserver_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"net"
	"os"
	"testing"

	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
	"github.com/seed-74dc7b3e/secrets/internal/dbserver/dbtest"
	"github.com/seed-74dc7b3e/secrets/internal/resp"
)

// login logs in to a Redis and returns what the server said.
func login(t *testing.T, s *dbserver.Server, user, password string) error {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = resp.New(c).Do("AUTH", user, password)
	return err
}

func TestRedis(t *testing.T) {
	s := dbtest.Redis(t, &dbserver.Options{Settings: []string{"maxmemory=100mb"}})
	password := rand.Text()
	if _, err := s.Redis("ACL", "SETUSER", "app", "on", ">"+password, "~*", "+@all"); err != nil {
		t.Fatal(err)
	}
	if err := login(t, s, "app", password); err != nil {
		t.Error(err)
	}
	for _, l := range [][2]string{{"app", "wrong"}, {"app", ""}, {"nobody", password}, {"default", ""}, {"app", "wrong"}} {
		if e, ok := errors.AsType[resp.Error](login(t, s, l[0], l[1])); !ok || e.Code() != "WRONGPASS" {
			t.Errorf("%q: got %v, want WRONGPASS", l, e)
		}
	}
	for _, test := range []struct {
		users []string
		want  int
	}{{nil, 5}, {[]string{"app"}, 3}, {[]string{"nobody", "default"}, 2}, {[]string{"none"}, 0}} {
		if n, err := s.RefusedLogins(test.users...); n != test.want || err != nil {
			t.Errorf("%v: got %d refused logins, %v, want %d", test.users, n, err, test.want)
		}
	}
	if v, err := s.Redis("CONFIG", "GET", "maxmemory"); err != nil || resp.Field(v, "maxmemory") != "104857600" {
		t.Errorf("got %v, %v, want the setting", v, err)
	}

	// Only what was saved is there after a restart.
	if _, err := s.Redis("ACL", "SAVE"); err != nil {
		t.Error(err)
	}
	if _, err := s.Redis("ACL", "SETUSER", "later", "on", ">"+password); err != nil {
		t.Error(err)
	}
	if err := errors.Join(s.Halt(), s.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
	if err := login(t, s, "app", password); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	if err := login(t, s, "later", password); err == nil {
		t.Error("a user that was not saved is there after a restart")
	}
	dir := s.Dir
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Stop the folder is still there: %v", err)
	}
	if _, err := s.RefusedLogins(); err == nil {
		t.Error("RefusedLogins of a stopped server returned no error")
	}
}

func TestRedisCannotStart(t *testing.T) {
	s, err := dbserver.Redis(t.Context(), &dbserver.Options{Settings: []string{"no-such-setting=1"}})
	if err == nil {
		s.Stop()
		t.Fatal("a setting that does not exist was accepted")
	}
	if errors.Is(err, dbserver.ErrNotInstalled) && os.Getenv("CI") == "" {
		t.Skipf("LEFT OUT: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s, err := dbserver.Redis(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v, want the context's error", s, err)
	}
}
