package secretstest

import (
	"encoding/json"

	"github.com/seed-74dc7b3e/secrets/secretstest/internal/password"
	"github.com/seed-74dc7b3e/secrets/secretstest/internal/schedule"
)

// RDSSecret makes a secret like that of a database whose master password Amazon
// RDS manages, and returns its name, rds!db- and a UUID. The value is a JSON
// object of username and password, nothing else. RDS owns the secret: callers
// can neither change nor delete it. It is rotated every seven days, by
// RotateSecret and by Rotate, without a function and at once; AWS takes up to a
// minute, which a StepFault with a Delay does too.
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

// SetOwner gives a secret to another service, "rds" for instance, with the tags
// that the service puts on it: callers may no longer change or delete it, only
// read and rotate it, which needs no function. It is rotated every seven days.
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
