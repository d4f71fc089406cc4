package secretstest

import (
	"net/http"
	"strings"
	"time"

	"github.com/seed-74dc7b3e/secrets/secretstest/internal/shape"
)

// A call is one request on its way through the server.
type call struct {
	srv       *Server
	op        *operation
	in        input
	caller    *identity
	region    string
	sourceIP  string // address that the request comes from
	userAgent string
	realm     *realm
	now       time.Time
	secret    *secret // of an operation on one secret
	entry     *Call   // in the ledger
	read      reading // the effect of a fault on reads

	inBatch bool // a GetSecretValue that is part of a BatchGetSecretValue
}

// A reading says which state of a secret a call sees.
type reading struct {
	lag      time.Duration
	stale    bool
	noStages bool
}

// view returns the state of s that the call sees.
func (c *call) view(s *secret) *content {
	switch {
	case c.read.stale:
		return s.content.before()
	case c.read.lag > 0:
		return s.content.at(c.now.Add(-c.read.lag))
	}
	return s.content
}

// run carries the call out, unless a fault or a region that is down prevents
// it. The server's lock must be held.
func (c *call) run(f *Fault) (any, error) {
	if c.srv.down[c.region] {
		return nil, &apiError{code: "ServiceUnavailable", message: "Service is unavailable in " + c.region, status: http.StatusServiceUnavailable}
	}
	if err := c.srv.throttleLocked(c); err != nil {
		return nil, err
	}
	if f != nil {
		c.read = f.reading()
		if !f.Late {
			if err := f.err(); err != nil {
				return nil, err
			}
			if f.Drop {
				return nil, nil
			}
		}
	}
	out, err := c.do()
	if f != nil && f.Late {
		if e := f.err(); e != nil {
			return nil, e
		}
	}
	return out, err
}

// begin enters the call in the ledger. The server's lock must be held.
func (c *call) begin() {
	c.now = now()
	c.realm = c.srv.realmLocked(c.caller.account, c.region)
	id := c.in.str("SecretId")
	if id == "" {
		id = c.in.str("Name")
	}
	e := Call{
		Time:      c.now,
		Op:        c.op.name,
		SecretID:  id,
		SecretIDs: c.in.strs("SecretIdList"),
		VersionID: c.in.str("VersionId"),
		Stage:     c.in.str("VersionStage"),
		Identity:  c.caller.arn,
		Region:    c.region,
	}
	e.Secret = c.nameOf(id)
	c.entry = c.srv.ledger.add(e)
}

// nameOf returns the name of the secret that id stands for, or id itself.
func (c *call) nameOf(id string) string {
	if !strings.HasPrefix(id, "arn:") {
		return id
	}
	if s := c.srv.findLocked(c.caller.account, c.region, id, c.now); s != nil {
		return s.name
	}
	return id
}

// do checks the input and carries the operation out. The server's lock must be
// held.
func (c *call) do() (any, error) {
	if err := shape.CheckTypes(c.op.name, c.in); err != nil {
		return nil, serialization(err.Error())
	}
	if violations := shape.Validate(c.op.name, c.in); violations != "" {
		// A replica refuses all changes.
		if c.op.onSecret && c.lookUp() == errReplica {
			return nil, errReplica
		}
		return nil, validation(violations)
	}
	if c.op.before != nil {
		if err := c.op.before(c.in); err != nil {
			return nil, err
		}
	}
	if c.op.onSecret {
		if err := c.lookUp(); err != nil {
			return nil, err
		}
	}
	return c.op.run(c)
}

// lookUp finds the secret of the call and checks that the caller may execute
// the operation on it.
func (c *call) lookUp() error {
	id := c.in.str("SecretId")
	if c.op.checkName {
		if err := checkName(id); err != nil {
			return err
		}
	}
	c.secret = c.srv.findLocked(c.caller.account, c.region, id, c.now)
	if err := c.authorize(c.op.name, c.secret, id); err != nil {
		return err
	}
	switch {
	case c.secret == nil:
		return errNotFound
	case c.secret.replica && !c.op.onReplica:
		return errReplica
	case c.secret.dying() && !c.op.onDying:
		return errDeleted
	case c.secret.owningService != "" && c.op.ownerOnly:
		return errOwned
	}
	return nil
}

// change announces that the call is about to change its secret: the present
// state is kept for reads that lag, and LastChangedDate moves.
func (c *call) change() { c.srv.changeLocked(c.secret, c.now) }

func (s *Server) changeLocked(sec *secret, now time.Time) {
	sec.remember(now)
	sec.changed = now
	sec.realm.edits++
}
