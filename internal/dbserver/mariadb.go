package dbserver

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
)

const engineMariaDB = "mariadb"

// mariaDBRefused matches the line MariaDB logs (from log_warnings=2 on) for a
// refused password or an unknown user:
//
//	2026-11-23  4:50:00 12 [Warning] Access denied for user 'app'@'127.0.0.1' (using password: YES)
//
// A user who logs in and may not use the database reads the same but for the
// end, "to database 'd'". A blocked account has a text of its own.
var mariaDBRefused = regexp.MustCompile(
	`^[0-9-]+ +[0-9:]+ [0-9]+ \[Warning\] Access denied for user '(.*)'@'[^']*' \(using password: (YES|NO)\)`)

// MariaDB starts a throwaway MariaDB and waits until it accepts connections,
// about a second. Its accounts use mysql_native_password; nobody is let in
// without a password over TCP, and only on loopback. The context bounds the
// start, not the server's life: call [Server.Stop].
//
// Started by root, the server runs as the user mysql, or else nobody.
// If MariaDB is not installed the error wraps [ErrNotInstalled].
func MariaDB(ctx context.Context, o *Options) (*Server, error) {
	folders := []string{"/usr/sbin", "/usr/libexec", "/usr/local/sbin", "/usr/local/mysql/bin"}
	server, err := find([]string{"mariadbd"}, folders...)
	if err != nil {
		return nil, fmt.Errorf("dbserver: start mariadb: %w: on Debian: apt-get install mariadb-server", err)
	}
	install, err := find([]string{"mariadb-install-db", "mysql_install_db"}, filepath.Dir(server), "/usr/bin")
	if err != nil {
		return nil, fmt.Errorf("dbserver: start mariadb: %w: on Debian: apt-get install mariadb-server", err)
	}
	s := &Server{
		Engine: engineMariaDB, Host: "127.0.0.1", Database: "app",
		AdminUser: "admin", AdminPassword: newPassword(),
		engine:  &mariaDB{server: server, install: install, options: o},
		refused: &lineCounter{pattern: mariaDBRefused},
	}
	if s, err = start(ctx, s); err != nil {
		return nil, err
	}
	return s, nil
}

type mariaDB struct {
	server, install string // paths of the programs
	options         *Options
}

func (m *mariaDB) create(ctx context.Context, s *Server) error {
	if m.options.logStatements() {
		s.StatementLog = filepath.Join(s.Dir, "statements.log")
	}
	err := runOnce(ctx, s, m.install, "--no-defaults", "--datadir="+m.data(s), "--skip-test-db",
		"--auth-root-authentication-method=socket", "--innodb-flush-method=nosync", "--debug-no-sync")
	if err != nil {
		return err
	}
	// The server runs these statements before it accepts a connection. Host
	// names are not looked up, so the account is for any host. Nobody is left
	// to log in by who he is on this machine.
	_, err = s.writeFile(initName, fmt.Sprintf(`CREATE USER '%[1]s'@'%%' IDENTIFIED BY '%[2]s';
DROP USER root@localhost;
GRANT ALL ON *.* TO '%[1]s'@'%%' WITH GRANT OPTION;
CREATE DATABASE %[3]s;
`, s.AdminUser, s.AdminPassword, s.Database))
	return err
}

// initName is the file with the statements of the first start. It holds the
// administrator's password and is removed once it has been run.
const initName = "init.sql"

func (m *mariaDB) data(s *Server) string { return filepath.Join(s.Dir, "data") }

func (m *mariaDB) command(s *Server) (string, []string) {
	args := []string{
		"--no-defaults", "--datadir=" + m.data(s), "--tmpdir=" + s.Dir,
		"--bind-address=" + s.Host, "--port=" + strconv.Itoa(s.Port), "--skip-name-resolve",
		"--socket=server.sock", // in the data folder: a full path may be too long for a socket
		"--pid-file=server.pid", "--log-error=" + s.LogFile, "--log-warnings=2",
		"--max-connections=" + strconv.Itoa(m.options.maxConnections()),
		"--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M",
		"--innodb-flush-log-at-trx-commit=2", "--innodb-flush-method=nosync", "--debug-no-sync",
		"--character-set-server=utf8mb4", "--performance-schema=OFF",
	}
	if s.StatementLog != "" {
		args = append(args, "--general-log=1", "--general-log-file="+s.StatementLog)
	}
	if init := filepath.Join(s.Dir, initName); fileExists(init) {
		args = append(args, "--init-file="+init)
	}
	for _, setting := range m.options.settings() {
		args = append(args, "--"+setting)
	}
	return m.server, args
}

// ready looks for the line that MariaDB logs last: "<path>: ready for connections."
func (m *mariaDB) ready(s *Server, _ int, logged []byte) bool {
	if !bytes.Contains(logged, []byte(": ready for connections.")) {
		return false
	}
	os.Remove(filepath.Join(s.Dir, initName))
	return true
}

// halt asks for a clean shutdown.
func (m *mariaDB) halt(p *process) error { return p.end(syscall.SIGTERM) }

// kill does not wait for tables that are to be removed anyway.
func (m *mariaDB) kill(p *process) error { return p.end(syscall.SIGKILL) }

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
