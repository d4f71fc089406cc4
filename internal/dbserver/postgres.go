package dbserver

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

const enginePostgres = "postgres"

// postgresRefused matches the line PostgreSQL logs for a refused password,
// with the package's log_line_prefix ('%m [%p] '):
//
//	2026-11-23 04:50:00.000 UTC [123] FATAL:  password authentication failed for user "app"
//
// A wrong password, an unknown user, and one whose VALID UNTIL has passed all
// read like this. NOLOGIN reads "role "app" is not permitted to log in".
var postgresRefused = regexp.MustCompile(
	`^[0-9-]+ [0-9:.]+ UTC \[[0-9]+\] FATAL:  password authentication failed for user "([^"\n]*)`)

// Postgres starts a throwaway PostgreSQL and waits until it accepts
// connections, about a second. It demands scram-sha-256 of everybody and
// listens on loopback only, without TLS unless the settings turn it on. The
// context bounds the start, not the server's life: call [Server.Stop].
//
// Started by root, the server runs as the user postgres, or else nobody.
// If PostgreSQL is not installed the error wraps [ErrNotInstalled].
func Postgres(ctx context.Context, o *Options) (*Server, error) {
	const folder = "/usr/lib/postgresql/*/bin"
	server, err := find([]string{"postgres"}, folder, "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin")
	if err == nil {
		// It finds its shared files by its own path, not by a link's.
		server, err = filepath.EvalSymlinks(server)
	}
	if err != nil {
		return nil, fmt.Errorf("dbserver: start postgres: %w: on Debian: apt-get install postgresql", err)
	}
	s := &Server{
		Engine: enginePostgres, Host: "127.0.0.1", Database: "postgres",
		AdminUser: "admin", AdminPassword: newPassword(),
		engine:  &postgres{server: server, options: o},
		refused: &lineCounter{pattern: postgresRefused},
	}
	if s, err = start(ctx, s); err != nil {
		return nil, err
	}
	return s, nil
}

type postgres struct {
	server  string // path of the program
	options *Options
}

// noTrust is all of pg_hba.conf: no line of it lets anybody in unasked.
const noTrust = `host all all 127.0.0.1/32 scram-sha-256
host all all ::1/128 scram-sha-256
`

func (pg *postgres) create(ctx context.Context, s *Server) error {
	if pg.options.logStatements() {
		s.StatementLog = s.LogFile
	}
	// Beside the server, or where the distribution put a link to it.
	initdb, err := find([]string{"initdb"}, filepath.Dir(pg.server))
	if err != nil {
		return err
	}
	pwfile, err := s.writeFile("password", s.AdminPassword+"\n")
	if err != nil {
		return err
	}
	data := pg.data(s)
	err = runOnce(ctx, s, initdb, "--pgdata="+data, "--username="+s.AdminUser, "--pwfile="+pwfile,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync")
	if err != nil {
		return err
	}
	if err := os.Remove(pwfile); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(data, "pg_hba.conf"), []byte(noTrust), 0o600)
}

func (pg *postgres) data(s *Server) string { return filepath.Join(s.Dir, "data") }

func (pg *postgres) command(s *Server) (string, []string) {
	settings := []string{
		"listen_addresses=" + s.Host, "port=" + strconv.Itoa(s.Port), "unix_socket_directories=",
		"password_encryption=scram-sha-256",
		"max_connections=" + strconv.Itoa(pg.options.maxConnections()),
		"fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=16MB",
		"logging_collector=off", "log_destination=stderr", "log_timezone=UTC", "log_line_prefix=%m [%p] ",
	}
	if pg.options.logStatements() {
		settings = append(settings, "log_statement=all", "log_parameter_max_length=-1")
	}
	args := []string{"-D", pg.data(s)}
	for _, setting := range append(settings, pg.options.settings()...) {
		args = append(args, "-c", setting)
	}
	return pg.server, args
}

// ready reads postmaster.pid: the process id is its first line, and the
// server's state its eighth.
func (pg *postgres) ready(s *Server, pid int, _ []byte) bool {
	text, err := os.ReadFile(filepath.Join(pg.data(s), "postmaster.pid"))
	lines := strings.Split(string(text), "\n")
	return err == nil && len(lines) > 7 &&
		strings.TrimSpace(lines[0]) == strconv.Itoa(pid) && strings.TrimSpace(lines[7]) == "ready"
}

// halt asks for the fast shutdown, which closes open connections, and for the
// immediate one if that takes too long: PostgreSQL has been seen to wait for ever.
func (pg *postgres) halt(p *process) error { return p.end(syscall.SIGINT, syscall.SIGQUIT) }

// kill asks for the immediate shutdown, which ends the server's children too.
func (pg *postgres) kill(p *process) error { return p.end(syscall.SIGQUIT) }
