package secretstest

import (
	"time"
)

// A secretAnswer is the answer to most operations that change a secret.
type secretAnswer struct {
	ARN               string              `json:",omitempty"`
	Name              string              `json:",omitempty"`
	VersionID         string              `json:"VersionId,omitempty"`
	VersionStages     []string            `json:",omitempty"`
	DeletionDate      epoch               `json:",omitzero"`
	ReplicationStatus []replicationStatus `json:",omitempty"`
}

func answerOf(s *secret) *secretAnswer { return &secretAnswer{ARN: s.arn, Name: s.name} }

// needToken refuses a request without a ClientRequestToken.
func needToken(in input) error {
	if in.str("ClientRequestToken") == "" {
		return invalidRequest(missingToken)
	}
	return nil
}

func createSecret(c *call) (any, error) {
	name, token := c.in.str("Name"), c.in.str("ClientRequestToken")
	if !plainName(name) {
		return nil, errName
	}
	val, err := c.in.value()
	if err != nil {
		return nil, err
	}
	if err := c.authorizeCreate(name); err != nil {
		return nil, err
	}
	if s := c.realm.find(name, c.now); s != nil {
		return c.createAgain(s, val, token)
	}
	tags, err := mergeTags(nil, c.in.objects("Tags"))
	if err != nil {
		return nil, err
	}
	if err := c.checkReplicas(c.in.objects("AddReplicaRegions"), nil); err != nil {
		return nil, err
	}
	if len(c.realm.names) >= maxSecrets {
		return nil, limitExceeded("You have reached the limit of %d secrets in the region.", maxSecrets)
	}
	return c.create(name, token, val, tags), nil
}

// create makes the secret that CreateSecret asks for.
func (c *call) create(name, token string, val value, tags []tag) *secretAnswer {
	d := c.srv.newContent(name, c.now)
	d.description = c.in.str("Description")
	d.kind = c.in.str("Type")
	d.tags = tags
	s := c.realm.add(d, "")
	s.kmsKeyID = customKey(c.in.str("KmsKeyId"))
	c.secret = s
	out := answerOf(s)
	if !val.empty() {
		d.attach(stageCurrent, d.add(token, val, s.kmsKeyID, c.now))
		out.VersionID = token
	}
	if regions := c.in.objects("AddReplicaRegions"); len(regions) > 0 {
		c.replicate(regions)
		out.ReplicationStatus = c.srv.replicationStatus(s, d)
	}
	return out
}

// authorizeCreate checks the permissions that the making of a secret needs.
func (c *call) authorizeCreate(name string) error {
	actions := []string{"CreateSecret"}
	if c.in.has("Tags") {
		actions = append(actions, "TagResource")
	}
	if c.in.has("AddReplicaRegions") {
		actions = append(actions, "ReplicateSecretToRegions")
	}
	for _, a := range actions {
		if err := c.authorize(a, nil, name); err != nil {
			return err
		}
	}
	return nil
}

// createAgain answers CreateSecret of a name that is taken.
func (c *call) createAgain(s *secret, val value, token string) (any, error) {
	if s.dying() {
		return nil, invalidRequest("You can't create this secret because a secret with this name is already scheduled for deletion.")
	}
	v := s.version(token)
	if v == nil {
		return nil, resourceExists("The operation failed because the secret %s already exists.", s.name)
	}
	if !v.value.equal(val) {
		return nil, tokenInUse(token, s)
	}
	out := answerOf(s)
	out.VersionID = token
	return out, nil
}

func tokenInUse(token string, s *secret) error {
	return resourceExists("You can't use ClientRequestToken %s because that value is already in use for a version of secret %s.", token, s.arn)
}

// changesMetadata reports whether an UpdateSecret would change something beside
// the value.
func (c *call) changesMetadata() bool {
	s := c.secret
	d, k, t := c.in.ptr("Description"), c.in.ptr("KmsKeyId"), c.in.ptr("Type")
	return d != nil && *d != s.description || k != nil && customKey(*k) != s.kmsKeyID || t != nil && *t != s.kind
}

func updateSecret(c *call) (any, error) {
	s, token := c.secret, c.in.str("ClientRequestToken")
	val, err := c.in.value()
	if err != nil {
		return nil, err
	}
	out := answerOf(s)
	if !val.empty() {
		if s.realm.account != c.caller.account && s.kmsKeyID == "" {
			return nil, errForeignKey
		}
		if v := s.version(token); v != nil && !v.value.empty() {
			if !v.value.equal(val) || c.changesMetadata() {
				return nil, tokenInUse(token, s)
			}
			out.VersionID = token
			return out, nil
		}
		out.VersionID = token
	}
	if !val.empty() {
		if err := s.checkStages(nil); err != nil {
			return nil, err
		}
		if err := c.checkVersions(token); err != nil {
			return nil, err
		}
	}
	c.change()
	if d := c.in.ptr("Description"); d != nil {
		s.description = *d
	}
	if k := c.in.ptr("KmsKeyId"); k != nil {
		s.encrypt(customKey(*k))
	}
	if k := c.in.ptr("Type"); k != nil {
		s.kind = *k
	}
	if !val.empty() {
		c.newVersion(token, val, nil)
	}
	return out, nil
}

// Bounds and default of a recovery window, in days.
const (
	minWindow     = 7
	maxWindow     = 30
	defaultWindow = 30
)

func deleteSecret(c *call) (any, error) {
	id := c.in.str("SecretId")
	if err := checkName(id); err != nil {
		return nil, err
	}
	force := c.in.flag("ForceDeleteWithoutRecovery", false)
	days := c.in.num("RecoveryWindowInDays", defaultWindow)
	switch {
	case days < minWindow || days > maxWindow:
		return nil, invalidParameter("The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).")
	case force && c.in.has("RecoveryWindowInDays"):
		return nil, invalidParameter("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.")
	}
	s := c.srv.findLocked(c.caller.account, c.region, id, c.now)
	if err := c.authorize("DeleteSecret", s, id); err != nil {
		return nil, err
	}
	switch {
	case s == nil && force:
		return c.deleteMissing(id), nil
	case s == nil:
		return nil, errNotFound
	case s.replica:
		return nil, errReplica
	case s.owningService != "":
		return nil, errOwned
	case len(s.replicas) > 0:
		return nil, invalidParameter("You can't delete secret %s that still has replica regions [%s].", id, s.replicaRegions())
	case force:
		c.srv.forgetLocked(s)
		return &secretAnswer{ARN: s.arn, Name: s.name, DeletionDate: epoch(c.now)}, nil
	case s.dying():
		return nil, errDeleted
	}
	c.srv.scheduleDeletionLocked(s, c.now, days)
	return &secretAnswer{ARN: s.arn, Name: s.name, DeletionDate: epoch(s.purge)}, nil
}

// deleteMissing answers the forced deletion of a secret that is not there.
func (c *call) deleteMissing(id string) *secretAnswer {
	arn, name := id, id
	if _, _, n, ok := secretARN(id); ok {
		name = completeARN.ReplaceAllString(n, "")
	} else {
		arn = arnOf(c.region, c.caller.account, id, randomSuffix())
	}
	return &secretAnswer{ARN: arn, Name: name, DeletionDate: epoch(c.now)}
}

// forgetLocked removes a secret and its rotation at once.
func (s *Server) forgetLocked(sec *secret) {
	s.stopRotationLocked(sec.content)
	delete(s.rotations, sec.content)
	sec.realm.remove(sec)
}

// scheduleDeletionLocked starts the recovery window of a secret.
func (s *Server) scheduleDeletionLocked(sec *secret, now time.Time, days int) {
	s.changeLocked(sec, now)
	s.stopRotationLocked(sec.content)
	sec.purge = now.AddDate(0, 0, days)
}

func restoreSecret(c *call) (any, error) {
	s := c.secret
	if s.dying() {
		c.change()
		s.purge = time.Time{}
		c.srv.planRotationLocked(s)
	}
	return answerOf(s), nil
}
