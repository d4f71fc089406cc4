package secrets

import (
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// A Snapshot configures where and how a [Client] stores the versions of its
// secrets. With it a process can start while the service is unavailable. It is
// for Options.Snapshot. A Client does not modify it.
//
// The snapshot holds the current versions that the service last confirmed. It
// is written at most once a minute, if something was confirmed or changed, and
// at Close. It is read only if a cold read or Prefetch cannot reach the
// service: a timeout, a lost connection, throttling, a server error or a
// credentials failure. Its values are then served like old values in an outage:
// for at most MaxStale after the service last confirmed them, with checks in
// the background until the service answers. A secret that the service refused
// is not served from the snapshot, as far as the process knows, or knew up to a
// minute before it ended. Only current versions are stored: [Client.Versions],
// reads of other versions and [Client.Refresh] still need the service.
//
// The client ignores a snapshot, and logs that it does, if it was altered or
// truncated, if it belongs to another account, region or key, or if its date is
// more than a minute in the future.
//
// A snapshot has security costs. Whoever has the store and the key has the
// secrets: every value until it is rotated, even after the permission to read
// it was revoked. A stolen disk contains the encrypted values; without a
// snapshot they exist in memory only. A process that starts in an outage serves
// secrets that it may have lost the permission for. If somebody puts back an
// old snapshot, it is used until MaxStale. Keep the key apart from the store. A
// key that KMS must decrypt may be unavailable in the very outage that the
// snapshot is for. If the secrets can be replicated to another region, prefer
// that: replicas need no key and keep permissions, rotation and audit.
type Snapshot struct {
	// Store holds one encrypted snapshot, in a file as package snapshotfile
	// does, in an object or on a volume. It is required. It need not be safe for
	// concurrent use. If a call ignores its context, the client stops waiting
	// for it.
	Store interface {
		// ReadSnapshot returns what was last written. If nothing was written, it
		// returns fs.ErrNotExist.
		ReadSnapshot(context.Context) ([]byte, error)

		// WriteSnapshot replaces the snapshot atomically: a later ReadSnapshot
		// returns either the complete old or the complete new one.
		WriteSnapshot(context.Context, []byte) error
	}

	// AEAD encrypts the snapshot. Use AES-GCM of crypto/cipher, or any other
	// AEAD whose nonce may be random. Either AEAD or Key is required; there is
	// no unencrypted mode. With AES-GCM's nonce of 12 bytes, one key is good for
	// 4 billion snapshots. One process takes 8,000 years to write them, and a
	// fleet of 10,000 about 300 days: give each process its own key, or change
	// the key.
	AEAD cipher.AEAD

	// Key returns the AEAD. It is called when the AEAD is first needed. After an
	// error it is called again when the AEAD is needed again.
	Key func(context.Context) (cipher.AEAD, error)

	// Account is the 12-digit id of the AWS account in which names of secrets
	// are looked up: the account of the client's credentials. It is required,
	// and is authenticated together with the client's region.
	Account string

	// Wait is how long a cold read waits for the service before it returns a
	// value of the snapshot; the request continues in the background. For 10
	// seconds after a read that could not reach the service, other reads do not
	// wait, unless the service answers in the meantime. The default is 2
	// seconds. Negative means that a read waits as long as the request takes, at
	// most FetchTimeout.
	Wait time.Duration
}

// String returns the type's name, without the key.
func (s Snapshot) String() string { return "secrets.Snapshot" }

// Format writes what [Snapshot.String] returns, for every verb.
func (s Snapshot) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue returns what [Snapshot.String] returns.
func (s Snapshot) LogValue() slog.Value { return slog.StringValue(s.String()) }

const defaultSnapshotWait = 2 * time.Second

func (s *Snapshot) wait() time.Duration {
	if s.Wait == 0 {
		return defaultSnapshotWait
	}
	return s.Wait
}

// check returns an error that names the first invalid field.
func (s *Snapshot) check(maxStale time.Duration) error {
	switch {
	case s == nil:
		return nil
	case s.Store == nil:
		return errors.New("secrets: Options.Snapshot has no Store")
	case s.AEAD == nil && s.Key == nil:
		return errors.New("secrets: Options.Snapshot has neither AEAD nor Key: there is no unencrypted mode")
	case s.AEAD != nil && s.Key != nil:
		return errors.New("secrets: Options.Snapshot has both AEAD and Key")
	case !isAccount(s.Account):
		return fmt.Errorf("secrets: Options.Snapshot.Account is not 12 digits: %q", s.Account)
	case maxStale == 0:
		return errors.New("secrets: Options.Snapshot has no effect while Options.MaxStale is off")
	}
	return nil
}

func isAccount(id string) bool {
	for _, c := range id {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(id) == 12
}
