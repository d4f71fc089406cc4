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
// Client needs no socket and leaves no goroutine behind, and the server's time
// is time.Now: in a [testing/synctest] bubble its clock is the bubble's, with
// scheduled rotations, recovery windows and all. A Server is an http.Handler,
// and URL serves it over loopback to programs in any language.
//
// # Faults and the ledger
//
// Fail arms faults: throttling, errors, latency, dropped connections, truncated
// answers, garbage, reads that lag behind writes; for the next so many calls,
// for always, or with a probability drawn from a seed.
//
//	srv.Fail(secretstest.Fault{Op: "GetSecretValue", Secret: "prod/db", Times: 3, Code: "ThrottlingException"})
//
// Calls and Count tell which calls arrived and what came of them.
//
// # Rotation
//
// HandleRotation registers a Go function under the ARN of a rotation function,
// and RotateSecret calls it for the four steps. Rotation puts them in the hands
// of the test, which can look at the secret between any two; FailStep makes
// them fail, hang, or arrive twice.
//
// # Regions and callers
//
// The region of a request is that of its signature. Region takes a region down.
// A caller is known by its access key; see Identity. A key of twelve digits is
// the account with that number. Resource policies are enforced. Signatures themselves are not verified, and there is no KMS: any
// key id will do.
//
// # What differs from AWS
//
// Nothing is eventually consistent unless a fault says so, replicas are in sync
// at once, secrets whose recovery window ends are gone that very moment,
// scheduled rotations begin when their window opens, and a failed rotation is
// tried again only by RotateSecret or at its next window. No rate is limited.
package secretstest
