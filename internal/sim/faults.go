package sim

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
)

// A Class is a class of fault.
type Class string

// The faults. Those up to STS are transient: they say nothing of a secret.
const (
	Hang       Class = "no answer"
	Connection Class = "connection refused"
	Throttle   Class = "throttled"
	Internal   Class = "internal error"
	Empty      Class = "empty 200"
	STS        Class = "AssumeRole denied by STS"
	Unknown    Class = "unknown error code"

	Denied         Class = "access denied"
	KMS            Class = "KMS refuses"
	DescribeDenied Class = "DescribeSecret denied"
	PendingDenied  Class = "AWSPENDING denied"
	PendingLost    Class = "AWSPENDING out of reach"
	NoDescribe     Class = "DescribeSecret withdrawn"
	NoBatch        Class = "BatchGetSecretValue denied"

	Deaf  Class = "API ignores its context"
	Panic Class = "API panics"

	missing   Class = "not found"           // the secret
	unlabeled Class = "no such version"     // or its value
	deleting  Class = "marked for deletion" // InvalidRequestException
	canceled  Class = "context ended"
	ok        Class = ""
)

var transients = []Class{Hang, Connection, Throttle, Internal, Empty, STS, Unknown}

// transient reports whether c leaves what is cached in service.
func (c Class) transient() bool {
	switch c {
	case Hang, Connection, Throttle, Internal, Empty, STS, Unknown, PendingLost, Panic, canceled:
		return true
	}
	return false
}

// denies reports whether c, of GetSecretValue for AWSCURRENT, is a no by itself.
func (c Class) denies() bool { return c == Denied || c == KMS }

// concerns reports whether a fault of class c applies to a call.
func (c Class) concerns(op Op, stage string) bool {
	switch c {
	case Denied:
		return op == GetValue || op == Batch
	case KMS:
		return op == GetValue || op == Batch
	case DescribeDenied, NoDescribe:
		return op == Describe
	case PendingDenied, PendingLost:
		return op == GetValue && stage == "AWSPENDING"
	case NoBatch:
		return op == Batch
	}
	return true
}

// err is the error that the SDK returns for a fault of class c.
func (c Class) err(op Op, id string) error {
	text := func(format string, args ...any) *string { s := fmt.Sprintf(format, args...); return &s }
	var err error
	switch c {
	case ok, Empty:
		return nil
	case Connection:
		err = &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	case Throttle:
		err = &smithy.GenericAPIError{Code: "ThrottlingException", Message: "Rate exceeded"}
	case Internal, PendingLost:
		err = &types.InternalServiceError{Message: text("An error occurred on the server side.")}
	case Unknown:
		err = &smithy.GenericAPIError{Code: "SomethingNewException", Message: "never seen before"}
	case STS:
		err = fmt.Errorf("get identity: get credentials: failed to refresh cached credentials, %w", &smithy.OperationError{
			ServiceID: "STS", OperationName: "AssumeRole",
			Err: &smithy.GenericAPIError{Code: "AccessDenied", Message: "not authorized to perform: sts:AssumeRole"},
		})
	case KMS:
		err = &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "Access to KMS is not allowed"}
	case Denied, DescribeDenied, PendingDenied, NoBatch:
		err = &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "User is not authorized to perform: " + string(op)}
	case NoDescribe:
		err = &smithy.GenericAPIError{Code: "UnknownOperationException"}
	case missing:
		err = &types.ResourceNotFoundException{Message: text("Secrets Manager can't find the specified secret.")}
	case unlabeled:
		err = &types.ResourceNotFoundException{Message: text("Secrets Manager can't find the specified secret value for %s.", id)}
	case deleting:
		err = &types.InvalidRequestException{Message: text("You can't perform this operation on the secret because it was marked for deletion.")}
	case canceled:
		err = context.Canceled
	default:
		err = errors.New(string(c))
	}
	return &smithy.OperationError{ServiceID: "Secrets Manager", OperationName: string(op), Err: err}
}
