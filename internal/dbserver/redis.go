package dbserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/resp"
)

const engineRedis = "redis"

// Redis starts a throwaway Redis (or Valkey) and waits until it accepts
// connections, a few milliseconds. Its user default is off, so nobody is let
// in without a password. Its users are in a file, for ACL SAVE. Settings that
// name tls-cert-file have it speak TLS on its port, and nothing else.
//
// Started by root, the server runs as the user redis, or else nobody. If it is
// not installed the error wraps [ErrNotInstalled]. Options.LogStatements has no
// meaning here.
func Redis(ctx context.Context, o *Options) (*Server, error) {
	server, err := find([]string{"redis-server", "valkey-server"}, "/usr/local/bin", "/opt/homebrew/bin")
	if err != nil {
		return nil, fmt.Errorf("dbserver: start redis: %w: on Debian: apt-get install redis-server", err)
	}
	s := &Server{
		Engine: engineRedis, Host: "127.0.0.1", Database: "0",
		AdminUser: "admin", AdminPassword: newPassword(),
		engine:  &redis{server: server, options: o},
		refused: &lineCounter{},
	}
	if s, err = start(ctx, s); err != nil {
		return nil, err
	}
	return s, nil
}

type redis struct {
	server  string // path of the program
	options *Options
}

func (r *redis) create(_ context.Context, s *Server) error {
	_, err := s.writeFile("users.acl", "user default off\nuser "+s.AdminUser+" on >"+s.AdminPassword+" ~* &* +@all\n")
	if err != nil {
		return err
	}
	// A file, for CONFIG REWRITE, and for what no command line should show.
	_, err = s.writeFile("redis.conf", "aclfile "+filepath.Join(s.Dir, "users.acl")+"\n")
	return err
}

func (r *redis) tls() bool {
	return slices.ContainsFunc(r.options.settings(), func(s string) bool { return strings.HasPrefix(s, "tls-cert-file=") })
}

func (r *redis) command(s *Server) (string, []string) {
	ports := []string{"port=" + strconv.Itoa(s.Port)}
	if r.tls() {
		ports = []string{"port=0", "tls-port=" + strconv.Itoa(s.Port)}
	}
	settings := append(ports, "bind="+s.Host, "dir="+s.Dir, "save=", "appendonly=no", "acllog-max-len=10000",
		"maxclients="+strconv.Itoa(r.options.maxConnections()))
	args := []string{filepath.Join(s.Dir, "redis.conf")}
	for _, setting := range append(settings, r.options.settings()...) {
		name, value, _ := strings.Cut(setting, "=")
		args = append(args, "--"+name, value)
	}
	return r.server, args
}

func (r *redis) ready(_ *Server, _ int, logged []byte) bool {
	return bytes.Contains(logged, []byte("Ready to accept connections"))
}

// halt saves nothing: the users are in their file if somebody said ACL SAVE.
func (r *redis) halt(p *process) error { return p.end(syscall.SIGTERM) }

func (r *redis) kill(p *process) error { return p.end(syscall.SIGKILL) }

// refusedLogins reads the server's ACL log, which counts them by user.
func (r *redis) refusedLogins(s *Server, users []string) (int, error) {
	log, err := s.Redis("ACL", "LOG", "10000")
	if err != nil {
		return 0, err
	}
	entries, _ := log.([]any)
	sum := 0
	for _, e := range entries {
		user, _ := resp.Field(e, "username").(string)
		if resp.Field(e, "reason") != "auth" || len(users) > 0 && !slices.Contains(users, user) {
			continue
		}
		n, ok := resp.Field(e, "count").(int64)
		if !ok {
			return 0, errors.New("ACL LOG: an entry without a count")
		}
		sum += int(n)
	}
	return sum, nil
}

// Redis sends one command to a server that [Redis] started, as AdminUser and
// over a connection of its own, and returns the reply: a string, an int64, a
// []any or nil. A reply that is an error, is one.
func (s *Server) Redis(args ...string) (any, error) {
	r, ok := s.engine.(*redis)
	if !ok {
		return nil, fmt.Errorf("dbserver: %s is no Redis", s.Engine)
	}
	c, err := net.DialTimeout("tcp", s.Addr(), 10*time.Second)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return nil, err
	}
	if r.tls() {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true}) // a server of our own, on loopback
	}
	conn := resp.New(c)
	if _, err := conn.Do("AUTH", s.AdminUser, s.AdminPassword); err != nil {
		return nil, fmt.Errorf("AUTH: %w", err)
	}
	return conn.Do(args...)
}
