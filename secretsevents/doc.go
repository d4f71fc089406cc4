// Package secretsevents parses Amazon EventBridge events about secrets. It
// knows the native event "Secret Label Updated", which AWS Secrets Manager
// publishes itself, and the AWS CloudTrail events about calls and rotations.
// [Parse] accepts a bare event, an event in an SQS message, in an SNS
// notification, or in both.
//
// An event is only a hint. It is not signed. Events are delivered at least once
// and in any order; some are minutes late, and some may be lost. No event
// carries a value. Do not trust an event, and do not let events replace a TTL.
// Use them to ask the service sooner, as HandleEvent of a secrets.Client does.
//
// The package uses only the standard library. It keeps no state; its functions
// are safe for concurrent use by multiple goroutines.
package secretsevents
