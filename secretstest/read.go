package secretstest

import (
	"encoding/base64"
	"slices"
	"time"
	"unicode/utf8"
)

// A secretValue is the answer to GetSecretValue, and an entry of the answer to
// BatchGetSecretValue.
type secretValue struct {
	ARN           string
	Name          string
	VersionID     string
	Value         value
	VersionStages []string
	CreatedDate   time.Time
}

// MarshalJSON implements json.Marshaler.
func (a *secretValue) MarshalJSON() ([]byte, error) { return a.appendJSON(nil), nil }

// appendJSON is what makes a read fast.
func (a *secretValue) appendJSON(b []byte) []byte {
	b = slices.Grow(b, 512)
	b = appendString(append(b, `{"ARN":`...), a.ARN)
	b = appendString(append(b, `,"Name":`...), a.Name)
	b = appendString(append(b, `,"VersionId":`...), a.VersionID)
	if a.Value.text != nil {
		b = appendString(append(b, `,"SecretString":`...), *a.Value.text)
	}
	if a.Value.binary != nil {
		b = append(b, `,"SecretBinary":"`...)
		b = append(base64.StdEncoding.AppendEncode(b, a.Value.binary), '"')
	}
	b = append(b, `,"VersionStages":[`...)
	for i, s := range a.VersionStages {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, s)
	}
	b = appendEpoch(append(b, `],"CreatedDate":`...), a.CreatedDate)
	return append(b, '}')
}

// appendString appends s as a JSON string.
func appendString(b []byte, s string) []byte {
	mark := len(b)
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= utf8.RuneSelf:
			return append(b[:mark], marshal(s)...)
		case c < 0x20 || c == '"' || c == '\\':
			b = appendEscape(append(b, s[start:i]...), c)
			start = i + 1
		}
	}
	return append(append(b, s[start:]...), '"')
}

// appendEscape appends a character that a JSON string can't hold as it is.
func appendEscape(b []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}
	return append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}

func getSecretValue(c *call) (any, error) {
	s := c.secret
	if s.realm.account != c.caller.account && s.kmsKeyID == "" {
		return nil, errForeignKey
	}
	v, err := c.pick(c.view(s), c.in.str("VersionId"), c.in.str("VersionStage"))
	if err != nil {
		return nil, err
	}
	c.touch(s, v)
	return valueOf(s, v), nil
}

var errForeignKey = invalidRequest("You can't access a secret from a different AWS account if you encrypt the secret with the default KMS service key.")

// pick returns the version that a read asks for, which has a value.
func (c *call) pick(d *content, id, stage string) (*version, error) {
	if id == "" {
		if stage == "" {
			stage = stageCurrent
		}
		v := d.holder(stage)
		if v == nil || v.value.empty() {
			return nil, notFound("Secrets Manager can't find the specified secret value for staging label: %s", stage)
		}
		return v, nil
	}
	v := d.byID[id]
	if stage != "" && (d.holder(stage) == nil || v != nil && !v.has(stage)) {
		return nil, errStage
	}
	if v == nil || v.value.empty() {
		return nil, notFound("Secrets Manager can't find the specified secret value for VersionId: %s", id)
	}
	return v, nil
}

// touch notes that a version was read today.
func (c *call) touch(s *secret, v *version) {
	today := dayOf(c.now)
	if !s.accessed.Equal(today) {
		s.accessed = today
		s.realm.edits++
	}
	v.accessed = today
	if live := s.byID[v.id]; live != nil {
		live.accessed = today
	}
}

func valueOf(s *secret, v *version) *secretValue {
	return &secretValue{
		ARN:           s.arn,
		Name:          s.name,
		VersionID:     v.id,
		Value:         v.value,
		VersionStages: slices.Clone(v.stages),
		CreatedDate:   v.created,
	}
}

// A description is what DescribeSecret and ListSecrets say of a secret.
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

// describe says what d, a state of s, is.
func (s *secret) describe(d *content) *description {
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
	d.rotation.describe(out)
	return out
}

func describeSecret(c *call) (any, error) {
	d := c.view(c.secret)
	out := c.secret.describe(d)
	if !c.read.noStages {
		out.VersionIDsToStages = d.stages()
	}
	if !c.secret.replica {
		out.ReplicationStatus = c.srv.replicationStatus(c.secret, d)
	}
	return out, nil
}

// A batchError says why BatchGetSecretValue left a secret out.
type batchError struct {
	SecretID  string `json:"SecretId"`
	ErrorCode string
	Message   string
}

// batchAnswer is the answer to BatchGetSecretValue.
type batchAnswer struct {
	SecretValues []*secretValue
	NextToken    string `json:",omitempty"`
	Errors       []batchError
}

func batchGetSecretValue(c *call) (any, error) {
	if err := c.authorize("BatchGetSecretValue", nil, "*"); err != nil {
		return nil, err
	}
	byID := len(c.in.strs("SecretIdList")) > 0
	switch filtered := c.in.has("Filters"); {
	case byID == filtered:
		return nil, invalidParameter("Either 'SecretIdList' or 'Filters' must be provided, but not both.")
	case c.in.has("MaxResults") && !filtered:
		return nil, invalidParameter("'Filters' not specified. 'Filters' must also be specified when 'MaxResults' is provided.")
	}
	out := &batchAnswer{SecretValues: []*secretValue{}, Errors: []batchError{}}
	if byID {
		for _, id := range c.in.strs("SecretIdList") {
			out.get(c, id)
		}
		return out, nil
	}
	if err := c.authorize("ListSecrets", nil, "*"); err != nil {
		return nil, err
	}
	page, next, err := c.listPage("BatchGetSecretValue", 20)
	if err != nil {
		return nil, err
	}
	for _, s := range page {
		out.get(c, s.arn)
	}
	out.NextToken = next
	return out, nil
}

// get adds the current value of one secret to the answer, or why there is none.
// Faults of GetSecretValue strike here too.
func (a *batchAnswer) get(c *call, id string) {
	one := *c
	one.op = operations["GetSecretValue"]
	one.in = input{"SecretId": id}
	one.inBatch = true
	one.entry = &Call{Op: one.op.name, SecretID: id, Secret: c.nameOf(id)}
	v, err := one.getStruck()
	if err == nil {
		a.SecretValues = append(a.SecretValues, v)
		return
	}
	e := err.(*apiError)
	if e == errDeleted {
		e = errInBatch // a batch has words of its own
	}
	a.Errors = append(a.Errors, batchError{id, e.code, e.message})
}

// getStruck reads a secret, unless a fault prevents it.
func (c *call) getStruck() (*secretValue, error) {
	if f := c.srv.strikeLocked(c); f != nil {
		if err := f.err(); err != nil {
			return nil, err
		}
		c.read = f.reading()
	}
	if err := c.lookUp(); err != nil {
		return nil, err
	}
	v, err := getSecretValue(c)
	if err != nil {
		return nil, err
	}
	return v.(*secretValue), nil
}
