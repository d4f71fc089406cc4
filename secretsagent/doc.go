// Package secretsagent reads secrets through an agent on the same machine. That
// is AWS's Secrets Manager Agent (the workload credentials provider) or the AWS
// Lambda extension for parameters and secrets. An [Agent] is an API for
// secrets.New.
//
// The agent holds the credentials and keeps a cache of its own, which processes
// of one host share. What that costs a secrets.Client:
//
//   - The agent has no DescribeSecret. Every check fetches the value, and the
//     client learns nothing of rotations ahead of time: not that one is
//     outstanding, not when the next is due, and RotationState says so little.
//     Custom labels are not found by Versions. BatchGetSecretValue is missing
//     too, so Prefetch reads one by one.
//   - The agent's TTL (5 minutes by default) adds to the client's: a version is
//     noticed after both, at worst. Where the client needs to know it asks the
//     agent to ask the service: in Refresh, in Try after a rejection, for a
//     second check of a version that went back, and for the check that an event
//     causes. So events end that delay, and Try finds the pending version as it
//     does without an agent.
//   - While the service is out of reach the agent itself serves old values, and
//     the client takes those for confirmed: MaxStale is counted from then.
//   - A secret to which access was withdrawn is dropped when the agent next
//     asks, not before.
//
// Requests go over plain http, so to this host alone: New refuses another one,
// and so does each connection, whatever a name resolves to. No proxy is used and
// no redirect followed. The token is read from where the agent's documentation
// says, and again when it was refused. It is in no error.
//
// Errors of the service are of the SDK's types; all others, such as a refused
// token or too many connections, are failures for the moment, to which a client
// answers with what it has.
package secretsagent
