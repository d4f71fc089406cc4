package redistest

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
	"github.com/seed-74dc7b3e/secrets/internal/dbserver/dbtest"
	"github.com/seed-74dc7b3e/secrets/rotate"
)

// newCluster makes a cluster of masters that share the slots.
func newCluster(t *testing.T, n int) []*dbserver.Server {
	t.Helper()
	var nodes []*dbserver.Server
	var bus []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
		l.Close()
		nodes = append(nodes, dbtest.Redis(t, &dbserver.Options{Settings: []string{"cluster-enabled=yes", "cluster-port=" + port}}))
		bus = append(bus, port)
	}
	const slots = 16384
	for i, s := range nodes {
		must(t, s, "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*slots/n), strconv.Itoa((i+1)*slots/n-1))
		must(t, s, "CONFIG", "SET", "masteruser", s.AdminUser)
		if i > 0 {
			must(t, nodes[0], "CLUSTER", "MEET", s.Host, strconv.Itoa(s.Port), bus[i])
		}
	}
	for end := time.Now().Add(30 * time.Second); !slices.Equal(states(t, nodes), slices.Repeat([]string{"ok"}, n)); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the cluster did not come together: %v", states(t, nodes))
		}
	}
	return nodes
}

// states says of each node "ok", or why not.
func states(t *testing.T, nodes []*dbserver.Server) []string {
	t.Helper()
	var all []string
	for _, s := range nodes {
		info, _ := must(t, s, "CLUSTER", "INFO").(string)
		state := "not ok"
		if strings.Contains(info, "cluster_state:ok") && strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d\r\n", len(nodes))) {
			state = "ok"
		}
		all = append(all, state)
	}
	return all
}

func must(t *testing.T, s *dbserver.Server, args ...string) any {
	t.Helper()
	reply, err := s.Redis(args...)
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return reply
}

// One dialer serves all nodes of a cluster. The rotator changes the password at
// each of them, and commands go on; so they do where the nodes have a single
// password that changes at one after the other.
func TestCluster(t *testing.T) {
	t.Parallel()
	nodes := newCluster(t, 3)
	r := newRig(t, nodes[0], nil)
	// Each node has users and an administrator of its own.
	password, err := rotate.Text(r.currentText()).Field("password")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range nodes {
		must(t, s, "ACL", "SETUSER", r.user, "on", ">"+password, "~*", "+@all")
		must(t, s, "ACL", "SETUSER", r.s.AdminUser, ">"+r.s.AdminPassword)
	}
	c := goredis.NewClusterClient(&goredis.ClusterOptions{
		Addrs: []string{nodes[0].Addr()}, Dialer: r.dialer.DialContext, DialerRetries: 1, MaxRedirects: -1, MaxRetries: -1,
		ConnMaxLifetime: 30 * time.Millisecond,
	})
	defer c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for w := range 6 {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if err := c.Set(t.Context(), fmt.Sprint("key", w, "-", i), "v", time.Minute).Err(); err != nil {
					t.Errorf("command: %v", err)
					return
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	for range 3 {
		r.rotate()
		time.Sleep(50 * time.Millisecond)
	}
	for _, s := range nodes {
		user := must(t, s, "ACL", "LIST")
		if got := len(hashes(user, r.user)); got != 2 {
			t.Errorf("%s: the user has %d passwords, want 2", s.Addr(), got)
		}
		if n, err := s.RefusedLogins(r.user); err != nil || n != 3 {
			t.Errorf("%s: got %d wrong logins, %v, want those of setSecret, 3", s.Addr(), n, err)
		}
	}
	for range 3 {
		single(r, nodes)
	}
	cancel()
	wg.Wait()
	for _, s := range nodes {
		if n, err := s.RefusedLogins(r.user); err != nil || n > 6 {
			t.Errorf("%s: got %d wrong logins, %v, want at most one more in each rotation", s.Addr(), n, err)
		}
	}
}

// single replaces the password of a rig's user at one node after the other.
func single(r *rig, nodes []*dbserver.Server) {
	r.Helper()
	next := fmt.Sprint("single", time.Now().UnixNano())
	id := r.srv.PutPending(secretID, r.secret(next))
	for _, s := range nodes {
		must(r.T, s, "ACL", "SETUSER", r.user, "resetpass", ">"+next)
		time.Sleep(50 * time.Millisecond)
	}
	r.srv.MoveStage(secretID, "AWSCURRENT", id)
	time.Sleep(50 * time.Millisecond)
}

// hashes returns the passwords of a user in an answer to ACL LIST.
func hashes(list any, user string) []string {
	var all []string
	items, _ := list.([]any)
	for _, line := range items {
		f := strings.Fields(line.(string))
		if len(f) < 2 || f[1] != user {
			continue
		}
		for _, rule := range f {
			if rule[0] == '#' {
				all = append(all, rule)
			}
		}
	}
	return all
}
