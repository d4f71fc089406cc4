package secretsagent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

var (
	errTooLong    = errors.New("secretsagent: the agent's answer is too long")
	errUnreadable = errors.New("secretsagent: the agent's answer could not be read (not shown: it may contain the value)")
)

// An Error is a refusal by the agent itself. It says nothing about the secret.
type Error struct {
	Status int    // HTTP status
	Reason string // explanation by this package
}

func (e *Error) Error() string {
	return fmt.Sprintf("secretsagent: the agent refused the request: HTTP %d, %s", e.Status, e.Reason)
}

// A reply is a response of the agent.
type reply struct {
	status int
	body   []byte
}

// unready reports whether the agent says that it is not yet ready.
func (r reply) unready() bool {
	return r.status == http.StatusBadRequest && r.service() == nil && bytes.Contains(bytes.ToLower(r.body), []byte("not ready"))
}

// failure returns the error that a reply other than 200 is.
func (r reply) failure() error {
	if err := r.service(); err != nil {
		return err
	}
	reason := "the reason is unknown"
	switch {
	case r.status == http.StatusForbidden:
		reason = "the token is wrong"
	case r.status == http.StatusTooManyRequests:
		return &smithy.GenericAPIError{Code: "TooManyRequestsException", Message: "the agent has too many connections", Fault: smithy.FaultServer}
	case r.unready():
		reason = "it is not yet ready"
	case r.status == http.StatusBadRequest:
		reason = "the request is invalid, or was forwarded"
	case r.status == http.StatusNotFound || r.status == http.StatusMethodNotAllowed:
		reason = "it is not an agent, or an older version of one"
	}
	return &Error{r.status, reason}
}

// service returns the service error that the agent passes on, with the SDK's
// type, or nil if the reply is not a service error.
func (r reply) service() error {
	var e struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if r.status == http.StatusOK || json.Unmarshal(r.body, &e) != nil || e.Type == "" {
		return nil
	}
	_, code, ok := strings.Cut(e.Type, "#")
	if !ok {
		code = e.Type
	}
	msg := e.Message
	switch code {
	case "ResourceNotFoundException":
		return &types.ResourceNotFoundException{Message: &msg}
	case "InvalidParameterException":
		return &types.InvalidParameterException{Message: &msg}
	case "InvalidRequestException":
		return &types.InvalidRequestException{Message: &msg}
	case "DecryptionFailure":
		return &types.DecryptionFailure{Message: &msg}
	case "InternalServiceError":
		return &types.InternalServiceError{Message: &msg}
	}
	fault := smithy.FaultClient
	if r.status >= 500 {
		fault = smithy.FaultServer
	}
	return &smithy.GenericAPIError{Code: code, Message: msg, Fault: fault}
}

// output returns the answer of GetSecretValue that a reply holds, or its error.
func (r reply) output() (*secretsmanager.GetSecretValueOutput, error) {
	if r.status != http.StatusOK {
		return nil, r.failure()
	}
	var a struct {
		ARN, Name, VersionID, SecretString *string
		SecretBinary                       []byte
		VersionStages                      []string
		CreatedDate                        json.RawMessage
	}
	if json.Unmarshal(r.body, &a) != nil || a.SecretString == nil && a.SecretBinary == nil {
		return nil, errUnreadable // json's own error may quote the value
	}
	return &secretsmanager.GetSecretValueOutput{
		ARN: a.ARN, Name: a.Name, VersionId: a.VersionID, SecretString: a.SecretString, SecretBinary: a.SecretBinary,
		VersionStages: a.VersionStages, CreatedDate: dateOf(a.CreatedDate), ResultMetadata: middleware.Metadata{},
	}, nil
}

// dateOf parses a date in seconds since 1970, a string or a number. It returns
// nil if it cannot.
func dateOf(raw json.RawMessage) *time.Time {
	s := strings.Trim(string(raw), `"`)
	whole, fraction, _ := strings.Cut(s, ".")
	sec, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || sec < 0 || sec > 1<<38 {
		return nil
	}
	nano, err := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
	if err != nil || nano < 0 {
		return nil
	}
	t := time.Unix(sec, nano).UTC()
	return &t
}
