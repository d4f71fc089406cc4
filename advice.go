package secrets

import (
	"errors"
	"fmt"
	"strings"
)

// adviceFor returns what to do about a failure to read the secret id by a
// client of the given region. It returns "" if there is no advice.
func adviceFor(id, region string, err error) string {
	if of := regionOfARN(id); of != "" {
		region = of // where it was asked for
	}
	switch class := ClassOf(err); {
	case errors.As(err, new(*idError)):
		return "correct the ARN, allow its region in Options.Regions, or have Options.APIFor return an API for it"
	case class == ClassMissing:
		return adviceForMissing(id, region, err)
	case class == ClassDenied:
		return adviceForDenied(err)
	case class == ClassDecode:
		return adviceForDecode(err)
	default:
		return advice[class]
	}
}

// advice is what to do about failures of the other classes.
var advice = map[FailureClass]string{
	ClassNetwork:     "the endpoint cannot be reached: check its name, the route to it or its VPC endpoint, the security group, and the proxy",
	ClassThrottled:   "the service asks for fewer calls: try again, and raise Options.TTL if this happens often",
	ClassCredentials: "no valid credentials: check the role or profile of this process, what it may assume, and the clock",
	ClassServer:      "the service failed: try again",
	ClassCanceled:    "the context ended before the service answered: allow more time",
}

// regionOfARN returns the region in an ARN. It returns "" if id is not an ARN.
func regionOfARN(id string) string {
	parts := strings.SplitN(id, ":", 5)
	if len(parts) < 5 || parts[0] != "arn" {
		return ""
	}
	return parts[3]
}

// adviceForDenied names the IAM action that is not permitted.
func adviceForDenied(err error) string {
	api := answeredBy(err)
	code, text := api.ErrorCode(), api.ErrorMessage()
	switch code {
	case "KMSDisabledException", "KMSInvalidStateException":
		return "the secret's KMS key is disabled or about to be deleted: enable it, or give the secret another key"
	case "KMSNotFoundException":
		return "the secret's KMS key does not exist: give the secret another key and a new value"
	}
	action := "secretsmanager:GetSecretValue"
	if _, after, ok := strings.Cut(text, "not authorized to perform: "); ok {
		action, _, _ = strings.Cut(after, " ")
	} else if code == "DecryptionFailure" || code == "KMSAccessDeniedException" || strings.Contains(text, "KMS") {
		action = "kms:Decrypt"
	}
	on := "the secret"
	if strings.HasPrefix(action, "kms:") {
		on = "the secret's KMS key, also in the key's own policy"
	}
	if strings.Contains(text, "explicit deny") {
		return fmt.Sprintf("a policy denies %s on %s explicitly: change that policy", action, on)
	}
	return fmt.Sprintf("allow %s on %s", action, on)
}

// adviceForMissing distinguishes a deleted secret from one that never existed.
func adviceForMissing(id, region string, err error) string {
	in := ""
	if region != "" {
		in = " in region " + region
	}
	api := answeredBy(err)
	switch {
	case api == nil || strings.Contains(api.ErrorMessage(), "staging label"):
		return "the secret has no current version: give it a value"
	case api.ErrorCode() == "InvalidRequestException":
		return "the secret is scheduled for deletion: restore it with RestoreSecret, or use another secret"
	}
	what := "name"
	if strings.HasPrefix(id, "arn:") {
		what = "ARN"
	}
	return fmt.Sprintf("no secret has this %s%s: check the %s, the region and the account", what, in, what)
}

// adviceForDecode names the field and the type that was wanted.
func adviceForDecode(err error) string {
	var de *DecodeError
	if !errors.As(err, &de) || de.Field == "" {
		return "give the secret a value of that type, or restore an earlier version"
	}
	return fmt.Sprintf("give the field %q a value that fits %s, or restore an earlier version", de.Field, de.Type)
}
