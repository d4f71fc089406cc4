package secrets

import (
	"context"
	"fmt"
	"strings"

	"github.com/seed-74dc7b3e/secrets/internal/identity"
	"github.com/seed-74dc7b3e/secrets/internal/lease"
	"github.com/seed-74dc7b3e/secrets/secretsevents"
)

// HandleEvent handles an EventBridge event about a secret. The data may be the
// bare event, the body of an SQS message, or an SNS notification, as package
// secretsevents reads it. If a cached secret may have changed, HandleEvent
// returns true, and the client checks the secret in the background within
// Options.EventJitter. In [RefreshOnRead] mode the next read after that time
// does the check.
//
// All other events are ignored and cost no request: those about a secret that
// is not cached, or that is expired and not being read; about a version that is
// already current; and about anything else. So a sender of events can cause
// only checks of cached secrets, and few of those. If no new version follows
// the events, checks of that secret become rarer, down to one per TTL, even for
// thousands of events. The service's answer may lag. If a check does not show
// the version that the event names, the client repeats it a few times within
// half a minute.
//
// Events may be lost, so the TTL remains the bound. With events, a longer TTL
// is possible. A secret in use costs one call per 0.86 TTL: about 335 calls a
// day with the default of 5 minutes, and 28 a day with one hour. With events,
// the client notices a rotation within seconds in both cases.
//
// HandleEvent does not block. It returns an error of secretsevents, which does
// not quote the data, if the message is not an event. It returns [ErrClosed]
// after Close, and the error of ctx if ctx has ended.
func (c *Client) HandleEvent(ctx context.Context, data []byte) (checks bool, err error) {
	c.made()
	if err := ctx.Err(); err != nil {
		return false, fmt.Errorf("secrets: handle event: %w", err)
	}
	ev, err := secretsevents.Parse(data)
	if err != nil {
		return false, fmt.Errorf("secrets: handle event: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false, ErrClosed
	}
	return c.heardLocked(&ev), nil
}

// heardLocked handles an event. It reports whether the event causes a check.
func (c *cache) heardLocked(ev *secretsevents.Event) (checks bool) {
	if ev.Kind == secretsevents.Unrelated {
		return false
	}
	e := c.subjectLocked(ev)
	if e == nil || e.cur == nil {
		for q := range c.asked {
			if q.subjectOf(ev) {
				q.heard = ev // the answer may be older than the event
			}
		}
		return false
	}
	version := ""
	switch ev.Label {
	case "":
	case Current:
		version = ev.VersionID
	default:
		if !e.readsLabelsLocked(ev.Label, ev.VersionID) {
			return false
		}
	}
	if identity.Of(ev.SecretID, ev.Name, "").Key != e.secret().Key && strings.HasPrefix(ev.SecretID, "arn:") {
		version = "" // the event is about another secret of that name, older or newer
	}
	c.applyLocked(e, func(l *lease.Lease) lease.Report {
		checks = l.Told(&c.rules, c.moment(), version)
		return lease.Report{}
	})
	return checks
}

// subjectLocked returns the entry of an event's secret, or nil if there is
// none. It changes nothing, because anybody may have sent the event.
func (c *cache) subjectLocked(ev *secretsevents.Event) *entry {
	who, account := identity.Of(ev.SecretID, ev.Name, ""), ev.Account
	byARN := strings.HasPrefix(ev.SecretID, "arn:")
	if byARN {
		account, _, _ = strings.Cut(who.Key, ":")
	}
	for _, id := range [...]string{ev.SecretID, ev.Name} {
		if v, ok := c.index.Load(id); ok && v.(*entry).inAccount(account) {
			return v.(*entry)
		}
	}
	if !byARN {
		return nil
	}
	spaces := []string{who.Space(), who.Key} // the latter where the ARN is not whole
	if who.Named = true; nameable(who.Key) {
		spaces = append(spaces, who.Space())
	}
	for _, space := range spaces {
		if e, ok := c.lru.Peek(space); ok {
			return e
		}
	}
	return nil
}

// inAccount reports whether e may be a secret of an account, as far as is known.
func (e *entry) inAccount(account string) bool {
	key := e.secret().Key
	owner, _, ok := strings.Cut(key, ":secret:")
	return !ok || account == "" || owner == account
}

// readsLabelsLocked reports whether readers of e depend on a label other than
// AWSCURRENT: other versions were read, and the label is not known to be on the
// event's version.
func (e *entry) readsLabelsLocked(label, id string) bool {
	v := e.coldState().versions
	switch {
	case label == Pending || label == Previous:
		return true // a rotation began or ended
	case v == nil:
		return false
	case v.list != nil && v.list.labels[label] != id:
		return true
	}
	k := v.kept[Selector{stage: label}]
	return k != nil && k.s.v.id != id
}

// subjectOf reports whether q asks for the secret that an event is about.
func (q *claim) subjectOf(ev *secretsevents.Event) bool {
	return q.id == ev.SecretID || q.id == ev.Name || strings.HasPrefix(ev.SecretID, q.id+"-") && strings.HasPrefix(q.id, "arn:")
}
