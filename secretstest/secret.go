package secretstest

import (
	"fmt"
	"slices"
	"time"

	"github.com/seed-74dc7b3e/secrets/secretstest/internal/filter"
)

// A secret is a content in one region: the primary secret or one of its
// replicas.
type secret struct {
	*content
	realm    *realm
	arn      string
	suffix   string
	seq      uint64 // ascending by creation, never used twice in a realm
	kmsKeyID string
	replica  bool
	gone     bool      // it was removed from its realm
	accessed time.Time // cut to the day; zero before the first read
	visible  time.Time // when a replica is there
	purge    time.Time // when the recovery window ends; zero unless it is to be deleted
}

func (s *secret) dying() bool { return !s.purge.IsZero() }

// customKey returns a KMS key, or "" for the service's own.
func customKey(id string) string {
	if id == "alias/aws/secretsmanager" {
		return ""
	}
	return id
}

// encrypt sets the key of the secret and of the versions that have a label of
// the service's own.
func (s *secret) encrypt(key string) {
	s.kmsKeyID = key
	for _, stage := range []string{stageCurrent, stagePrevious, stagePending} {
		if v := s.holder(stage); v != nil {
			v.kmsKeyID = key
		}
	}
}

// A description is a secret in the output of DescribeSecret and ListSecrets.
type description struct {
	ARN                string
	Name               string
	Type               string              `json:",omitempty"`
	Description        string              `json:",omitempty"`
	KmsKeyID           string              `json:"KmsKeyId,omitempty"`
	RotationEnabled    *bool               `json:",omitempty"`
	RotationLambdaARN  string              `json:",omitempty"`
	RotationRules      *rulesBody          `json:",omitempty"`
	ExternalMetadata   []metadataItem      `json:"ExternalSecretRotationMetadata,omitempty"`
	ExternalRoleARN    string              `json:"ExternalSecretRotationRoleArn,omitempty"`
	LastRotatedDate    epoch               `json:",omitzero"`
	LastChangedDate    epoch               `json:",omitzero"`
	LastAccessedDate   epoch               `json:",omitzero"`
	DeletedDate        epoch               `json:",omitzero"`
	NextRotationDate   epoch               `json:",omitzero"`
	Tags               *[]tag              `json:",omitempty"`
	VersionIDsToStages map[string][]string `json:"VersionIdsToStages,omitempty"`
	ListedStages       map[string][]string `json:"SecretVersionsToStages,omitempty"`
	OwningService      string              `json:",omitempty"`
	CreatedDate        epoch               `json:",omitzero"`
	PrimaryRegion      string              `json:",omitempty"`
	ReplicationStatus  []replicationStatus `json:",omitempty"`
}

// describe returns the description of d, a state of s.
func (s *secret) describe(d *content, listed bool) *description {
	out := &description{
		ARN:              s.arn,
		Name:             d.name,
		Type:             d.kind,
		Description:      d.description,
		KmsKeyID:         s.kmsKeyID,
		LastChangedDate:  epoch(d.changed),
		LastAccessedDate: epoch(s.accessed),
		DeletedDate:      epoch(s.purge),
		OwningService:    d.owningService,
		CreatedDate:      epoch(d.created),
		PrimaryRegion:    d.primaryRegion,
	}
	if d.tags != nil {
		tags := slices.Clone(d.tags)
		out.Tags = &tags
	}
	st := d.rotation()
	st.describe(out, listed)
	return out
}

// sortKey returns the sort key of a secret.
func (s *secret) sortKey(by string) string {
	var t time.Time
	switch by {
	case "name":
		return s.name
	case "last-changed-date":
		t = s.changed
	case "last-accessed-date":
		t = s.accessed
	default:
		return ""
	}
	if t.IsZero() {
		return ""
	}
	return fmt.Sprintf("%020d", t.UnixMilli())
}

// filterView returns the fields that filters use.
func (s *secret) filterView() filter.Secret {
	return filter.Secret{
		Name:          s.name,
		Description:   s.description,
		Tags:          s.tags,
		PrimaryRegion: s.primaryRegion,
		OwningService: s.owningService,
		Replicated:    s.primaryRegion != "",
	}
}
