package secrets_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/internal/snapshot"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// A memStore is a store that outlives its client.
type memStore struct {
	mu     sync.Mutex // guards the fields below
	data   []byte
	writes []time.Time
	reads  int
	err    error
}

func (m *memStore) ReadSnapshot(context.Context) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	switch {
	case m.err != nil:
		return nil, m.err
	case m.data == nil:
		return nil, fs.ErrNotExist
	}
	return bytes.Clone(m.data), nil
}

func (m *memStore) WriteSnapshot(_ context.Context, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes = append(m.writes, time.Now())
	if m.err == nil {
		m.data = bytes.Clone(data)
	}
	return m.err
}

// set changes what is stored.
func (m *memStore) set(change func(data []byte) []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.data = change(m.data)
}

const snapshotAccount = "123456789012"

// gcm returns an AEAD with a key of its own for each byte.
func gcm(key byte) cipher.AEAD {
	block, _ := aes.NewCipher(bytes.Repeat([]byte{key}, 32))
	a, _ := cipher.NewGCM(block)
	return a
}

// sealed are options with a snapshot in m.
func sealed(m *memStore, mode secrets.RefreshMode) *secrets.Options {
	return &secrets.Options{Refresh: mode, Snapshot: &secrets.Snapshot{Store: m, AEAD: gcm(1), Account: snapshotAccount}}
}

// TestSnapshotColdStart kills the process and the region, and starts again.
func TestSnapshotColdStart(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) {
		srv := secretstest.New(t, nil)
		var store memStore
		var names []string
		for i := range 30 {
			names = append(names, fmt.Sprintf("app/%d", i))
			srv.Put(names[i], "value of "+names[i])
		}
		first := open(t, srv.Client(), sealed(&store, mode))
		for _, name := range names {
			checkText(t, first, "before", name, "value of "+name)
		}
		checkText(t, first, "by ARN", srv.ARN("app/3"), "value of app/3")
		time.Sleep(10 * time.Second)
		checkText(t, first, "before", names[0], "value of "+names[0]) // on read, this writes
		synctest.Wait()

		srv.Fail(secretstest.Outage())
		second := open(t, srv.Client(), sealed(&store, mode)) // the first was killed: no Close
		if err := second.Prefetch(t.Context(), names[20:]...); err != nil {
			t.Errorf("Prefetch while nothing is reachable: %v", err)
		}
		for _, name := range names {
			checkText(t, second, "in the outage", name, "value of "+name)
		}
		checkText(t, second, "in the outage", srv.ARN("app/3"), "value of app/3")
		if st := second.Stats(); st.Stale == 0 {
			t.Errorf("restored values do not count as stale: %+v", st)
		}
		if _, err := second.Get(t.Context(), "app/unknown"); err == nil {
			t.Error("a secret that no snapshot holds was read")
		}

		srv.ClearFaults()
		for _, name := range names {
			srv.Put(name, "new")
		}
		for range 20 { // a crowd that fails waits up to 10 minutes, and four fifths of a TTL from the first success on
			for _, name := range names {
				second.Get(t.Context(), name)
			}
			time.Sleep(time.Minute)
		}
		for _, name := range names {
			checkText(t, second, "after the outage", name, "new")
		}
	})
}

// written returns a store with the snapshot of a client that read s, which was
// confirmed the given time ago.
func written(t *testing.T, srv *secretstest.Server, mode secrets.RefreshMode, ago time.Duration) *memStore {
	t.Helper()
	var store memStore
	c := open(t, srv.Client(), sealed(&store, mode))
	checkText(t, c, "before", "s", "one")
	c.Close()
	time.Sleep(ago)
	return &store
}

// dated returns a snapshot of s that was written and confirmed so much later
// than now.
func dated(written, confirmed time.Duration) []byte {
	return snapshot.Seal(gcm(1), &snapshot.Snapshot{
		Scope: snapshot.Scope{Account: snapshotAccount, Region: "us-east-1"}, Written: time.Now().Add(written).UnixNano(),
		Records: []snapshot.Record{{ARN: arnOfS, Name: "s", Version: "v1", IDs: []string{"s"}, Value: "one", Confirmed: time.Now().Add(confirmed).UnixNano()}},
	})
}

func TestSnapshotIgnored(t *testing.T) {
	tests := []struct {
		name   string
		ago    time.Duration
		change func(m *memStore, o *secrets.Options)
		log    string
	}{
		{name: "altered", log: "altered", change: func(m *memStore, _ *secrets.Options) {
			m.set(func(b []byte) []byte { b[len(b)-5] ^= 1; return b })
		}},
		{name: "its date altered", log: "altered", change: func(m *memStore, _ *secrets.Options) {
			m.set(func(b []byte) []byte { b[12+1+12+1+9+7] ^= 1; return b })
		}},
		{name: "truncated", log: "truncated", change: func(m *memStore, _ *secrets.Options) {
			m.set(func(b []byte) []byte { return b[:len(b)/2] })
		}},
		{name: "cut to nothing", log: "no snapshot", change: func(m *memStore, _ *secrets.Options) {
			m.set(func(b []byte) []byte { return []byte{} })
		}},
		{name: "another key", log: "another key", change: func(_ *memStore, o *secrets.Options) { o.Snapshot.AEAD = gcm(2) }},
		{name: "another account", log: "another account", change: func(_ *memStore, o *secrets.Options) { o.Snapshot.Account = "210987654321" }},
		{name: "from the future", log: "future", change: func(m *memStore, _ *secrets.Options) { m.set(func([]byte) []byte { return dated(time.Hour, 0) }) }},
		{name: "confirmed in the future", log: "not understood", change: func(m *memStore, _ *secrets.Options) { m.set(func([]byte) []byte { return dated(0, time.Hour) }) }},
		{name: "past MaxStale", ago: 36 * time.Hour},
		{name: "a store that fails", log: "no disk", change: func(m *memStore, _ *secrets.Options) { m.err = errors.New("no disk") }},
		{name: "a key that fails", log: "no key", change: func(_ *memStore, o *secrets.Options) {
			o.Snapshot.AEAD, o.Snapshot.Key = nil, func(context.Context) (cipher.AEAD, error) { return nil, errors.New("no key") }
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) {
				srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
				store := written(t, srv, mode, test.ago)
				srv.Fail(secretstest.Outage())
				var log journal
				o := sealed(store, mode)
				o.Logger = log.logger()
				if test.change != nil {
					test.change(store, o)
				}
				c := open(t, srv.Client(), o)
				if s, err := c.Get(t.Context(), "s"); err == nil {
					t.Errorf("got %v from a snapshot that is to be ignored", s)
				}
				synctest.Wait()
				if got := log.String(); !strings.Contains(got, test.log) || test.log != "" && !strings.Contains(got, "snapshot ignored") {
					t.Errorf("the log does not say why: %s", got)
				} else if strings.Contains(got, "one") && strings.Contains(got, "SecretString") {
					t.Errorf("the log has a value: %s", got)
				}
			})
		})
	}
}

// TestSnapshotRefused has the service refuse a secret before the outage.
func TestSnapshotRefused(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "one", "t": "two"})
		var store memStore
		first := open(t, srv.Client(), sealed(&store, mode))
		checkText(t, first, "before", "s", "one")
		checkText(t, first, "before", "t", "two")
		first.Close()

		denied := secretstest.Fault{Op: "GetSecretValue", Secret: "s", Code: "AccessDeniedException", Times: secretstest.Always}
		srv.Fail(denied)
		second := open(t, srv.Client(), sealed(&store, mode))
		if _, err := second.Get(t.Context(), "s"); err == nil {
			t.Fatal("a read that is denied succeeded")
		}
		srv.ClearFaults()
		srv.Fail(secretstest.Outage())
		time.Sleep(time.Minute) // the negative cache has forgotten
		for _, id := range []string{"s", srv.ARN("s")} {
			if s, err := second.Get(t.Context(), id); err == nil && id == "s" {
				t.Errorf("Get(%q) after a no = %v, from the snapshot", id, s)
			}
		}
		checkText(t, second, "in the outage", "t", "two")
		second.Close()

		third := open(t, srv.Client(), sealed(&store, mode))
		if s, err := third.Get(t.Context(), "s"); err == nil {
			t.Errorf("a later process has %v, which was refused", s)
		}
		checkText(t, third, "in the outage", "t", "two")
	})
}

// TestSnapshotAnswers has the region come back with a no, and with a secret that
// was recreated.
func TestSnapshotAnswers(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) {
		s := newService("denied", "recreated")
		var store memStore
		o := sealed(&store, mode)
		first := newClient(t, s, o)
		text(t, first, "denied")
		text(t, first, "recreated")
		first.Close()
		s.fail(errors.New("connection refused"))
		o = sealed(&store, mode)
		second := newClient(t, s, o)
		text(t, second, "denied")
		text(t, second, "recreated")
		s.on(func(id, _ string) error {
			if strings.Contains(id, "denied") {
				return coded("AccessDeniedException")
			}
			return nil
		}, nil)
		s.add("recreated", "abcdef", "new")
		for range 20 {
			time.Sleep(time.Second)
			second.Get(t.Context(), "denied")
			second.Get(t.Context(), "recreated")
		}
		if v, err := second.Get(t.Context(), "denied"); err == nil {
			t.Errorf("a restored value outlives a no: %v", v)
		}
		checkText(t, second, "recreated", "recreated", "new")
	})
}

// TestSnapshotBlackHole has a service that never answers.
func TestSnapshotBlackHole(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) {
		s := newService("a", "b", "c", "d")
		var store memStore
		first := newClient(t, s, sealed(&store, mode))
		for _, id := range []string{"a", "b", "c"} {
			text(t, first, id)
		}
		first.Close()
		s.latency = time.Hour
		second := newClient(t, s, sealed(&store, mode))
		began := time.Now()
		for _, id := range []string{"a", "b", "c"} {
			text(t, second, id)
		}
		if d := time.Since(began); d != 2*time.Second {
			t.Errorf("three reads took %v, want the wait of the first", d)
		}
		if _, err := second.Get(t.Context(), "d"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a secret that the snapshot does not hold: %v", err)
		}
		second.Close()
	})
}

// TestSnapshotWrites counts writes.
func TestSnapshotWrites(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) {
		srv := secretstest.New(t, nil)
		var store memStore
		c := open(t, srv.Client(), sealed(&store, mode))
		for i := range 300 {
			srv.Put("s", fmt.Sprint(i))
			c.Refresh(t.Context(), "s")
			time.Sleep(time.Second)
		}
		synctest.Wait()
		for i := 1; i < len(store.writes); i++ {
			if d := store.writes[i].Sub(store.writes[i-1]); d < time.Minute {
				t.Errorf("written again after %v", d)
			}
		}
		if n := len(store.writes); n < 4 {
			t.Errorf("written %d times in five minutes", n)
		}
		srv.Put("s", "last")
		c.Refresh(t.Context(), "s")
		c.Close()
		c.Close()
		n := len(store.writes)
		srv.Fail(secretstest.Outage())
		checkText(t, open(t, srv.Client(), sealed(&store, mode)), "after Close", "s", "last")
		if n2 := len(store.writes); n2 != n {
			t.Errorf("a process that has learned nothing wrote a snapshot")
		}
	})
}

// TestSnapshotKeepsUnread has a process that reads one of two secrets.
func TestSnapshotKeepsUnread(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "one", "t": "two"})
		var store memStore
		for _, ids := range [][]string{{"s", "t"}, {"t"}} {
			c := open(t, srv.Client(), sealed(&store, mode))
			for _, id := range ids {
				c.Get(t.Context(), id)
			}
			c.Close()
		}
		srv.Fail(secretstest.Outage())
		c := open(t, srv.Client(), sealed(&store, mode))
		checkText(t, c, "not read by the last process", "s", "one")
		time.Sleep(36 * time.Hour)
		if s, err := c.Get(t.Context(), "s"); err == nil {
			t.Errorf("got %v past MaxStale", s)
		}
	})
}

// TestSnapshotStoreMisbehaves has a store that panics, ends its goroutine or
// ignores its context: reads of the service go on.
func TestSnapshotStoreMisbehaves(t *testing.T) {
	for name, do := range map[string]func(){"panics": func() { panic("hunter2") }, "hangs": func() { time.Sleep(time.Minute) }} {
		synctest.Test(t, func(t *testing.T) {
			srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
			var log journal
			o := sealed(nil, secrets.RefreshAhead)
			o.Snapshot.Store, o.Logger = storeFunc(do), log.logger()
			c := open(t, srv.Client(), o)
			checkText(t, c, name, "s", "one")
			time.Sleep(time.Minute)
			if got := log.String(); !strings.Contains(got, "snapshot not written") || strings.Contains(got, "hunter2") {
				t.Errorf("%s: the log has %s", name, got)
			}
			c.Close()
			time.Sleep(2 * time.Minute) // what hangs ends
		})
	}
}

// A storeFunc does something to every caller.
type storeFunc func()

func (f storeFunc) ReadSnapshot(context.Context) ([]byte, error) { f(); return nil, fs.ErrNotExist }
func (f storeFunc) WriteSnapshot(context.Context, []byte) error  { f(); return nil }

func TestSnapshotOptions(t *testing.T) {
	key := func(context.Context) (cipher.AEAD, error) { return gcm(1), nil }
	good := secrets.Snapshot{Store: &memStore{}, AEAD: gcm(1), Account: snapshotAccount}
	for name, change := range map[string]func(*secrets.Options){
		"no store":    func(o *secrets.Options) { o.Snapshot.Store = nil },
		"no key":      func(o *secrets.Options) { o.Snapshot.AEAD = nil },
		"two keys":    func(o *secrets.Options) { o.Snapshot.Key = key },
		"no account":  func(o *secrets.Options) { o.Snapshot.Account = "" },
		"an account":  func(o *secrets.Options) { o.Snapshot.Account = "12345678901x" },
		"no MaxStale": func(o *secrets.Options) { o.MaxStale = -1 },
	} {
		snap := good
		o := &secrets.Options{Snapshot: &snap}
		change(o)
		if c, err := secrets.New(newService(), o); err == nil || c != nil || !strings.Contains(err.Error(), "Options.Snapshot") {
			t.Errorf("%s: New = %v, %v", name, c, err)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%d"} {
		if got := fmt.Sprintf(verb, good); got != "secrets.Snapshot" {
			t.Errorf("%s of a Snapshot is %q", verb, got)
		}
	}
}
