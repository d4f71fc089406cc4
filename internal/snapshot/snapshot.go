// Package snapshot is the format of a sealed snapshot of secrets: what a
// process writes so that the next one can begin while the service cannot be
// asked. It is pure: bytes in, bytes out. It has no unencrypted form.
//
// A snapshot is one box of an AEAD. Outside are the format's name, the scope
// and the moment of writing, which are authenticated; inside is everything about
// the secrets, their names too. So no record can be changed, left out, or taken
// from another snapshot.
package snapshot

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"strings"
	"time"
)

// A Scope is where names of secrets mean what they mean in a snapshot.
type Scope struct {
	Account string
	Region  string // "" where it is not known
}

// A Record is one version of a secret that was current when it was confirmed.
type Record struct {
	ARN, Name, Version string
	IDs                []string // what the secret was asked for by
	Stages             []string
	Created            int64 // in nanoseconds since 1970, 0: not known
	Confirmed          int64 // when the service last said that it is current, likewise
	Binary             bool
	Value              string
}

// A Snapshot is what is sealed.
type Snapshot struct {
	Scope
	Written int64 // in nanoseconds since 1970
	Records []Record
}

// Skew is how far in the future a snapshot or a confirmation may be: clocks of
// one host are corrected now and then.
const Skew = time.Minute

// MaxSize is the size in bytes of the greatest snapshot that is opened.
const MaxSize = 1 << 28

// The reasons for which a snapshot is not opened. They quote nothing of it.
var (
	ErrFormat  = errors.New("it is no snapshot, or it is truncated")
	ErrTooBig  = errors.New("it is too large")
	ErrScope   = errors.New("it is of another account or region")
	ErrFuture  = errors.New("it is dated in the future")
	ErrSealed  = errors.New("it was altered or truncated, or sealed with another key")
	ErrContent = errors.New("what it holds is not understood")
)

const magic = "secretsnap1\n"

// Seal returns s, sealed with a nonce at random.
func Seal(a cipher.AEAD, s *Snapshot) []byte {
	var plain []byte
	plain = binary.AppendUvarint(plain, uint64(len(s.Records)))
	for i := range s.Records {
		plain = s.Records[i].append(plain)
	}
	out := s.header()
	nonce := make([]byte, a.NonceSize())
	rand.Read(nonce)
	head := out[:len(out):len(out)]
	out = append(out, nonce...)
	return a.Seal(out, nonce, plain, head)
}

// header is what stands in front of the box.
func (s *Snapshot) header() []byte {
	h := []byte(magic)
	h = appendString(h, s.Account)
	h = appendString(h, s.Region)
	return binary.BigEndian.AppendUint64(h, uint64(s.Written))
}

// Open opens what Seal returned for the same scope, before now.
func Open(a cipher.AEAD, data []byte, scope Scope, now time.Time) (*Snapshot, error) {
	if len(data) > MaxSize {
		return nil, ErrTooBig
	}
	rest, ok := strings.CutPrefix(string(data), magic)
	if !ok {
		return nil, ErrFormat
	}
	d := decoder{rest: rest}
	s := &Snapshot{Scope: Scope{d.string(), d.string()}, Written: int64(d.uint64())}
	head := data[:len(data)-len(d.rest)]
	box := []byte(d.rest)
	switch latest := now.Add(Skew).UnixNano(); {
	case d.failed || len(box) < a.NonceSize()+a.Overhead():
		return nil, ErrFormat
	case s.Scope != scope:
		return nil, ErrScope
	case s.Written > latest:
		return nil, ErrFuture
	}
	plain, err := a.Open(nil, box[:a.NonceSize()], box[a.NonceSize():], head)
	if err != nil {
		return nil, ErrSealed
	}
	if s.Records, ok = decode(string(plain), s.Written); !ok {
		return nil, ErrContent
	}
	return s, nil
}

func decode(plain string, written int64) ([]Record, bool) {
	d := decoder{rest: plain}
	n := d.count()
	records := make([]Record, 0, min(n, 1024))
	for range n {
		r := d.record()
		if d.failed || r.Confirmed > written {
			return nil, false
		}
		records = append(records, r)
	}
	return records, !d.failed && d.rest == ""
}

func (r *Record) append(b []byte) []byte {
	b = appendString(b, r.ARN)
	b = appendString(b, r.Name)
	b = appendString(b, r.Version)
	b = appendStrings(b, r.IDs)
	b = appendStrings(b, r.Stages)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Created))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Confirmed))
	if r.Binary {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	return appendString(b, r.Value)
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendStrings(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendString(b, s)
	}
	return b
}

// A decoder takes apart what the append functions made. After a failure it
// returns zeros.
type decoder struct {
	rest   string
	failed bool
}

func (d *decoder) fail() { d.rest, d.failed = "", true }

// count reads a number of things of at least a byte each that follow.
func (d *decoder) count() int {
	n, size := binary.Uvarint([]byte(d.rest[:min(len(d.rest), binary.MaxVarintLen64)]))
	if size <= 0 || n > uint64(len(d.rest)-size) {
		d.fail()
		return 0
	}
	d.rest = d.rest[size:]
	return int(n)
}

func (d *decoder) take(n int) string {
	if n > len(d.rest) {
		d.fail()
		return ""
	}
	s := d.rest[:n]
	d.rest = d.rest[n:]
	return s
}

// string reads a string, of which the rest of the snapshot is no part.
func (d *decoder) string() string { return strings.Clone(d.take(d.count())) }

func (d *decoder) strings() []string {
	var list []string
	for range d.count() {
		list = append(list, d.string())
		if d.failed {
			return nil
		}
	}
	return list
}

func (d *decoder) uint64() uint64 {
	if b := d.take(8); len(b) == 8 {
		return binary.BigEndian.Uint64([]byte(b))
	}
	return 0
}

func (d *decoder) record() Record {
	r := Record{ARN: d.string(), Name: d.string(), Version: d.string(), IDs: d.strings(), Stages: d.strings()}
	r.Created, r.Confirmed = int64(d.uint64()), int64(d.uint64())
	switch d.take(1) {
	case "\x00":
	case "\x01":
		r.Binary = true
	default:
		d.fail()
	}
	r.Value = d.string()
	return r
}
