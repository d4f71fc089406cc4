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

// A Snapshot says where and how a [Client] keeps the last confirmed versions of
// its secrets, so that a process can start while the service cannot be asked. It
// is for Options.Snapshot. A Client does not change it.
//
// It is written at most once a minute, where something was confirmed or
// changed, and at Close. It is read only when a cold read, or Prefetch, finds
// nothing reachable: a timeout, a lost connection, throttling, a failure of the
// service or of the credentials. What it holds is then served as an old value
// is in an outage: no longer than MaxStale after the service last confirmed it,
// and checked in the background until the service answers. What the service
// refused is not served, as far as the process knows or knew a minute before it
// ended. Only current versions are kept: [Client.Versions] and other versions
// still need the service, and so does [Client.Refresh].
//
// A snapshot that was altered or cut short, that is of another account, region
// or key, or dated in the future (more than a minute), is ignored, and a record
// logged.
//
// What it costs in safety: with the key, the snapshot is the secrets. Whoever
// reads the store and gets the key has every value until it is rotated, also
// after the permission to read it was withdrawn, and a stolen disk has them
// where only memory had them before. A process that starts in an outage serves
// what it may have lost the permission for. An old snapshot that somebody puts
// back is believed until MaxStale. Let the key come from elsewhere than the
// store; a key that KMS has to decrypt is out of reach in the outage that the
// snapshot is for. Where the secrets can be replicated to another region, that
// is better: it needs no key and keeps permissions, rotation and audit.
type Snapshot struct {
	// Store keeps one snapshot, which is sealed: a file, as package snapshotfile
	// does, an object, a volume. It is required. It need not be safe for
	// concurrent use. A call that does not heed the end of its context is left
	// behind.
	Store interface {
		// ReadSnapshot returns what was last written, fs.ErrNotExist if
		// nothing was.
		ReadSnapshot(context.Context) ([]byte, error)

		// WriteSnapshot replaces it: a later ReadSnapshot returns all of the
		// old or all of the new.
		WriteSnapshot(context.Context, []byte) error
	}

	// AEAD seals the snapshot: AES-GCM of crypto/cipher, or any other with a
	// nonce that may be chosen at random. Either it or Key is required; there is
	// no unencrypted mode. With AES-GCM's nonce of 12 bytes one key serves 4
	// billion snapshots, which a process takes 8,000 years to write and a
	// fleet of 10,000 about 300 days: give each process a key of its own, or
	// change it.
	AEAD cipher.AEAD

	// Key returns the AEAD, when it is first needed. After an error it is called
	// again when it is next needed.
	Key func(context.Context) (cipher.AEAD, error)

	// Account is the id of the AWS account, of 12 digits, in which the names of
	// secrets are looked up: the one that the client's credentials belong to. It
	// is required, and authenticated along with the client's region.
	Account string

	// Wait is how long a cold read asks the service before it is answered with
	// the snapshot, and goes on asking in the background. Within 10 seconds of
	// a read that found nothing reachable others do not wait, unless the service
	// answers meanwhile. The default is 2 seconds. Negative means as long as
	// the request takes, FetchTimeout at most.
	Wait time.Duration
}

// String says that there is a snapshot, and shows no key.
func (s Snapshot) String() string { return "secrets.Snapshot" }

// Format writes what [Snapshot.String] returns, whatever the verb.
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

// check returns an error that names the first field that makes no sense.
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
		return fmt.Errorf("secrets: Options.Snapshot has an Account that is not of 12 digits: %q", s.Account)
	case maxStale == 0:
		return errors.New("secrets: Options.Snapshot has no use where MaxStale is off")
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
