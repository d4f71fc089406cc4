package redistest

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/seed-74dc7b3e/secrets/internal/resp"
	"github.com/seed-74dc7b3e/secrets/rotate"
)

var errCut = errors.New("cut off")

// A cutter cuts the network off at one of its points: a dial, or a command
// before or after it is sent.
type cutter struct {
	at   int64 // the point; negative: none
	seen atomic.Int64
}

// point reports whether the network is cut off here, or was before.
func (c *cutter) point() bool {
	n := c.seen.Add(1) - 1
	return c.at >= 0 && n >= c.at
}

func (c *cutter) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if c.point() {
		return nil, errCut
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return cutConn{conn, c}, nil
}

type cutConn struct {
	net.Conn
	c *cutter
}

func (c cutConn) Write(b []byte) (int, error) {
	if c.c.point() {
		return 0, errCut
	}
	n, err := c.Conn.Write(b)
	if err == nil && c.c.point() {
		// The server has carried it out, and its answer is lost.
		buf := make([]byte, 1)
		_, _ = c.Conn.Read(buf)
		return n, errCut
	}
	return n, err
}

// logsIn says whether the version with a label logs in.
func (r *rig) logsIn(stage string) bool {
	r.Helper()
	out, err := r.srv.Client().GetSecretValue(r.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String(secretID), VersionStage: &stage})
	if err != nil {
		r.Fatal(err)
	}
	password, err := rotate.Text(*out.SecretString).Field("password")
	if err != nil {
		r.Fatal(err)
	}
	conn, err := net.Dial("tcp", r.s.Addr())
	if err != nil {
		r.Fatal(err)
	}
	defer conn.Close()
	_, err = resp.New(conn).Do("AUTH", r.user, password)
	if err != nil && !resp.Refused(err) {
		r.Fatal(err)
	}
	return err == nil
}

// TestRotatorInterrupted cuts a rotation off at every point. At every moment
// AWSCURRENT logs in, and the rotation can be finished.
func TestRotatorInterrupted(t *testing.T) {
	t.Parallel()
	r := newRig(t, redis.Server(t), nil)
	run := func(c *cutter) error {
		h := rotate.Handler{
			API: r.srv.Client(), MaxLag: -1, ResumeAfter: -1,
			Rotator: rotate.Redis(&rotate.RedisOptions{Dial: c.dial}),
		}
		_, err := h.Run(t.Context(), secretID)
		return err
	}
	all := &cutter{at: -1}
	if err := run(all); err != nil {
		t.Fatal(err)
	}
	points := all.seen.Load()
	if points < 30 {
		t.Fatalf("%d points, want more", points)
	}
	for at := range points {
		if err := run(&cutter{at: at}); !errors.Is(err, errCut) {
			t.Fatalf("point %d: got %v, want it cut off", at, err)
		}
		if !r.logsIn("AWSCURRENT") {
			t.Fatalf("point %d: AWSCURRENT does not log in", at)
		}
		if err := run(&cutter{at: -1}); err != nil {
			t.Fatalf("point %d: again: %v", at, err)
		}
		if !r.logsIn("AWSCURRENT") || !r.logsIn("AWSPREVIOUS") {
			t.Fatalf("point %d: AWSCURRENT and AWSPREVIOUS do not both log in", at)
		}
		list, err := r.s.Redis("ACL", "LIST")
		if err != nil {
			t.Fatal(err)
		}
		if got := len(hashes(list, r.user)); got != 2 {
			t.Fatalf("point %d: the user has %d passwords, want 2", at, got)
		}
	}
	t.Logf("%d points", points)
}
