package rotate_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// TestRedisSet sets a password with every combination of accepted passwords.
func TestRedisSet(t *testing.T) {
	for _, tt := range []struct {
		name    string
		accepts []string
		fields  []string // of the secret
		want    []string // of what is sent, without the node
		keeps   []string // passwords that log in afterwards
		refused bool
	}{
		{name: "current", accepts: []string{"cur"}, want: []string{
			"AUTH app cur", "CLUSTER NODES", "AUTH app new", "AUTH app cur", "ACL GETUSER app", "ACL SETUSER +new", "ACL SAVE",
		}, keeps: []string{"cur", "new"}},
		{name: "the one before goes", accepts: []string{"old", "cur", "older"}, want: []string{
			"AUTH app cur", "CLUSTER NODES", "AUTH app new", "AUTH app cur", "ACL GETUSER app", "ACL SETUSER +new -2", "ACL SAVE",
		}, keeps: []string{"cur", "new"}},
		{name: "previous", accepts: []string{"old"}, want: []string{
			"AUTH app cur", "AUTH app old", "CLUSTER NODES", "AUTH app new", "AUTH app cur", "AUTH app old",
			"ACL GETUSER app", "ACL SETUSER +new", "ACL SAVE",
		}, keeps: []string{"old", "new"}},
		{name: "done", accepts: []string{"cur", "new"}, want: []string{
			"AUTH app cur", "CLUSTER NODES", "AUTH app new", "ACL SAVE",
		}, keeps: []string{"cur", "new"}},
		{name: "only pending", accepts: []string{"new"}, want: []string{
			"AUTH app cur", "AUTH app old", "AUTH app new", "CLUSTER NODES", "AUTH app new", "ACL SAVE",
		}, keeps: []string{"new"}},
		{name: "none", want: []string{"AUTH app cur", "AUTH app old", "AUTH app new"}, refused: true},
		{name: "master", accepts: []string{"cur"}, fields: []string{"masterarn", "m"}, want: []string{
			"AUTH admin root", "CLUSTER NODES", "AUTH app new", "AUTH app cur", "AUTH admin root", "ACL GETUSER app", "ACL SETUSER +new",
			"AUTH admin root", "ACL SAVE",
		}, keeps: []string{"cur", "new"}},
		{name: "master of a user that does not log in", fields: []string{"masterarn", "m"}, want: []string{
			"AUTH admin root", "CLUSTER NODES", "AUTH app new", "AUTH app cur", "AUTH app old",
		}, refused: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFakeRedis([]string{"cache:6379"}, map[string][]string{"app": tt.accepts, "admin": {"root"}})
			err := redisStep(t, rotate.SetSecret, f, rotate.RedisOptions{}, tt.fields...)
			if (err != nil) != tt.refused || errors.Is(err, rotate.ErrRefused) != tt.refused {
				t.Errorf("got %v, want a refusal: %t", err, tt.refused)
			}
			if got := sent(f.take()); !slices.Equal(got, tt.want) {
				t.Errorf("sent\n%q, want\n%q", got, tt.want)
			}
			if got := f.passwords("cache:6379", "app", "older", "old", "cur", "new"); !slices.Equal(got, tt.keeps) {
				t.Errorf("%q log in, want %q", got, tt.keeps)
			}
		})
	}
}

// sent returns commands without node and user, and rules of SETUSER in short.
func sent(log []string) []string {
	var all []string
	for _, line := range log {
		_, line, _ = strings.Cut(line, ": ")
		if rules, ok := strings.CutPrefix(line, "ACL SETUSER app #"+hashOf("new")); ok {
			line = "ACL SETUSER +new"
			if n := strings.Count(rules, " !"); n > 0 {
				line += " -" + string(rune('0'+n))
			}
		}
		all = append(all, line)
	}
	return all
}

// TestRedisCluster sets the password on every node, and continues after a
// failure halfway.
func TestRedisCluster(t *testing.T) {
	const list = "id1 10.0.0.1:6379@16379 myself,master - 0 0 1 connected 0-100\n" +
		"id2 10.0.0.2:6379@16379,b.example master - 0 0 1 connected 101-16383\n" +
		"id3 10.0.0.3:7000@17000,, slave id1 0 0 1 connected\n" +
		"id4 :0@0 master,noaddr - 0 0 1 disconnected\n" +
		"id5 10.0.0.9:6379@16379 handshake - 0 0 0 connected\n"
	nodes := []string{"cache:6379", "10.0.0.1:6379", "b.example:6379", "10.0.0.3:7000"}
	f := newFakeRedis(nodes, map[string][]string{"app": {"cur"}})
	f.answers["CLUSTER NODES"] = bulk(list)
	f.down = "10.0.0.3:7000"
	if err := redisStep(t, rotate.SetSecret, f, rotate.RedisOptions{}); err == nil || !strings.Contains(err.Error(), "10.0.0.3:7000") {
		t.Errorf("got %v, want the node that is down", err)
	}
	if err := redisStep(t, rotate.TestSecret, f, rotate.RedisOptions{}); err == nil {
		t.Error("testSecret: want an error while a node lacks the password")
	}
	f.down = ""
	for _, s := range []rotate.Step{rotate.SetSecret, rotate.TestSecret} {
		if err := redisStep(t, s, f, rotate.RedisOptions{}); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
	for _, n := range nodes[1:] {
		if got := f.passwords(n, "app", "cur", "new"); !slices.Equal(got, []string{"cur", "new"}) {
			t.Errorf("%s: %q log in, want both", n, got)
		}
	}
	if got := f.passwords("cache:6379", "app", "new"); got != nil {
		t.Error("the host that is no node was changed")
	}
}

func bulk(text string) string { return fmt.Sprintf("$%d\r\n%s", len(text), text) }

// TestRedisClusterAnswers has answers of CLUSTER NODES that cannot be used.
func TestRedisClusterAnswers(t *testing.T) {
	for answer, want := range map[string]string{
		"-NOPERM this user has no permissions to run the 'cluster|nodes' command": "RedisOptions.Nodes",
		bulk("id1\n"): "has no node",
		bulk(""):      "no node",
		bulk("id1 host master - 0 0 1 connected\n"):                                     "port",
		bulk("id1 10.0.0.1:6379@16379 master,fail - 0 0 1 disconnected\n"):              "failed",
		bulk("id1 :6379@16379 myself,master - 0 0 1 connected\n"):                       "",
		bulk("id1 cache:6379@16379 myself,master,nofailover,fail? - 0 0 1 connected\n"): "",
	} {
		f := newFakeRedis([]string{"cache:6379"}, map[string][]string{"app": {"cur"}})
		f.answers["CLUSTER NODES"] = answer
		err := redisStep(t, rotate.SetSecret, f, rotate.RedisOptions{})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", answer, err, want)
		}
		changed := f.passwords("cache:6379", "app", "new") != nil
		if changed != (want == "") {
			t.Errorf("%q: changed: %t", answer, changed)
		}
	}
}

// TestRedisStore has servers that store users in different ways, or not.
func TestRedisStore(t *testing.T) {
	const noFile = "-ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE"
	for _, tt := range []struct {
		save, rewrite string
		volatile      bool
		want          string
	}{
		{save: "+OK"},
		{save: noFile, rewrite: "+OK"},
		{save: noFile, rewrite: "-ERR The server is running without a config file", want: "RedisOptions.Volatile"},
		{save: "-ERR There was an error trying to save the ACLs. Please check the server logs", rewrite: "+OK", want: "ACL SAVE"},
		{save: "-NOPERM this user has no permissions", want: "ACL SAVE"},
		{save: "-ERR must not be asked", volatile: true},
	} {
		f := newFakeRedis([]string{"cache:6379"}, map[string][]string{"app": {"cur"}})
		f.answers["ACL SAVE"], f.answers["CONFIG REWRITE"] = tt.save, tt.rewrite
		for range 2 { // what was not stored is not taken for done
			err := redisStep(t, rotate.SetSecret, f, rotate.RedisOptions{Volatile: tt.volatile})
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: got %v, want %q", tt.save, err, tt.want)
			}
		}
	}
}

// TestRedisErrors has servers that answer something else than expected.
func TestRedisErrors(t *testing.T) {
	for command, answer := range map[string]string{
		"ACL GETUSER": "-NOPERM no", "ACL SETUSER": "-ERR Error in ACL SETUSER modifier", "AUTH app new": "-LOADING x", "AUTH app cur": "?",
	} {
		f := newFakeRedis([]string{"cache:6379"}, map[string][]string{"app": {"cur"}})
		f.answers[command] = answer
		err := redisStep(t, rotate.SetSecret, f, rotate.RedisOptions{})
		if err == nil || errors.Is(err, rotate.ErrRefused) {
			t.Errorf("%s: got %v, want an error that is no refusal", command, err)
		}
	}
	f := newFakeRedis([]string{"cache:6379"}, map[string][]string{"app": {"cur"}, "admin": {"root"}})
	f.answers["ACL GETUSER"] = "*-1"
	if err := redisStep(t, rotate.SetSecret, f, rotate.RedisOptions{}, "masterarn", "m"); err == nil || !strings.Contains(err.Error(), `no user "app"`) {
		t.Errorf("got %v, want it to say that there is no such user", err)
	}
	for _, nodes := range []func(context.Context, rotate.Login) ([]string, error){
		func(context.Context, rotate.Login) ([]string, error) { return nil, nil },
		func(context.Context, rotate.Login) ([]string, error) { return nil, errors.New("no list: cur") },
	} {
		err := redisStep(t, rotate.TestSecret, f, rotate.RedisOptions{Nodes: nodes})
		if err == nil || !strings.Contains(err.Error(), "nodes: ") || strings.Contains(err.Error(), ": cur") {
			t.Errorf("got %v, want an error about the nodes, without the password", err)
		}
	}
}

// TestRedisHangs has a server that accepts connections and never answers.
func TestRedisHangs(t *testing.T) {
	silent := func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() { buf := make([]byte, 1024); far.Read(buf); far.Read(buf) }()
		return near, nil
	}
	began := time.Now()
	err := redisStep(t, rotate.TestSecret, nil, rotate.RedisOptions{Dial: silent, Nodes: oneNode})
	if e, ok := errors.AsType[net.Error](err); !ok || !e.Timeout() {
		t.Errorf("got %v, want a timeout", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %v of real time", took)
	}
}

func oneNode(context.Context, rotate.Login) ([]string, error) { return []string{"cache:6379"}, nil }

func TestRedisCreate(t *testing.T) {
	for _, tt := range []struct{ name, secret, want string }{
		{"plain", redisSecret, ""},
		{"valkey", with(t, redisSecret, "engine", "valkey"), ""},
		{"no user", `{"host":"cache","password":"cur"}`, ""},
		{"no host", `{"username":"app","password":"cur"}`, `"host"`},
		{"engine", with(t, redisSecret, "engine", "postgres"), `"engine"`},
		{"no such master", with(t, redisSecret, "masterarn", "none"), "ResourceNotFound"},
		{"master elsewhere", with(t, redisSecret, "masterarn", "m"), "another server"},
		{"text", "cur", "JSON"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := secretstest.New(t, secretstest.Secrets{"s": tt.secret, "m": with(t, redisSecret, "host", "other")})
			spy := &putSpy{API: srv.Client()}
			h := rotate.Handler{API: spy, Rotator: rotate.Redis(nil)}
			err := h.Handle(t.Context(), event(srv, rotate.CreateSecret, srv.PutEmptyPending("s")))
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) || spy.last != nil {
					t.Errorf("got %v, want %s and nothing stored", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			password, err := rotate.Text(*spy.last.SecretString).Field("password")
			if err != nil || len(password) != 32 || *spy.last.SecretString != with(t, tt.secret, "password", password) {
				t.Errorf("stored %s, %v", *spy.last.SecretString, err)
			}
		})
	}
}
