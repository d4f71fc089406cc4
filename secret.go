package secrets

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// A Secret is one version of a secret. It is immutable and safe for concurrent
// use by multiple goroutines.
//
// Only [Secret.Text] and [Secret.Bytes] return the value. Package fmt, log/slog
// and encoding/json show the secret's name and version id instead, also if the
// Secret is part of another value.
type Secret struct {
	// A pointer, because package fmt prints the fields of a struct in an
	// unexported field without calling its methods. It follows no pointer there,
	// except one if the verb does not fit, so the value is behind two pointers.
	v *version
}

// version holds the contents of a Secret.
type version struct {
	name    string
	arn     string
	id      string
	value   *string
	stages  *[]string // often shared; never changed
	created int64     // in nanoseconds since 1970, 0 if it is not known
	binary  bool      // value is a SecretBinary
	unnamed bool      // name is the id that was asked for: the answer had no name
	replica bool      // it is from a replica, which may lag
}

// Name returns the secret's name.
func (s *Secret) Name() string { return s.version().name }

// ARN returns the secret's full ARN.
func (s *Secret) ARN() string { return s.version().arn }

// VersionID returns the version's id.
func (s *Secret) VersionID() string { return s.version().id }

// Stages returns the staging labels that the version had when it was fetched.
// They may have moved since.
func (s *Secret) Stages() []string { return slices.Clone(*s.version().stages) }

// CreatedDate returns when the version was created. It is the zero time if the
// service did not say.
func (s *Secret) CreatedDate() time.Time {
	if s.version().created == 0 {
		return time.Time{}
	}
	return time.Unix(0, s.v.created)
}

// IsBinary reports whether the value is a SecretBinary.
func (s *Secret) IsBinary() bool { return s.version().binary }

// Text returns the value of a text secret, its SecretString. For a binary
// secret it returns an error.
func (s *Secret) Text() (string, error) {
	if s.IsBinary() {
		return "", fmt.Errorf("secrets: %q version %s is binary, not text", s.v.name, s.v.id)
	}
	return *s.v.value, nil
}

// Bytes returns a copy of the value of a text or binary secret.
func (s *Secret) Bytes() []byte {
	return []byte(*s.version().value)
}

// String returns the secret's name and version id.
func (s *Secret) String() string {
	if s == nil || s.v == nil {
		return "secrets.Secret(none)"
	}
	return fmt.Sprintf("secrets.Secret(%q version %s, value not shown)", s.v.name, s.v.id)
}

// Format writes what [Secret.String] returns, for every verb.
func (s *Secret) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// GoString returns what [Secret.String] returns.
func (s *Secret) GoString() string { return s.String() }

// LogValue returns the secret's name, version id and labels.
func (s *Secret) LogValue() slog.Value {
	if s == nil || s.v == nil {
		return slog.StringValue(s.String())
	}
	return slog.GroupValue(slog.String("name", s.v.name), slog.String("version", s.v.id), slog.Any("stages", s.Stages()))
}

// MarshalText returns what [Secret.String] returns, so that encoding/json and
// similar encoders do not show the value.
func (s *Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// sameValue reports whether s and t are the same version with the same value.
func (s *Secret) sameValue(t *Secret) bool {
	return s.v.id == t.v.id && *s.v.value == *t.v.value && s.v.binary == t.v.binary
}

// sameAs reports whether s and t are the same version of the same secret, with
// the same value.
func (s *Secret) sameAs(t *Secret) bool { return s.v.arn == t.v.arn && s.sameValue(t) }

// withStages returns s with other labels.
func (s *Secret) withStages(stages []string) *Secret {
	v := *s.v
	v.stages = internStages(stages)
	return &Secret{&v}
}

// fromOutput makes a Secret of an answer of the service. asked is the id that
// was asked for. An answer without a value is an error.
func fromOutput(asked string, out *secretsmanager.GetSecretValueOutput) (*Secret, error) {
	if out == nil {
		return nil, errEmptyAnswer
	}
	return newSecret(asked, out.Name, out.ARN, out.VersionId, out.VersionStages, out.CreatedDate, out.SecretString, out.SecretBinary)
}

// fromEntry is fromOutput for one entry of a batch.
func fromEntry(v *types.SecretValueEntry) (*Secret, error) {
	return newSecret("", v.Name, v.ARN, v.VersionId, v.VersionStages, v.CreatedDate, v.SecretString, v.SecretBinary)
}

func newSecret(asked string, name, arn, id *string, stages []string, created *time.Time, text *string, bin []byte) (*Secret, error) {
	if text == nil && bin == nil {
		return nil, errEmptyAnswer
	}
	v := &version{name: str(name), arn: str(arn), id: str(id), stages: internStages(stages)}
	if v.unnamed = v.name == ""; v.unnamed || v.name == asked {
		v.name = asked // shares memory with the index
	}
	if created != nil && !created.IsZero() {
		v.created = created.UnixNano()
	}
	var value string
	if text != nil {
		value = *text
	} else {
		value, v.binary = string(bin), true
	}
	v.value = &value
	return &Secret{v}, nil
}

func str(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}
