package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/seed-74dc7b3e/secrets"
)

// print writes all results, and then what is wrong.
func (d *diagnosis) print(out io.Writer) {
	fmt.Fprintf(out, "%s\n", printable(d.id))
	row := func(name, format string, args ...any) {
		fmt.Fprintf(out, "  %-20s %s\n", name, printable(fmt.Sprintf(format, args...)))
	}
	if arn := d.arn(); arn != "" {
		row("arn", "%s", arn)
	}
	if key, own := d.key(); own {
		row("key", "%s: kms:Decrypt is needed", key)
	} else if key != "" {
		row("key", "%s, which every reader of the account may use", key)
	}
	d.printVersions(row)
	for _, p := range d.probes() {
		row(p.name, "%s", p.probe)
	}
	d.printRotation(row)
	d.printReplicas(row)
	label := "library"
	for _, line := range d.behavior() {
		row(label, "%s", line)
		label = ""
	}
	for _, f := range d.findings() {
		fmt.Fprintf(out, "  %s %s\n", f.mark(), printable(f.text))
	}
}

type rowFunc = func(name, format string, args ...any)

// printable returns s without characters that control a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}

type namedProbe struct {
	name string
	probe
}

// probes returns the requests in the order of their importance.
func (d *diagnosis) probes() []namedProbe {
	return []namedProbe{
		{"read AWSCURRENT", d.current}, {"read AWSPENDING", d.pending}, {"read AWSPREVIOUS", d.previous},
		{"DescribeSecret", d.describe}, {"BatchGetSecretValue", d.batch},
	}
}

func (p probe) String() string {
	if p.detail == "" || p.outcome == allowed || p.outcome == empty {
		return p.outcome.String()
	}
	return p.outcome.String() + ": " + p.detail
}

func (d *diagnosis) printVersions(row rowFunc) {
	if d.desc == nil {
		if d.version != nil {
			row("version", "%s with %s", d.version.VersionID(), strings.Join(d.version.Stages(), ", "))
		}
		return
	}
	for _, id := range slices.Sorted(maps.Keys(d.desc.VersionIdsToStages)) {
		row("version", "%s with %s", id, strings.Join(slices.Sorted(slices.Values(d.desc.VersionIdsToStages[id])), ", "))
	}
}

func (d *diagnosis) printRotation(row rowFunc) {
	switch {
	case d.desc == nil:
		row("rotation", "not known without DescribeSecret")
		return
	case !d.rotation.Enabled && d.rotation.PendingVersion == "":
		row("rotation", "off")
		return
	}
	row("rotation", "%s, %s", d.rotation, d.rotates())
	if !d.rotation.LastRotated.IsZero() {
		row("", "last %s, %s", stamp(d.rotation.LastRotated), ago(d.now, d.rotation.LastRotated))
	}
	if next := d.rotation.NextRotation; !next.IsZero() {
		row("", "next between %s and %s", stamp(next.Add(time.Second-d.rotation.Window)), stamp(next))
	}
}

// rotates describes what rotates the secret, and how often.
func (d *diagnosis) rotates() string {
	by := "by hand"
	switch {
	case d.desc.OwningService != nil:
		by = "by " + *d.desc.OwningService
	case d.desc.RotationLambdaARN != nil:
		by = "by " + *d.desc.RotationLambdaARN
	}
	switch r := d.desc.RotationRules; {
	case r == nil:
	case r.ScheduleExpression != nil:
		by += ", " + *r.ScheduleExpression
	case r.AutomaticallyAfterDays != nil:
		by += fmt.Sprintf(", every %d days", *r.AutomaticallyAfterDays)
	}
	return by
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

func (d *diagnosis) printReplicas(row rowFunc) {
	if d.desc == nil {
		return
	}
	if p := d.desc.PrimaryRegion; p != nil && *p != field(d.arn(), 3) {
		row("replica", "of the secret in %s", *p)
	}
	for _, r := range d.desc.ReplicationStatus {
		row("replica", "in %s: %s", str(r.Region), replicaText(r))
	}
}

func replicaText(r types.ReplicationStatusType) string {
	if r.Status != types.StatusTypeFailed || str(r.StatusMessage) == "" {
		return string(r.Status)
	}
	return string(r.Status) + ": " + *r.StatusMessage
}

func str(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// A finding is something that the operator may want to change.
type finding struct {
	fatal bool // the secret cannot be read
	text  string
}

func (f finding) mark() string {
	if f.fatal {
		return "✗"
	}
	return "!"
}

// findings returns what is wrong, what it means, and what to do about it.
func (d *diagnosis) findings() []finding {
	var found []finding
	if text := d.unreadable(); text != "" {
		found = append(found, finding{true, text})
	}
	if d.mute() {
		return found
	}
	for _, text := range []string{d.aboutDescribe(), d.aboutLabel(d.pending, secrets.Pending), d.aboutLabel(d.previous, secrets.Previous), d.aboutBatch(), d.aboutRotation()} {
		if text != "" {
			found = append(found, finding{false, text})
		}
	}
	if d.desc != nil {
		for _, r := range d.desc.ReplicationStatus {
			if r.Status == types.StatusTypeFailed {
				found = append(found, finding{false, fmt.Sprintf("replication to %s has failed: programs there read an old version, or none", str(r.Region))})
			}
		}
	}
	return found
}

// unreadable says why the current version cannot be read, or returns "" if it
// can.
func (d *diagnosis) unreadable() string {
	switch d.current.outcome {
	case allowed:
		return ""
	case empty:
		return "no version has the label AWSCURRENT: put a value, or move the label to a version"
	case denied:
		return "cannot be read: grant secretsmanager:GetSecretValue" + d.orMissing() + d.whereGranted()
	case keyDenied:
		return d.keyText()
	case keyBroken:
		return "cannot be decrypted by anybody: the key is disabled, or scheduled for deletion"
	case missing:
		return d.missingText()
	case deleted:
		return d.deletedText()
	case throttled:
		return "too many requests right now: try again later"
	case unanswered:
		return "the service did not answer: check the endpoint, the network and the time limit (-timeout)"
	case uncredited:
		return "the credentials are invalid or expired, or no token could be obtained for them; this says nothing about the secret"
	}
	return "cannot be read: the service refused"
}

// orMissing adds that a denial may also mean a missing secret.
func (d *diagnosis) orMissing() string {
	if d.desc != nil {
		return ""
	}
	return " (or there is no such secret: AWS does not reveal that to a caller who may not read it)"
}

// whereGranted says where a permission for another account's secret is granted.
func (d *diagnosis) whereGranted() string {
	if !d.foreign() {
		return ""
	}
	return "; the secret belongs to another account: both its resource policy and a policy of the caller must allow it, and its key must be a customer managed key of the owner"
}

func (d *diagnosis) keyText() string {
	if key, own := d.key(); own {
		return "cannot be decrypted: grant kms:Decrypt on " + key + ", and check that the key's own policy allows it"
	}
	return "cannot be decrypted: grant kms:Decrypt on its key, and check that the key's own policy allows it"
}

func (d *diagnosis) missingText() string {
	if region := field(d.id, 3); region != "" && region != d.caller.region {
		return fmt.Sprintf("there is no such secret in %s: its ARN is of %s, but requests go to the client's region", d.caller.region, region)
	}
	return fmt.Sprintf("there is no such secret in %s: check the name, the region and the account", d.caller.region)
}

func (d *diagnosis) deletedText() string {
	if d.desc == nil || d.desc.DeletedDate == nil {
		return "is scheduled for deletion: nobody can read it unless it is restored (secretsmanager:RestoreSecret)"
	}
	return fmt.Sprintf("is scheduled for deletion since %s: nobody can read it unless it is restored (secretsmanager:RestoreSecret)", stamp(*d.desc.DeletedDate))
}

func (d *diagnosis) aboutDescribe() string {
	switch d.describe.outcome {
	case denied:
		return "without secretsmanager:DescribeSecret every refresh fetches and decrypts the value, rotations are noticed late, and Versions does not see custom labels"
	case unsupported:
		return "the endpoint has no DescribeSecret: every refresh fetches the value, and rotations are noticed late"
	}
	return ""
}

// aboutLabel explains the effect if a label's version may not be read although
// the current version may.
func (d *diagnosis) aboutLabel(p probe, label string) string {
	if d.current.outcome != allowed || p.outcome != denied && p.outcome != keyDenied {
		return ""
	}
	means := "logins fail while a rotation has changed the password and has not moved AWSCURRENT yet"
	if label == secrets.Previous {
		means = "logins fail where a replica of the database lags behind a rotation, or one was rolled back"
	}
	why := "a policy denies it (condition key secretsmanager:VersionStage?)"
	if p.outcome == keyDenied {
		why = "its key may not be used (was the secret's key changed?)"
	}
	return fmt.Sprintf("%s cannot be read, so %s: %s", label, means, why)
}

func (d *diagnosis) aboutBatch() string {
	switch d.batch.outcome {
	case denied:
		return "without secretsmanager:BatchGetSecretValue (on *) Prefetch reads its secrets one at a time, not 20 per request"
	case unsupported:
		return "the endpoint has no BatchGetSecretValue: Prefetch reads its secrets one at a time"
	}
	return ""
}

// stuckAfter is how long a rotation, which takes seconds, may be outstanding.
const stuckAfter = time.Hour

func (d *diagnosis) aboutRotation() string {
	r := d.rotation
	switch {
	case !r.Since.IsZero() && d.now.Sub(r.Since) > stuckAfter:
		return fmt.Sprintf("the rotation that began %s has not ended: see the log of the rotation function; the database may accept only AWSPENDING. To end the rotation, rotate again, or remove AWSPENDING from version %s", ago(d.now, r.Since), r.PendingVersion)
	case r.Enabled && !r.NextRotation.IsZero() && d.now.After(r.NextRotation):
		return fmt.Sprintf("the rotation that was due by %s has not begun: see the log of the rotation function", stamp(r.NextRotation))
	}
	return ""
}
