package rotate

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// Run rotates a secret now, in any program. It executes all four steps, without
// AWS Lambda and without RotateSecret, which not every compatible endpoint has.
// It calls [Handler.Run] with the defaults.
func Run(ctx context.Context, api API, secretID string, r Rotator) error {
	_, err := Handler{API: api, Rotator: r}.Run(ctx, secretID)
	return err
}

// Run rotates a secret now and returns the id of the new AWSCURRENT version.
// Rotation of the secret need not be configured, and may be turned off. If Run
// fails, it may be called again.
//
// The AWSPENDING version is the lock. If there is one that is younger than
// ResumeAfter, made by Run or by RotateSecret, Run returns an *InProgressError.
// If it is older, Run continues its rotation, so no rotation stays unfinished.
//
// If several Runs start at the same time, one continues and the others return
// an *InProgressError. The id of the new version is derived from the secret's
// ARN and the id of the AWSCURRENT version, so all Runs request the same id,
// and Secrets Manager gives it to the first. The others have called
// Rotator.Create by then; the values that they made are not used. If Create
// makes the same value each time, Secrets Manager treats the other requests as
// repetitions of the first and ignores them. Therefore each Run also requests a
// label of its own, "rotate.Run." and a random text. It continues only if the
// version has that label, and removes the label at the end.
//
// The lock does not work against RotateSecret and other writers of AWSPENDING,
// because they choose other version ids. If one of them makes a version in the
// milliseconds between Run's read and Run's write, the label moves from that
// version to Run's version, and the other rotation ends with ErrNotPending at
// its next step. For a secret that Secrets Manager rotates, call RotateSecret
// instead.
//
// The age of an outstanding version is the difference between its CreatedDate,
// by Secrets Manager's clock, and the clock of this machine.
func (h Handler) Run(ctx context.Context, secretID string) (versionID string, err error) {
	if err := h.check(); err != nil {
		return "", err
	}
	if secretID == "" {
		return "", errors.New("rotate: the secret's id is empty")
	}
	id, claims, err := h.begin(ctx, secretID)
	if err != nil {
		return "", err
	}
	for _, step := range Steps() {
		e := Event{Step: step, SecretID: secretID, ClientRequestToken: id}
		if err := h.deliver(ctx, e, true); err != nil {
			return "", err
		}
	}
	h.release(ctx, secretID, id, claims)
	return id, nil
}

// begin returns the id of the version to continue with, new or abandoned, and
// the labels of Runs that it has.
func (h Handler) begin(ctx context.Context, secretID string) (id string, claims []string, err error) {
	r := &Rotation{api: h.API, maxLag: h.lag(), event: Event{Step: CreateSecret, SecretID: secretID}}
	id, err = h.claim(ctx, r)
	var busy *InProgressError
	if err != nil && !errors.As(err, &busy) {
		err = &Error{Step: CreateSecret, SecretID: secretID, VersionID: cmp.Or(r.VersionID(), "not chosen"), Err: err}
	}
	if claims, _ = r.claims(r.stages[id]); r.claim != "" {
		claims = append(claims, r.claim)
	}
	return id, claims, err
}

// claim finds an outstanding rotation or makes a new version. It sets r's
// version id.
func (h Handler) claim(ctx context.Context, r *Rotation) (string, error) {
	out, err := h.describe(ctx, r.event.SecretID)
	if err != nil {
		return "", err
	}
	r.stages = out.VersionIdsToStages
	cur, pend := labelled(r.stages, current), labelled(r.stages, pending)
	if cur == "" {
		return "", errors.New("the secret has no AWSCURRENT version")
	}
	if pend != "" && pend != cur {
		r.event.ClientRequestToken = pend
		return h.resume(ctx, r, aws.ToTime(out.LastChangedDate))
	}
	for n := 0; ; n++ {
		r.event.ClientRequestToken = runToken(aws.ToString(out.ARN), cur, n)
		taken, err := h.taken(ctx, r)
		if err != nil {
			return "", err
		}
		if taken {
			continue
		}
		r.claim = claimPrefix + rand.Text()
		err = h.fill(ctx, r)
		if hasCode(err, "ResourceExistsException") {
			return "", r.inProgress()
		}
		if err == nil {
			err = h.won(ctx, r)
		}
		return r.VersionID(), err
	}
}

// claimPrefix is how the label begins by which a Run knows a version for its own.
const claimPrefix = "rotate.Run."

// claims returns a version's labels that belong to Runs, and whether all belong
// to other Runs.
func (r *Rotation) claims(labels []string) (all []string, others bool) {
	for _, l := range labels {
		if strings.HasPrefix(l, claimPrefix) {
			all = append(all, l)
			others = others || l != r.claim
		}
	}
	return all, others && !slices.Contains(all, r.claim)
}

func (r *Rotation) inProgress() error {
	return &InProgressError{SecretID: r.SecretID(), VersionID: r.VersionID()}
}

// won returns an *InProgressError if the version that was just stored belongs
// to another Run. A version without a label of a Run counts as this Run's.
func (h Handler) won(ctx context.Context, r *Rotation) error {
	return wait(ctx, r.maxLag, func() (bool, error) {
		out, err := h.describe(ctx, r.SecretID())
		if err != nil {
			return false, err
		}
		claims, others := r.claims(out.VersionIdsToStages[r.VersionID()])
		if others {
			err = r.inProgress()
		}
		return len(claims) == 0, err
	})
}

// release removes labels of Runs. It need not succeed: they mean nothing once
// the rotation is over.
func (h Handler) release(ctx context.Context, secretID, id string, claims []string) {
	for _, label := range claims {
		_, _ = h.API.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{
			SecretId: aws.String(secretID), VersionStage: aws.String(label), RemoveFromVersionId: aws.String(id),
		})
	}
}

// resume returns the id of the outstanding version if it is old enough. made is
// its creation time if its value does not have one.
func (h Handler) resume(ctx context.Context, r *Rotation, made time.Time) (string, error) {
	after := h.ResumeAfter
	if after == 0 {
		after = 15 * time.Minute
	}
	if after < 0 {
		return r.VersionID(), nil
	}
	v, err := r.get(ctx, r.event.SecretID, r.event.ClientRequestToken, pending)
	if err != nil && !notFound(err) {
		return "", err
	}
	if err == nil && v.CreatedDate != nil {
		made = *v.CreatedDate
	}
	if made.IsZero() || time.Since(made) < after {
		return "", &InProgressError{SecretID: r.SecretID(), VersionID: r.VersionID(), Since: made}
	}
	return r.VersionID(), nil
}

// taken reports whether r's version id belongs to a version that a rotation
// from the same AWSCURRENT version made earlier and that was abandoned or
// rolled back: another id is needed. If the version is in use by a rotation,
// the error is an *InProgressError.
func (h Handler) taken(ctx context.Context, r *Rotation) (bool, error) {
	v, err := r.get(ctx, r.event.SecretID, r.event.ClientRequestToken, "")
	switch {
	case notFound(err):
		return false, nil
	case err != nil:
		return false, err
	case slices.Contains(v.VersionStages, pending), slices.Contains(v.VersionStages, current):
		// Made, or even finished, since the labels were read.
		return false, &InProgressError{SecretID: r.SecretID(), VersionID: r.VersionID(), Since: aws.ToTime(v.CreatedDate)}
	}
	return true, nil
}

// runToken returns the id of the n-th version that Run may make of a secret
// whose AWSCURRENT version is cur, in the form of a UUID (version 8).
func runToken(arn, cur string, n int) string {
	b := sha256.Sum256([]byte("rotate.Run\x00" + arn + "\x00" + cur + "\x00" + strconv.Itoa(n)))
	b[6] = b[6]&0x0f | 0x80
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
