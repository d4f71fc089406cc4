// Package secretstest is an in-memory AWS Secrets Manager for tests.
//
// It implements the service's protocol with all 23 operations. So tests run the
// AWS SDK itself, with its marshaling, typed errors and retries.
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
// [Server.Client] needs no socket and leaves no goroutine behind. The server reads
// time.Now, so in a testing/synctest bubble it uses the bubble's clock, also
// for scheduled rotations and recovery windows. A [Server] is an http.Handler,
// and [Server.URL] serves it over loopback to programs in any language.
//
// # Faults and the ledger
//
// [Server.Fail] arms faults: throttling, errors, latency, dropped connections, truncated
// responses, garbage, and reads that lag behind writes. A fault strikes a
// number of calls, all calls, or calls chosen at random from a seed.
//
//	srv.Fail(secretstest.Fault{Op: "GetSecretValue", Secret: "prod/db", Times: 3, Code: "ThrottlingException"})
//
// [Server.Calls] and [Server.Count] report which calls arrived and how each ended.
//
// # Scenarios
//
// One call starts a failure known from production: [Server.RegionOutage], [Server.STSDenied],
// [Server.LaggingReplica], [Server.RotationStuckAfterSet], [Server.ThrottleStorm], [Server.KMSRevoked],
// [Server.SlowTrickle], [Server.ClockSkew], [Server.BrokenJSON]. The comment of each method describes what
// a client sees. Each returns a function that ends the failure.
//
//	end := srv.LaggingReplica("eu-west-1", 10*time.Second)
//	...
//	end()
//
// # Rotation
//
// [Server.HandleRotation] registers a Go function under the ARN of a rotation function,
// and RotateSecret calls it for the four steps. With [Server.Rotation] the test delivers
// the steps itself and can examine the secret between any two. [Server.FailStep] makes
// steps fail, hang, or arrive twice. [Server.RDSSecret] makes a secret like those that
// Amazon RDS manages; it is rotated without a function.
//
// # Events and the local agent
//
// [Server.OnEvent] subscribes to the events about moved labels; [Server.PostEvents] sends them to
// a URL. [Server.AgentURL] and [Server.Agent] serve the protocol of AWS's Secrets Manager Agent
// and of the Lambda extension.
//
// # Regions and callers
//
// The signature of a request names its region. [Server.Region] takes a region down, and
// controls replication to it. The access key of a request identifies its
// caller; see [Identity]. An access key of twelve digits is the account with that
// number. The server enforces the policies of secrets and of callers by IAM's
// documented rules: an account as principal only delegates to the policies of
// its callers, and a role as principal includes its sessions. Signatures are
// verified only if Options.VerifySignatures is set. There is no KMS: any key id
// is accepted.
//
// # What differs from AWS
//
// Reads are consistent unless a fault makes them lag. Replicas are in sync at
// once unless Region.ReplicationTakes is used. A secret disappears the moment
// its recovery window ends, and a scheduled rotation begins when its window
// opens. A failed scheduled rotation is retried four times, every ten minutes,
// and again at the next window; AWS documents that it retries, but not when.
// Rates are limited only if Options.EnforceRates is set, and the number of
// versions of a secret only if Options.VersionQuota is. Managed secrets are
// rotated at once, not within a minute.
package secretstest
