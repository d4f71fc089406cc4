// Package secretsevents reads EventBridge's events about changes of secrets.
// Those are the native event "Secret Label Updated", which AWS Secrets Manager
// publishes by itself, and the events that AWS CloudTrail makes of calls and
// rotations. [Parse] takes an event as it comes: bare, as an SQS message's body,
// inside an SNS notification, or both.
//
// An event is a hint and no more. Nothing in it is signed, events are delivered
// at least once and in any order, some are minutes late, and one may be lost. So
// none carries a value, none can be trusted, and none replaces a TTL: use them
// to ask the service sooner, as HandleEvent of a secrets.Client does.
//
// The package uses the standard library alone. It keeps no state; its functions
// are safe for concurrent use by multiple goroutines.
package secretsevents
