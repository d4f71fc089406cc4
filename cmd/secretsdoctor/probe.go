package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"github.com/seed-74dc7b3e/secrets"
)

// An outcome is the result of a request, with regard to permissions.
type outcome int

const (
	allowed     outcome = iota
	empty               // permitted, and there is no such version or it has no value
	denied              // not permitted
	keyDenied           // permitted, but the key may not be used to decrypt
	keyBroken           // the key cannot be used by anybody
	missing             // there is no such secret
	deleted             // the secret is scheduled for deletion
	unsupported         // the endpoint has no such operation
	throttled           // too many requests at this moment
	unanswered          // the service did not answer
	uncredited          // it was not asked, or did not take the credentials
	refused             // it refused for another reason
)

var outcomes = map[outcome]string{
	allowed: "yes", empty: "yes (there is none now)", denied: "DENIED", keyDenied: "KEY DENIED", keyBroken: "KEY UNUSABLE",
	missing: "NO SUCH SECRET", deleted: "DELETED", unsupported: "NOT AT THIS ENDPOINT", throttled: "THROTTLED",
	unanswered: "NO ANSWER", uncredited: "NO CREDENTIALS", refused: "REFUSED",
}

// String returns the outcome in a word or two.
func (o outcome) String() string { return outcomes[o] }

// A probe is a request and its result.
type probe struct {
	outcome
	detail string // the service's error text, or why there is none
}

// classify returns the probe for the error of a request. Errors of the library
// contain no values. Errors of the SDK may quote a response that it could not
// decode, and are then not shown.
func classify(err error) probe {
	var unreadable *smithy.DeserializationError
	var api smithy.APIError
	class := secrets.ClassOf(err)
	switch {
	case err == nil:
		return probe{}
	case errors.As(err, &unreadable):
		return probe{unanswered, "the answer could not be read"}
	case class == secrets.ClassCredentials: // of STS for instance: no answer about the secret
		return probe{uncredited, err.Error()}
	case class == secrets.ClassThrottled:
		return probe{throttled, err.Error()}
	case !errors.As(err, &api):
		return probe{unanswered, err.Error()}
	}
	return probe{outcomeOf(api.ErrorCode(), api.ErrorMessage()), api.ErrorMessage()}
}

func outcomeOf(code, message string) outcome {
	switch {
	case code == "ResourceNotFoundException" && (strings.Contains(message, "staging label") || strings.Contains(message, "VersionId")):
		return empty
	case code == "ResourceNotFoundException":
		return missing
	case code == "InvalidRequestException" && strings.Contains(message, "deletion"):
		return deleted
	case strings.HasPrefix(code, "AccessDenied") && strings.Contains(message, "KMS"), code == "KMSAccessDeniedException":
		return keyDenied
	case strings.HasPrefix(code, "AccessDenied"), code == "UnauthorizedOperation":
		return denied
	case code == "DecryptionFailure", strings.HasPrefix(code, "KMS"):
		return keyBroken
	case slices.Contains([]string{"UnknownOperationException", "UnsupportedOperation", "InvalidAction", "NotImplemented", "NotImplementedException"}, code):
		return unsupported
	}
	return refused
}

// A diagnosis holds all results for one secret.
type diagnosis struct {
	id     string
	ttl    time.Duration
	caller caller

	describe, current, pending, previous, batch probe

	desc     *secretsmanager.DescribeSecretOutput // nil unless describe is allowed
	version  *secrets.Secret                      // the current one
	rotation secrets.RotationState
	now      time.Time
}

// examine makes the diagnoses of all secrets. It fails only if it can diagnose
// none, because the library refuses to send requests.
func examine(ctx context.Context, api *secretsmanager.Client, s settings, who caller) ([]*diagnosis, error) {
	client, err := secrets.New(api, &secrets.Options{FetchTimeout: s.timeout, Refresh: secrets.RefreshOnRead, Size: len(s.ids) + 1})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	var found []*diagnosis
	for _, id := range s.ids {
		d := &diagnosis{id: id, ttl: s.ttl, caller: who, now: time.Now()}
		d.ask(ctx, api, client)
		found = append(found, d)
	}
	for some := range slices.Chunk(found, 20) {
		askBatch(ctx, api, some)
	}
	return found, nil
}

// ask makes the requests for one secret. It stops after the first if the
// service does not answer at all.
func (d *diagnosis) ask(ctx context.Context, api *secretsmanager.Client, client *secrets.Client) {
	var err error
	d.version, err = client.GetVersion(ctx, d.id, secrets.Stage(secrets.Current))
	d.current = classify(err)
	if d.mute() {
		d.describe, d.pending, d.previous, d.batch = d.current, d.current, d.current, d.current
		return
	}
	d.desc, err = api.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &d.id})
	d.describe = classify(err)
	switch {
	case err != nil:
		d.desc = nil
	case d.current.outcome == missing:
		d.current.outcome = empty // it has no value
	case d.current.outcome == refused && d.desc.DeletedDate != nil:
		d.current.outcome = deleted // other endpoints have other words for it
	}
	d.pending = d.askLabel(ctx, client, secrets.Pending)
	d.previous = d.askLabel(ctx, client, secrets.Previous)
	if d.desc != nil {
		d.rotation, _ = client.RotationState(ctx, d.id)
	}
}

// mute reports whether the service did not answer, so that further requests are
// useless.
func (d *diagnosis) mute() bool {
	return d.current.outcome == unanswered || d.current.outcome == uncredited
}

// askLabel reads the version with a label. If there is no such version, the
// error is the same as for a missing secret; the other requests tell whether
// the secret exists.
func (d *diagnosis) askLabel(ctx context.Context, client *secrets.Client, label string) probe {
	_, err := client.GetVersion(ctx, d.id, secrets.Stage(label))
	p := classify(err)
	if p.outcome == missing && (d.desc != nil || d.current.outcome == allowed) {
		p.outcome = empty
	}
	return p
}

// askBatch reads up to 20 secrets in one request. An error for a secret that
// cannot be read individually either does not count against the batch.
func askBatch(ctx context.Context, api *secretsmanager.Client, some []*diagnosis) {
	in := &secretsmanager.BatchGetSecretValueInput{}
	for _, d := range some {
		if !d.mute() {
			in.SecretIdList = append(in.SecretIdList, d.id)
		}
	}
	if len(in.SecretIdList) == 0 {
		return
	}
	_, err := api.BatchGetSecretValue(ctx, in)
	for _, d := range some {
		if !d.mute() {
			d.batch = classify(err)
		}
	}
}

// arn returns the secret's ARN, or "" if it is not known.
func (d *diagnosis) arn() string {
	switch {
	case d.version != nil:
		return d.version.ARN()
	case d.desc != nil && d.desc.ARN != nil:
		return *d.desc.ARN
	}
	return ""
}

// field returns a field of an ARN (1 the partition, 3 the region, 4 the
// account), or "" if the text is not an ARN.
func field(arn string, n int) string {
	parts := strings.SplitN(arn, ":", 7)
	if len(parts) != 7 || parts[0] != "arn" || parts[2] != "secretsmanager" {
		return ""
	}
	return parts[n]
}

// foreign reports whether the secret is known to belong to another account.
func (d *diagnosis) foreign() bool {
	owner := field(cmp.Or(d.arn(), d.id), 4)
	return owner != "" && d.caller.account != "" && owner != d.caller.account
}

// key returns the key that encrypts the secret, and whether it is a customer
// managed key, for which kms:Decrypt is needed. "" means that the key is not
// known.
func (d *diagnosis) key() (id string, own bool) {
	switch {
	case d.desc == nil:
		return "", false
	case d.desc.KmsKeyId == nil, *d.desc.KmsKeyId == "", strings.HasSuffix(*d.desc.KmsKeyId, "alias/aws/secretsmanager"):
		return "aws/secretsmanager", false
	}
	return *d.desc.KmsKeyId, true
}

// ago returns how long before now t was, in a suitable unit.
func ago(now, t time.Time) string {
	switch d := now.Sub(t); {
	case d < time.Minute:
		return fmt.Sprintf("%.0f s ago", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min ago", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0f h ago", d.Hours())
	default:
		return fmt.Sprintf("%.0f days ago", d.Hours()/24)
	}
}
