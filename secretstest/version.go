package secretstest

import (
	"bytes"
	"slices"
	"time"
)

// The staging labels that the service itself moves.
const (
	stageCurrent  = "AWSCURRENT"
	stagePrevious = "AWSPREVIOUS"
	stagePending  = "AWSPENDING"
)

// A version is one value of a secret. Its value never changes once it is set.
type version struct {
	id       string
	seq      uint64 // ascending by creation; the first is 1
	value    value
	created  time.Time
	accessed time.Time // cut to the day; zero before the first read
	kmsKeyID string
	stages   []string // in the order in which they were attached
}

// A value is the content of a version. Both parts are empty in a version that a
// rotation has added but not yet filled.
type value struct {
	text   *string
	binary []byte // nil unless the value is binary
}

func (v value) empty() bool { return v.text == nil && v.binary == nil }

func (v value) equal(w value) bool {
	if (v.text == nil) != (w.text == nil) || (v.binary == nil) != (w.binary == nil) {
		return false
	}
	return bytes.Equal(v.binary, w.binary) && (v.text == nil || *v.text == *w.text)
}

func (v *version) has(stage string) bool { return slices.Contains(v.stages, stage) }

// A versionEntry is an entry of ListSecretVersionIds.
type versionEntry struct {
	VersionID        string   `json:"VersionId"`
	VersionStages    []string `json:",omitempty"`
	KmsKeyIDs        []string `json:"KmsKeyIds"`
	CreatedDate      epoch
	LastAccessedDate epoch `json:",omitzero"`
}

func (v *version) entry() versionEntry {
	key := "DefaultEncryptionKey"
	if v.kmsKeyID != "" {
		key = v.kmsKeyID
	}
	return versionEntry{
		VersionID:        v.id,
		VersionStages:    slices.Clone(v.stages),
		KmsKeyIDs:        []string{key},
		CreatedDate:      epoch(v.created),
		LastAccessedDate: epoch(v.accessed),
	}
}

func textValue(s string) value { return value{text: &s} }

func binaryValue(b []byte) value { return value{binary: append([]byte{}, b...)} }

func (v value) size() int {
	if v.text != nil {
		return len(*v.text)
	}
	return len(v.binary)
}
