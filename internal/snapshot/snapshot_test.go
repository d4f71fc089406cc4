package snapshot_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/snapshot"
)

func gcm(key byte) cipher.AEAD {
	block, _ := aes.NewCipher(bytes.Repeat([]byte{key}, 32))
	a, _ := cipher.NewGCM(block)
	return a
}

// ownNonce is an AEAD that makes its nonces itself.
func ownNonce(key byte) cipher.AEAD {
	block, _ := aes.NewCipher(bytes.Repeat([]byte{key}, 32))
	a, _ := cipher.NewGCMWithRandomNonce(block)
	return a
}

var (
	now   = time.Unix(1_800_000_000, 0)
	scope = snapshot.Scope{Account: "123456789012", Region: "eu-west-1"}
)

const arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-AbCdEf"

func two() *snapshot.Snapshot {
	return &snapshot.Snapshot{Scope: scope, Written: now.UnixNano(), Records: []snapshot.Record{
		{ARN: arn, Name: "prod/db", Version: "v1", IDs: []string{"prod/db", "alias"}, Stages: []string{"AWSCURRENT"}, Created: 5, Confirmed: now.Add(-time.Hour).UnixNano(), Value: "hunter2"},
		{ARN: strings.Replace(arn, "prod/db", "bin", 1), Name: "bin", Version: "v2", Confirmed: now.UnixNano(), Binary: true, Value: "\x00\xff"},
	}}
}

func TestSealOpen(t *testing.T) {
	for name, a := range map[string]cipher.AEAD{"GCM": gcm(1), "GCM with nonces of its own": ownNonce(1)} {
		box := snapshot.Seal(a, two())
		for _, part := range []string{"hunter2", "prod/db", "v1", "AWSCURRENT"} {
			if bytes.Contains(box, []byte(part)) {
				t.Errorf("%s: the sealed snapshot shows %q", name, part)
			}
		}
		got, err := snapshot.Open(a, box, scope, now)
		if err != nil || !reflect.DeepEqual(got, two()) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
		if bytes.Equal(box, snapshot.Seal(a, two())) {
			t.Errorf("%s: a nonce was used twice", name)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	box := snapshot.Seal(gcm(1), two())
	future := two()
	future.Written = now.Add(2 * time.Minute).UnixNano()
	confirmed := two()
	confirmed.Records[0].Confirmed = confirmed.Written + 1
	tests := []struct {
		name string
		key  byte
		box  []byte
		in   snapshot.Scope
		want error
	}{
		{"nothing", 1, nil, scope, snapshot.ErrFormat},
		{"something else", 1, []byte("{}"), scope, snapshot.ErrFormat},
		{"the head alone", 1, box[:40], scope, snapshot.ErrFormat},
		{"another key", 2, box, scope, snapshot.ErrSealed},
		{"another account", 1, box, snapshot.Scope{Account: "210987654321", Region: scope.Region}, snapshot.ErrScope},
		{"another region", 1, box, snapshot.Scope{Account: scope.Account, Region: "us-east-1"}, snapshot.ErrScope},
		{"from the future", 1, snapshot.Seal(gcm(1), future), scope, snapshot.ErrFuture},
		{"confirmed after it was written", 1, snapshot.Seal(gcm(1), confirmed), scope, snapshot.ErrContent},
		{"too large", 1, make([]byte, snapshot.MaxSize+1), scope, snapshot.ErrTooBig},
	}
	for _, test := range tests {
		if s, err := snapshot.Open(gcm(test.key), test.box, test.in, now); err != test.want || s != nil {
			t.Errorf("%s: got %v, %v; want %v", test.name, s, err, test.want)
		}
	}
}

// TestOpenAltered changes every bit, and cuts at every byte.
func TestOpenAltered(t *testing.T) {
	box := snapshot.Seal(gcm(1), two())
	for i := range box {
		for bit := range 8 {
			b := bytes.Clone(box)
			b[i] ^= 1 << bit
			if s, err := snapshot.Open(gcm(1), b, scope, now); err == nil {
				t.Fatalf("byte %d, bit %d altered: got %v", i, bit, s)
			}
		}
		if s, err := snapshot.Open(gcm(1), box[:i], scope, now); err == nil {
			t.Fatalf("cut at %d: got %v", i, s)
		}
	}
	if s, err := snapshot.Open(gcm(1), append(bytes.Clone(box), 0), scope, now); err == nil {
		t.Errorf("something appended: got %v", s)
	}
}

func TestNames(t *testing.T) {
	r := two().Records[0]
	for id, want := range map[string]bool{
		arn: true, "prod/db": true, "alias": true, strings.TrimSuffix(arn, "-AbCdEf"): true,
		"prod": false, "": false, strings.Replace(arn, "123456789012", "210987654321", 1): false, arn + "x": false,
	} {
		if got := r.Names(id, scope); got != want {
			t.Errorf("Names(%q) = %t, want %t", id, got, want)
		}
	}
	r.IDs = nil
	for name, in := range map[string]snapshot.Scope{
		"another account": {Account: "210987654321", Region: "eu-west-1"}, "another region": {Account: "123456789012", Region: "us-east-1"},
	} {
		if r.Names("prod/db", in) || !r.Names(arn, in) {
			t.Errorf("%s: a name means another secret there, an ARN does not", name)
		}
	}
}

func TestMerge(t *testing.T) {
	old := two().Records
	newer := old[0]
	newer.Version, newer.Confirmed = "v9", now.UnixNano()
	recreated := newer
	recreated.ARN = strings.Replace(arn, "AbCdEf", "GhIjKl", 1)
	long := now.Add(-2 * time.Hour)
	tests := []struct {
		name    string
		cached  []snapshot.Record
		refused snapshot.Refused
		oldest  time.Time
		size    int
		want    []string
	}{
		{"nothing cached", nil, nil, long, 9, []string{"v2", "v1"}},
		{"one cached", []snapshot.Record{newer}, nil, long, 9, []string{"v9", "v2"}},
		{"one recreated", []snapshot.Record{recreated}, nil, long, 9, []string{"v9", "v2"}},
		{"refused by name", nil, snapshot.Refused{"prod/db": {}}, long, 9, []string{"v2"}},
		{"refused by a former name", nil, snapshot.Refused{"alias": {}}, long, 9, []string{"v2"}},
		{"refused by part of its ARN", nil, snapshot.Refused{strings.TrimSuffix(arn, "-AbCdEf"): {}}, long, 9, []string{"v2"}},
		{"refused by its key", nil, snapshot.Refused{old[0].Key(): {}}, long, 9, []string{"v2"}},
		{"too old", nil, nil, now.Add(-time.Hour), 9, []string{"v2"}},
		{"no room", nil, nil, long, 1, []string{"v2"}},
	}
	for _, test := range tests {
		var got []string
		for _, r := range snapshot.Merge(test.cached, old, test.refused, test.oldest, test.size) {
			got = append(got, r.Version)
		}
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

// A clear seals nothing, so that a fuzzer can reach what is inside.
type clear struct{}

func (clear) NonceSize() int                             { return 0 }
func (clear) Overhead() int                              { return 0 }
func (clear) Seal(dst, _, plain, _ []byte) []byte        { return append(dst, plain...) }
func (clear) Open(dst, _, box, _ []byte) ([]byte, error) { return append(dst, box...), nil }

func FuzzOpen(f *testing.F) {
	f.Add(snapshot.Seal(clear{}, two()))
	f.Add(snapshot.Seal(clear{}, &snapshot.Snapshot{Scope: scope}))
	f.Add([]byte("secretsnap1\n\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := snapshot.Open(clear{}, data, scope, now)
		if err != nil {
			if s != nil {
				t.Errorf("an error and a snapshot")
			}
			return
		}
		again, err := snapshot.Open(clear{}, snapshot.Seal(clear{}, s), scope, now)
		if err != nil || !reflect.DeepEqual(again, s) && len(s.Records) > 0 {
			t.Errorf("sealed again it is %+v, %v; was %+v", again, err, s)
		}
	})
}
