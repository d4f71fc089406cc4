package secretstest

import (
	"encoding/json"

	"github.com/seed-74dc7b3e/secrets/secretstest/internal/password"
	"github.com/seed-74dc7b3e/secrets/secretstest/internal/schedule"
)

// RDSSecret makes a secret like those that Amazon RDS manages and returns its
// name. The name is rds!db- and a UUID. The value is a JSON object with
// username and password, and no other members. RDS owns the secret: callers can
// neither change nor delete it. It is rotated without a function, every seven
// days and by RotateSecret and Rotate. A rotation here completes at once; on
// AWS it takes up to a minute. To simulate that, use a StepFault with a Delay.
func (s *Server) RDSSecret(username string) (name string) {
	s.helper()()
	pw, err := password.New(password.Input{ExcludeCharacters: `/@"'\\`})
	s.check(err, "make a password")
	text, err := json.Marshal(map[string]string{"username": username, "password": pw})
	s.check(err, "make an RDS secret")
	id := newUUID()
	name = "rds!db-" + id
	s.Put(name, string(text))
	s.SetOwner(name, "rds", map[string]string{
		"aws:rds:primaryDBInstanceArn": "arn:" + partition(s.opts.Region) + ":rds:" + s.opts.Region + ":" + s.opts.Account + ":db:" + id,
	})
	return name
}

// SetOwner makes another service, for instance "rds", the owner of a secret.
// tags are the tags that the service sets on it. Callers may then read and
// rotate the secret, but not change or delete it. Its rotation needs no
// function and happens every seven days.
func (s *Server) SetOwner(name, service string, tags map[string]string) {
	s.helper()()
	s.check(s.trySetOwner(name, service, tags), "set owner of %q", name)
}

func (s *Server) trySetOwner(name, service string, tags map[string]string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sec, err := s.helperSecretLocked(name)
	if err != nil {
		return err
	}
	s.changeLocked(sec, now())
	sec.owningService = service
	for key, value := range tags {
		sec.tags = append(sec.tags, tag{Key: key, Value: value})
	}
	sec.tags = append(sec.tags, tag{Key: "aws:secretsmanager:owningService", Value: service})
	st := sec.rotates()
	st.configured, st.enabled, st.function = true, true, ""
	st.rules = schedule.Rules{AfterDays: 7}
	if st.schedule, err = scheduleOf(st.rules); err != nil {
		return err
	}
	s.planRotationLocked(sec)
	return nil
}
