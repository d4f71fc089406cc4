package migration

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// The stand-in does what the published source says: labels are asked for between
// half the TTL and all of it after the last time, a value is fetched once a
// version, and a failed refresh leaves the old value and is repeated at the next
// read.
func TestPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{login: oldLogin})
		p := newPeer(srv.Client())
		read := func(wantText string, describes, gets int) {
			t.Helper()
			got, err := p.text(t.Context(), login, "AWSCURRENT")
			if got != wantText || err != nil {
				t.Errorf("read %q, %v; want %q", got, err, wantText)
			}
			if d, g := srv.Count(secretstest.Call{Op: "DescribeSecret"}), srv.Count(secretstest.Call{Op: "GetSecretValue"}); d != describes || g != gets {
				t.Errorf("%d and %d calls, want %d and %d", d, g, describes, gets)
			}
		}
		read(oldLogin, 1, 1)
		srv.Put(login, newLogin)
		time.Sleep(itemTTL/2 - time.Second)
		read(oldLogin, 1, 1)
		time.Sleep(itemTTL/2 + time.Second)
		read(newLogin, 2, 2)

		end := srv.RegionOutage(secretstest.DefaultRegion)
		time.Sleep(itemTTL)
		for range 2 {
			srv.ResetCalls()
			if got, err := p.text(t.Context(), login, "AWSCURRENT"); got != newLogin || err != nil {
				t.Errorf("in an outage: %q, %v; want the old value", got, err)
			}
			if n := srv.Count(secretstest.Call{}); n == 0 {
				t.Error("a read in an outage did not ask")
			}
			time.Sleep(time.Millisecond)
		}
		end()
		srv.ResetCalls()
		read(newLogin, 1, 0)
	})
}

// Values of all kinds are what the getters of that client make of them.
func TestPeerKinds(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{login: oldLogin})
	srv.PutBinary("binary", []byte{1, 2})
	p := newPeer(srv.Client())
	if _, err := p.bytes(t.Context(), login); err == nil {
		t.Error("the bytes of a text secret: no error")
	}
	if _, err := p.text(t.Context(), "binary", "AWSCURRENT"); err == nil {
		t.Error("the text of a binary secret: no error")
	}
	if b, err := p.bytes(t.Context(), "binary"); err != nil || len(b) != 2 {
		t.Errorf("the bytes of a binary secret: %d bytes, %v; want 2", len(b), err)
	}
	if _, err := p.text(t.Context(), login, "NOSUCH"); err == nil {
		t.Error("a label that no version has: no error")
	}
}
