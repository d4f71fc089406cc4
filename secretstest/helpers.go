package secretstest

import (
	"errors"
	"time"
)

// The helpers change the server without a call: nothing enters the ledger, no
// fault strikes and no policy is asked. They work on the default region. If
// they fail they end the test at the caller's line, or panic when the server
// was made without a test.

// Put makes value the current version of a secret and returns the version's id.
// It creates the secret if it does not exist.
func (s *Server) Put(name, value string) (versionID string) {
	s.helper()()
	return s.put(name, textValue(value), nil)
}

// PutBinary does what Put does with a binary value.
func (s *Server) PutBinary(name string, value []byte) (versionID string) {
	s.helper()()
	return s.put(name, binaryValue(value), nil)
}

// PutPending adds an AWSPENDING version and returns its id. The first step of a
// rotation does so.
func (s *Server) PutPending(name, value string) (versionID string) {
	s.helper()()
	return s.put(name, textValue(value), []string{stagePending})
}

// PutStages adds a version with the given labels and returns its id.
func (s *Server) PutStages(name, value string, stages ...string) (versionID string) {
	s.helper()()
	return s.put(name, textValue(value), stages)
}

// PutEmptyPending adds an AWSPENDING version without a value and returns its
// id. RotateSecret does so before the rotation function runs.
func (s *Server) PutEmptyPending(name string) (versionID string) {
	s.helper()()
	s.mu.Lock()
	defer s.mu.Unlock()
	sec, err := s.helperSecretLocked(name)
	s.check(err, "put empty pending version of %q", name)
	at := now()
	s.changeLocked(sec, at)
	v := sec.add(newUUID(), value{}, sec.kmsKeyID, at)
	sec.attach(stagePending, v)
	return v.id
}

// put carries out PutSecretValue, or CreateSecret first.
func (s *Server) put(name string, val value, stages []string) string {
	s.helper()()
	id, err := s.tryPut(name, val, stages)
	s.check(err, "put %q", name)
	return id
}

func (s *Server) tryPut(name string, val value, stages []string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.helperCallLocked("PutSecretValue")
	switch {
	case name == "" || len(name) > 512:
		return "", errors.New("the name must have 1 to 512 characters")
	case val.empty() || val.size() > maxValue || val.size() == 0:
		return "", errors.New("the value must have 1 to 65536 bytes")
	}
	if err := checkName(name); err != nil {
		return "", err
	}
	c.secret = s.findLocked(s.opts.Account, s.opts.Region, name, c.now)
	switch {
	case c.secret == nil:
		c.secret = c.realm.add(s.newContent(name, c.now), "")
	case c.secret.replica:
		return "", errReplica
	case c.secret.dying():
		return "", errDeleted
	}
	if err := c.secret.checkStages(stages); err != nil {
		return "", err
	}
	if len(c.secret.versions) > 0 {
		c.change()
	}
	return c.newVersion(newUUID(), val, stages).id, nil
}

// helperCallLocked returns a call that a helper makes in the name of the
// account's root user.
func (s *Server) helperCallLocked(op string) *call {
	return &call{
		srv:    s,
		op:     operations[op],
		in:     input{},
		caller: &identity{arn: rootARN(s.opts.Region, s.opts.Account), account: s.opts.Account},
		region: s.opts.Region,
		realm:  s.realmLocked(s.opts.Account, s.opts.Region),
		now:    now(),
		entry:  &Call{},
	}
}

// helperSecretLocked returns the secret that a helper is to change.
func (s *Server) helperSecretLocked(id string) (*secret, error) {
	sec := s.findLocked(s.opts.Account, s.opts.Region, id, now())
	switch {
	case sec == nil:
		return nil, errNotFound
	case sec.replica:
		return nil, errReplica
	}
	return sec, nil
}

// MoveStage moves a label to a version. If versionID is empty, it removes the
// label. Moving AWSCURRENT moves AWSPREVIOUS as AWS does.
func (s *Server) MoveStage(name, stage, versionID string) {
	s.helper()()
	s.check(s.tryMoveStage(name, stage, versionID), "move %s of %q", stage, name)
}

func (s *Server) tryMoveStage(name, stage, versionID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sec, err := s.helperSecretLocked(name)
	if err != nil {
		return err
	}
	v := sec.version(versionID)
	if v == nil && versionID != "" {
		return errors.New("no version " + versionID)
	}
	s.changeLocked(sec, now())
	if v == nil {
		sec.detach(stage)
	} else {
		sec.attach(stage, v)
	}
	return nil
}

// Delete removes a secret at once, without a recovery window.
func (s *Server) Delete(name string) {
	s.helper()()
	s.mu.Lock()
	sec, err := s.helperSecretLocked(name)
	if err == nil {
		s.forgetLocked(sec)
	}
	s.mu.Unlock()
	s.check(err, "delete %q", name)
}

// ScheduleDeletion schedules a secret for deletion after 30 days.
func (s *Server) ScheduleDeletion(name string) {
	s.helper()()
	s.mu.Lock()
	sec, err := s.helperSecretLocked(name)
	if err == nil {
		s.scheduleDeletionLocked(sec, now(), defaultWindow)
	}
	s.mu.Unlock()
	s.check(err, "schedule deletion of %q", name)
}

// Restore cancels the deletion that ScheduleDeletion scheduled.
func (s *Server) Restore(name string) {
	s.helper()()
	s.mu.Lock()
	sec, err := s.helperSecretLocked(name)
	if err == nil {
		s.changeLocked(sec, now())
		sec.purge = time.Time{}
		s.planRotationLocked(sec)
	}
	s.mu.Unlock()
	s.check(err, "restore %q", name)
}

// ARN returns the ARN of a secret in the default region.
func (s *Server) ARN(name string) string {
	s.helper()()
	s.mu.Lock()
	sec := s.findLocked(s.opts.Account, s.opts.Region, name, now())
	s.mu.Unlock()
	if sec == nil {
		s.check(errNotFound, "ARN of %q", name)
	}
	return sec.arn
}

// Stages returns the labels of a secret by version id. Versions without a label
// are not in it.
func (s *Server) Stages(name string) map[string][]string {
	s.helper()()
	s.mu.Lock()
	sec := s.findLocked(s.opts.Account, s.opts.Region, name, now())
	var m map[string][]string
	if sec != nil {
		m = sec.stages()
	}
	s.mu.Unlock()
	if sec == nil {
		s.check(errNotFound, "stages of %q", name)
	}
	return m
}

// VersionID returns the id of the version with a label, or "" if there is none.
func (s *Server) VersionID(name, stage string) string {
	s.helper()()
	for id, stages := range s.Stages(name) {
		for _, st := range stages {
			if st == stage {
				return id
			}
		}
	}
	return ""
}
