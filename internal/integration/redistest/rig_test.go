package redistest

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
	"github.com/seed-74dc7b3e/secrets/internal/dbserver/dbtest"
	"github.com/seed-74dc7b3e/secrets/internal/integration/redisclients"
	"github.com/seed-74dc7b3e/secrets/rediscred"
	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

var (
	redis = dbtest.SharedRedis(nil)
	users atomic.Int32 // how many were made
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

const (
	secretID = "prod/redis"
	masterID = "prod/redis-master"
)

// A rig is a user of a server, and the secret of that user.
type rig struct {
	*testing.T
	s      *dbserver.Server
	user   string
	srv    *secretstest.Server
	client *secrets.Client
	dialer *rediscred.Dialer
	dials  sync.RWMutex // held for reading by each dial of a pool
}

func newRig(t *testing.T, s *dbserver.Server, o *rediscred.Options) *rig {
	t.Helper()
	r := &rig{T: t, s: s, user: fmt.Sprint("app", users.Add(1))}
	password := rand.Text()
	r.acl("SETUSER", r.user, "on", ">"+password, "~*", "+@all", "-@dangerous", "+client|id")
	r.srv = secretstest.New(t, secretstest.Secrets{
		secretID: r.secret(password),
		masterID: fmt.Sprintf(`{"engine":"redis","host":%q,"port":%d,"username":%q,"password":%q,"ssl":false}`, s.Host, s.Port, s.AdminUser, s.AdminPassword),
	})
	var err error
	r.client, err = secrets.New(r.srv.Client(), &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.client.Close() })
	r.dialer = rediscred.New(r.client, secretID, o)
	t.Cleanup(func() { r.dialer.Close() })
	return r
}

// acl sends an ACL command as the server's administrator.
func (r *rig) acl(args ...string) {
	r.Helper()
	if _, err := r.s.Redis(append([]string{"ACL"}, args...)...); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) secret(password string) string {
	return fmt.Sprintf(`{"engine":"redis","host":%q,"port":%d,"username":%q,"password":%q,"masterarn":%q,"ssl":false}`,
		r.s.Host, r.s.Port, r.user, password, masterID)
}

// rotate rotates the secret with package rotate, and lets the client know.
func (r *rig) rotate() {
	r.Helper()
	if err := rotate.Run(r.Context(), r.srv.Client(), secretID, rotate.Redis(nil)); err != nil {
		r.Fatal(err)
	}
	if err := r.client.Refresh(r.Context(), secretID); err != nil {
		r.Fatal(err)
	}
}

// rotateSingle replaces the only password, and calls during before the label
// moves.
func (r *rig) rotateSingle(during func()) {
	r.Helper()
	password := rand.Text()
	id := r.srv.PutPending(secretID, r.secret(password))
	r.acl("SETUSER", r.user, "resetpass", ">"+password)
	during()
	r.srv.MoveStage(secretID, "AWSCURRENT", id)
}

func (r *rig) wrongLogins() int {
	r.Helper()
	n, err := r.s.RefusedLogins(r.user)
	if err != nil {
		r.Fatal(err)
	}
	return n
}

func (r *rig) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	r.dials.RLock()
	defer r.dials.RUnlock()
	return r.dialer.DialContext(ctx, network, addr)
}

// settle waits for the dials that are under way. On a busy machine one may take
// longer than a rotation, and would send a password that went two rotations ago.
func (r *rig) settle() {
	r.dials.Lock()
	defer r.dials.Unlock()
}

// pool makes a client whose connections live shortly.
func (r *rig) pool(k redisclients.Kind, lifetime time.Duration) redisclients.Client {
	r.Helper()
	c, err := k.New(redisclients.Options{Addr: r.s.Addr(), Dial: r.dial, Size: 10, Lifetime: lifetime})
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { c.Close() })
	return c
}

// load has goroutines send commands until the function that it returns is
// called, which returns how many they sent. Each failure is one of the test.
func (r *rig) load(c redisclients.Client, workers int) (stop func() int) {
	ctx, cancel := context.WithCancel(r.Context())
	var sent atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := c.Ping(r.Context()); err != nil {
					r.Errorf("command: %v", err)
					return
				}
				sent.Add(1)
				time.Sleep(time.Millisecond)
			}
		})
	}
	return func() int { cancel(); wg.Wait(); return int(sent.Load()) }
}

// each runs a test for every client.
func each(t *testing.T, test func(*testing.T, redisclients.Kind)) {
	for _, k := range redisclients.Kinds {
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			test(t, k)
		})
	}
}
