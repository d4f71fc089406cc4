// Package secretsagent reads secrets through a local agent. The agent is AWS's
// Secrets Manager Agent (the workload credentials provider) or the AWS Lambda
// extension for parameters and secrets. An [Agent] implements the API that
// [secrets.New] expects.
//
// The agent holds the credentials and has its own cache, which the processes of
// a host share. This limits a secrets.Client in several ways:
//
//   - The agent has no DescribeSecret. Every check fetches the value. The
//     client does not learn in advance about rotations, neither that one is
//     outstanding nor when the next is due, so RotationState contains little.
//     Versions does not find custom labels. The agent has no
//     BatchGetSecretValue either, so Prefetch reads secrets one at a time.
//   - The agent's TTL (5 minutes by default) adds to the client's: at worst,
//     the client notices a new version after the sum of both. In some cases the
//     client makes the agent ask the service: in Refresh, in Try after a
//     rejection, for the second check after a label moved back to an older
//     version, and for a check caused by an event. So with events there is no
//     such delay, and Try finds the pending version as it does without an
//     agent.
//   - While the service cannot be reached, the agent itself serves old values.
//     The client treats them as confirmed, and counts MaxStale from that
//     moment.
//   - If access to a secret is revoked, the agent drops the secret only when it
//     next asks the service.
//
// Requests use plain http, and therefore go only to this host: [New] refuses
// any other host, and each connection is refused if its name resolves to
// another host. The package uses no proxy and follows no redirect. It reads the
// token from the places in the agent's documentation, and again when the agent
// refuses it. No error contains the token.
//
// Errors of the service have the SDK's types. All other errors, such as a
// refused token or too many connections, are temporary: a client then serves
// its cached values.
package secretsagent
