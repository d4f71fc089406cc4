package pgxcred

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// A startup message is swallowed whole, in whatever pieces it is written, and
// nothing that follows it.
func TestStartup(t *testing.T) {
	message, err := (&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": "app"}}).Encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	sent := append(slices.Clone(message), "Q and so on"...)
	for first := range len(sent) + 1 {
		for second := first; second <= len(sent); second++ {
			var s startup
			got := 0
			for _, p := range [][]byte{sent[:first], sent[first:second], sent[second:]} {
				if !s.over {
					got += s.swallow(p)
				}
			}
			if got != len(message) || !s.over {
				t.Fatalf("cut at %d and %d: swallowed %d of %d bytes, over %t", first, second, got, len(message), s.over)
			}
		}
	}
}

// A length that cannot be swallows its own bytes alone.
func TestStartupTooShort(t *testing.T) {
	for _, p := range []string{"\x00\x00\x00\x00Q", "\x00\x00\x00\x04Q", "\x00\x00\x00\x01Q"} {
		var s startup
		if got := s.swallow([]byte(p)); got != 4 || !s.over {
			t.Errorf("%q: swallowed %d, over %t, want 4", p, got, s.over)
		}
	}
}

func newClient(t *testing.T) *secrets.Client {
	client, err := secrets.New(secretstest.New(t, nil).Client(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// What strip takes away restore puts back, and what is left needs no password
// and no server. A field of pgconn.Config that is not known here may be another
// that has to be stripped: read what it does, and test.
func TestStrip(t *testing.T) {
	config, err := pgx.ParseConfig("host=a,b user=u password=hunter2 dbname=d sslmode=verify-full channel_binding=require " +
		"require_auth=scram-sha-256 sslcertmode=allow connect_timeout=5 target_session_attrs=read-write sslnegotiation=direct")
	if err != nil {
		t.Fatal(err)
	}
	config.AfterNetConnect = func(context.Context, *pgconn.Config, net.Conn) (net.Conn, error) { return nil, nil }
	full := *config.Config.Copy()
	p, err := New(newClient(t), "prod/db", nil).plan(&config.Config)
	if err != nil {
		t.Fatal(err)
	}
	p.strip(&config.Config)
	stripped := config.Config
	restore(&config.Config, &p.full)
	var changed []string
	for i, want := range reflect.ValueOf(full).Fields() {
		name := i.Name
		if !slices.Contains(known, name) {
			t.Errorf("pgconn.Config has a field %s that this package does not know", name)
			continue
		}
		if !i.IsExported() {
			continue
		}
		if !same(reflect.ValueOf(stripped).FieldByName(name), want) {
			changed = append(changed, name)
		}
		if !same(reflect.ValueOf(config.Config).FieldByName(name), want) && name != "Password" {
			t.Errorf("%s: restored %v, want %v", name, reflect.ValueOf(config.Config).FieldByName(name), want)
		}
	}
	want := "User Password TLSConfig ConnectTimeout DialFunc LookupFunc Fallbacks SSLNegotiation SSLCertMode " +
		"AfterNetConnect ValidateConnect ChannelBinding RequireAuth"
	if got := strings.Join(changed, " "); got != want {
		t.Errorf("stripped:\ngot  %s\nwant %s", got, want)
	}
	if p.full.Password != "" || config.Password != "" {
		t.Error("the configuration's password is kept")
	}
}

// same compares fields; functions by their code.
func same(a, b reflect.Value) bool {
	if a.Kind() == reflect.Func {
		return a.Pointer() == b.Pointer()
	}
	if a.Type() == reflect.TypeFor[*tls.Config]() {
		return a.IsNil() == b.IsNil()
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

// known are the fields of pgconn.Config, as of pgx v5.12.0.
var known = strings.Fields(`Host Port Database User Password TLSConfig ConnectTimeout DialFunc LookupFunc BuildFrontend
	MaxProtocolMessageBodyLen BuildContextWatcherHandler RuntimeParams KerberosSrvName KerberosSpn Fallbacks SSLNegotiation
	SSLCertMode AfterNetConnect ValidateConnect AfterConnect OnNotice OnNotification OnPgError OAuthTokenProvider
	MinProtocolVersion MaxProtocolVersion ChannelBinding RequireAuth createdByParseConfig`)

// What Hijack hands out is all used.
func TestHijackedConn(t *testing.T) {
	var got []string
	for f := range reflect.TypeFor[pgconn.HijackedConn]().Fields() {
		got = append(got, f.Name)
	}
	want := "Conn TLSConfig PID SecretKey ParameterStatuses TxStatus Frontend Config CustomData"
	if strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// The host of a secret takes the place of the configuration's, and TLS checks
// its name.
func TestMoveTo(t *testing.T) {
	for _, test := range []struct{ config, host, want string }{
		{"host=a sslmode=verify-full", "b", "b:5432 tls=b"},
		{"host=a sslmode=require", "b", "b:5432 tls=b"},
		{"host=a sslmode=disable", "b", "b:5432"},
		{"host=a sslmode=prefer", "b", "b:5432 tls=b, b:5432"},
		{"host=a,c sslmode=prefer port=1,2", "b", "b:1 tls=b, b:1"},
		{"host=a,c sslmode=verify-full port=1,2", "b", "b:1 tls=b"},
		{"host=10.0.0.1 sslmode=require", "b", "b:5432 tls="},
		{"host=10.0.0.1 sslmode=verify-full", "b", "b:5432 tls=b"},
		{"host=a sslmode=prefer", "/run/postgresql", "/run/postgresql:5432"},
	} {
		config, err := pgconn.ParseConfig(test.config + " user=u")
		if err != nil {
			t.Fatal(err)
		}
		c := New(newClient(t), "prod/db", &Options{ServerFromSecret: true})
		before := describe(config)
		changed := config.Copy()
		(&target{c, sqlcred.Login{Host: test.host}}).fill(changed)
		if got := describe(changed); got != test.want {
			t.Errorf("%s to %s: got %s, want %s", test.config, test.host, got, test.want)
		}
		if got := describe(config); got != before {
			t.Errorf("%s: the original has changed to %s", test.config, got)
		}
	}
}

// describe prints where a configuration leads.
func describe(c *pgconn.Config) string {
	hosts := []*pgconn.FallbackConfig{{Host: c.Host, Port: c.Port, TLSConfig: c.TLSConfig}}
	var all []string
	for _, h := range append(hosts, c.Fallbacks...) {
		text := fmt.Sprintf("%s:%d", h.Host, h.Port)
		if h.TLSConfig != nil {
			text += " tls=" + h.TLSConfig.ServerName
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// What package sqlcred asks of a login that was told to stop, and connected all
// the same.
func TestSession(t *testing.T) {
	client, server := net.Pipe()
	defer server.Close()
	config, err := pgconn.ParseConfig("host=db.example user=app")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgconn.Construct(&pgconn.HijackedConn{Conn: client, Config: config})
	if err != nil {
		t.Fatal(err)
	}
	s := &session{pgConn: conn}
	if !s.IsValid() {
		t.Error("open: got not valid")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Ping(ctx); err == nil {
		t.Error("ping without an answer: got no error")
	}
	ended := make(chan error)
	go func() {
		_, err := io.Copy(io.Discard, server)
		ended <- err
	}()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil || s.IsValid() {
		t.Errorf("closed: the network connection ended with %v, the session is valid: %t", err, s.IsValid())
	}
}

// The version of pgx that the documentation names is the one that is tested.
func TestVersion(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`github.com/jackc/pgx/v5 (v\S+)`).FindSubmatch(mod)
	if version == nil || !bytes.Contains(doc, append([]byte("pgx "), version[1]...)) {
		t.Errorf("go.mod requires %q, which doc.go does not name", version)
	}
}
