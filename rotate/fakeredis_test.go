package rotate_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/seed-74dc7b3e/secrets/internal/resp"
	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// A fakeRedis is one or more servers that know users, write down what they are
// sent, and give prepared answers.
type fakeRedis struct {
	mu      sync.Mutex                     // guards all fields
	log     []string                       // node, user and command; passwords as they are in AUTH
	users   map[string]map[string][]string // hashes by node and user
	answers map[string]string              // by the beginning of the command, for all nodes
	down    string                         // the node that cannot be dialed
}

func hashOf(password string) string {
	sum := sha256.Sum256([]byte(password))
	return hex.EncodeToString(sum[:])
}

// newFakeRedis makes servers with the same users, whose passwords are given.
func newFakeRedis(nodes []string, users map[string][]string) *fakeRedis {
	f := &fakeRedis{users: map[string]map[string][]string{}, answers: map[string]string{
		"ACL SAVE":      "+OK",
		"CLUSTER NODES": "-ERR This instance has cluster support disabled",
	}}
	for _, n := range nodes {
		f.users[n] = map[string][]string{}
		for u, passwords := range users {
			for _, p := range passwords {
				f.users[n][u] = append(f.users[n][u], hashOf(p))
			}
		}
	}
	return f
}

func (f *fakeRedis) dial(_ context.Context, _, addr string) (net.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.users[addr] == nil || addr == f.down {
		return nil, errors.New("no route to " + addr)
	}
	near, far := net.Pipe()
	go f.serve(addr, far)
	return near, nil
}

func (f *fakeRedis) serve(node string, c net.Conn) {
	defer c.Close()
	conn, user := resp.New(c), ""
	for {
		command, err := conn.Receive()
		if err != nil {
			return
		}
		answer := f.do(node, &user, resp.Strings(command))
		if _, err := io.WriteString(c, answer+"\r\n"); err != nil {
			return
		}
	}
}

// do returns the answer to a command.
func (f *fakeRedis) do(node string, user *string, words []string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	line := strings.Join(words, " ")
	f.log = append(f.log, strings.TrimSpace(node+" "+*user+": "+line))
	for begin, answer := range f.answers {
		if strings.HasPrefix(line, begin) {
			return answer
		}
	}
	users := f.users[node]
	switch words[0] {
	case "AUTH":
		if !slices.Contains(users[words[1]], hashOf(words[2])) {
			return "-WRONGPASS invalid username-password pair or user is disabled."
		}
		*user = words[1]
		return "+OK"
	case "ACL":
		return acl(users, words[1:])
	}
	return "-ERR unknown command"
}

func acl(users map[string][]string, words []string) string {
	name := words[1]
	switch words[0] {
	case "GETUSER":
		if users[name] == nil {
			return "*-1"
		}
		answer := fmt.Sprintf("*4\r\n+flags\r\n*1\r\n+on\r\n+passwords\r\n*%d", len(users[name]))
		for _, h := range users[name] {
			answer += "\r\n+" + h
		}
		return answer
	case "SETUSER":
		for _, rule := range words[2:] {
			if users[name] = slices.DeleteFunc(users[name], func(h string) bool { return h == rule[1:] }); rule[0] == '#' {
				users[name] = append(users[name], rule[1:])
			}
		}
		return "+OK"
	}
	return "-ERR unknown subcommand"
}

// passwords returns which of some passwords log in at a node.
func (f *fakeRedis) passwords(node, user string, of ...string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var ok []string
	for _, p := range of {
		if slices.Contains(f.users[node][user], hashOf(p)) {
			ok = append(ok, p)
		}
	}
	return ok
}

// take returns what was sent, without node and AUTH's user, and forgets it.
func (f *fakeRedis) take() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	log := f.log
	f.log = nil
	return log
}

const redisSecret = `{"engine":"redis","host":"cache","username":"app","password":"cur","ssl":false}`

// redisStep delivers a step to a secret whose pending password is "new".
func redisStep(t *testing.T, s rotate.Step, f *fakeRedis, o rotate.RedisOptions, fields ...string) error {
	t.Helper()
	var err error
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"m": `{"engine":"redis","host":"cache","username":"admin","password":"root","ssl":false}`})
		srv.Put("s", with(t, redisSecret, "password", "old"))
		cur := with(t, redisSecret, fields...)
		srv.Put("s", cur)
		if o.Dial == nil {
			o.Dial = f.dial
		}
		err = step(t, srv, s, with(t, cur, "password", "new"), rotate.Redis(&o))
	})
	return err
}
