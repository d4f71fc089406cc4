// Package secretstest is an AWS Secrets Manager in memory, for tests.
//
// It speaks the service's own protocol, all 23 operations of it, so that what
// runs against it is the AWS SDK itself: its marshalling, its typed errors, its
// retries.
//
//	func TestLogin(t *testing.T) {
//		srv := secretstest.New(t, secretstest.Secrets{
//			"prod/db": `{"username":"app","password":"hunter2"}`,
//		})
//		svc := NewService(srv.Client()) // a *secretsmanager.Client
//		...
//		srv.Rotate("prod/db")
//		...
//		if n := srv.Count(secretstest.Call{Op: "GetSecretValue"}); n != 1 {
//			t.Errorf("got %d reads, want 1", n)
//		}
//	}
//
// [Server.Client] needs no socket and leaves no goroutine behind, and the server's time
// is time.Now: in a [testing/synctest] bubble its clock is the bubble's, with
// scheduled rotations, recovery windows and all. A [Server] is an http.Handler,
// and [Server.URL] serves it over loopback to programs in any language.
//
// # Faults and the ledger
//
// [Server.Fail] arms faults: throttling, errors, latency, dropped connections, truncated
// answers, garbage, reads that lag behind writes; for the next so many calls,
// for always, or with a probability drawn from a seed.
//
//	srv.Fail(secretstest.Fault{Op: "GetSecretValue", Secret: "prod/db", Times: 3, Code: "ThrottlingException"})
//
// [Server.Calls] and [Server.Count] tell which calls arrived and what came of them.
//
// # Scenarios
//
// A failure of production takes one line, and its method says what it looks
// like from a client: [Server.RegionOutage], [Server.STSDenied],
// [Server.LaggingReplica], [Server.RotationStuckAfterSet], [Server.ThrottleStorm],
// [Server.KMSRevoked], [Server.SlowTrickle], [Server.ClockSkew],
// [Server.BrokenJSON]. Each returns a function that ends it.
//
//	end := srv.LaggingReplica("eu-west-1", 10*time.Second)
//	...
//	end()
//
// # Rotation
//
// [Server.HandleRotation] registers a Go function under the ARN of a rotation function,
// and RotateSecret calls it for the four steps. [Server.Rotation] puts them in the hands
// of the test, which can look at the secret between any two;
// [Server.FailStep] makes them fail, hang, or arrive twice. [Server.RDSSecret] makes a secret that Amazon RDS
// manages and that is rotated without a function.
//
// # Events and the local agent
//
// [Server.OnEvent] subscribes to the events of labels that move, [Server.PostEvents]
// sends them to a URL. [Server.AgentURL] and [Server.Agent] serve the protocol of AWS's Secrets Manager Agent
// and of the Lambda extension.
//
// # Regions and callers
//
// The region of a request is that of its signature. [Server.Region] takes a region down,
// and says how replication to it goes. A caller is known by its access key; see
// [Identity]. A key of twelve digits is the account with that number. Policies of
// secrets and of callers are enforced by IAM's documented rules: a principal
// that is an account only delegates to the policies of its callers, and a role
// stands for its sessions. Signatures are not verified unless
// Options.VerifySignatures says so, and there is no KMS: any key id will do.
//
// # What differs from AWS
//
// Nothing is eventually consistent unless a fault says so, replicas are in sync
// at once unless Region.ReplicationTakes says otherwise, secrets whose recovery
// window ends are gone that very moment, and scheduled rotations begin when
// their window opens. One that fails is tried again four times, every ten
// minutes, and at the next window; the service documents that it retries, not
// when. No rate is limited unless Options.EnforceRates says so, and the number
// of versions of a secret is not unless Options.VersionQuota does. A service
// rotates its managed secrets at once, not within a minute.
package secretstest
