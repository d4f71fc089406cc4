package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
	"github.com/seed-74dc7b3e/secrets/internal/dbserver/dbtest"
)

// elsewhere dials from an address that MariaDB does not take for itself.
// Connections from 127.0.0.1 are exempt from max_connect_errors.
var elsewhere = net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}

// countingHosts are the options of a MariaDB that blocks a host after n
// handshakes in a row that came to nothing.
func countingHosts(t testing.TB, n string) *dbserver.Options {
	t.Helper()
	// The server looks the client's name up. An answer that there is none
	// is fine, a name server that cannot be reached is not.
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	var dnsErr *net.DNSError
	if _, err := net.DefaultResolver.LookupAddr(ctx, "127.0.0.2"); err != nil &&
		!(errors.As(err, &dnsErr) && dnsErr.IsNotFound) {
		t.Skipf("LEFT OUT: names cannot be looked up: %v", err)
	}
	return &dbserver.Options{Settings: []string{"skip-name-resolve=0", "max_connect_errors=" + n}}
}

// MariaDB blocks a host after max_connect_errors aborted handshakes, a fact
// that whoever cancels logins has to live with. One success starts the count
// again.
func TestMariaDBCountsAbortedHandshakes(t *testing.T) {
	t.Parallel()
	s := dbtest.MariaDB(t, countingHosts(t, "3"))
	c := mysql.NewConfig()
	c.Net, c.Addr, c.User, c.Passwd = "tcp", s.Addr(), s.AdminUser, s.AdminPassword
	c.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		return elsewhere.DialContext(ctx, network, addr)
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		t.Fatal(err)
	}
	login := func() error {
		db := sql.OpenDB(connector)
		defer db.Close()
		return db.PingContext(t.Context())
	}
	admin := sql.OpenDB(mysqlConnector(t, s, s.AdminUser, s.AdminPassword)) // from 127.0.0.1
	defer admin.Close()
	aborted := 0
	abort := func(n int) {
		t.Helper()
		for range n {
			conn, err := elsewhere.DialContext(t.Context(), "tcp", s.Addr())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Read(make([]byte, 1)); err != nil { // of the greeting
				t.Fatal(err)
			}
			conn.Close()
		}
		aborted += n
		waitStatus(t, admin, "Aborted_connects", aborted)
	}
	for range 3 {
		abort(2)
		if err := login(); err != nil {
			t.Fatalf("after 2 aborted handshakes: %v", err)
		}
	}
	abort(3)
	var myErr *mysql.MySQLError
	if err := login(); !errors.As(err, &myErr) || myErr.Number != 1129 {
		t.Errorf("after 3 aborted handshakes: got error %v, want 1129 (host blocked)", err)
	}
}

// waitStatus waits until one of MariaDB's status counters has the value.
func waitStatus(t testing.TB, admin *sql.DB, name string, want int) {
	t.Helper()
	got := 0
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		row := admin.QueryRowContext(t.Context(), "SHOW GLOBAL STATUS LIKE '"+name+"'")
		if err := row.Scan(&name, &got); err != nil {
			t.Fatal(err)
		}
		if got == want {
			return
		}
	}
	t.Fatalf("%s: got %d, want %d", name, got, want)
}
