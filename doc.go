// Package secrets reads and caches secrets of AWS Secrets Manager.
//
// A [Client] caches each secret that it reads. A read of a cached secret takes
// nanoseconds. A secret in use is refreshed in the background before it expires,
// and it is served for hours while Secrets Manager is unavailable.
//
//	client, err := secrets.New(secretsmanager.NewFromConfig(cfg), nil)
//	...
//	defer client.Close()
//
//	key, err := secrets.Get[string](ctx, client, "prod/api-key")
//
// [Get] and [Bind] decode a secret into a type that the program defines. They
// decode once for each version, not at every read. A version that does not decode
// is not adopted: a bad new version does not replace a good old one.
//
//	type Login struct {
//		Username string `json:"username"`
//		Password string `json:"password"`
//	}
//
//	ref := secrets.Bind[Login](client, "prod/db") // keep it: it is the fast way
//	login, err := ref.Get(ctx)
//
// By default a misspelled JSON key leaves its field zero. The tags
// secret:"required" and, on a blank field, secret:"strict" make it an error: see
// [Bind].
//
// # Rotation
//
// At some moments of a password's rotation the database accepts only the pending
// or the previous version. [Try] handles these moments: when a use rejects the
// current version, Try offers it the pending and then the previous version. It
// does so once for the whole process.
//
//	conn, err := secrets.Try(ctx, ref, func(ctx context.Context, l Login) (*Conn, error) {
//		c, err := dial(ctx, l)
//		return c, secrets.RejectedIf(err, isAuthError)
//	})
//
// Package sqlcred does this for database/sql, and package httpcred for HTTP.
// Code that verifies or decrypts needs every key that is in use: see
// [Ref.Versions] and packages signing and tlscred.
//
// # Identity
//
// A program may ask for a secret by its name, its ARN, or its ARN without the
// random suffix. All of them share one cache entry, identified by the ARN in the
// service's answer. If the service answers for a name with another ARN than
// before, the old secret was deleted and a new one was created under its name.
// The cache then drops the old secret under all of its ids, and reads return the
// new one.
//
// # Failures
//
// The error code of the service decides what happens to a cached secret. Some
// errors are definite: not found, scheduled for deletion, access denied, KMS key
// refused. If the service answers a request for the current version with one of
// them, the secret leaves the cache and reads return the error. All other errors
// are transient: timeouts, lost connections, throttling, server errors, missing
// credentials, unknown codes. The old version then stays in service for up to
// Options.MaxStale (36 hours by default), and the client retries after random
// delays that grow to 15 minutes. As soon as the service answers any request, all
// failed secrets are retried within a minute.
//
// Only an answer of Secrets Manager itself is definite. A refusal by STS or
// another source of credentials says nothing about the secret and is transient.
// The table in [docs/credentials.md] lists each kind of credentials failure.
//
// # Regions and accounts
//
// The client asks for a name in the region of the API that [New] was given, and
// for an ARN in the region that the ARN names. It sets the region of a call with
// the SDK's per-call options. Options.APIFor can return a separate API for the
// secrets of another account, with the credentials of a role there. All APIs
// share one cache.
//
// Options.Replicas are the regions that the secrets are replicated to. The client
// asks the next region if one fails or does not answer within
// Options.RegionTimeout. A read without a cached value waits only for
// Options.HedgeDelay before the next region is asked as well.
//
// An answer of the first region is final, also if it is an error such as "not
// found" or "access denied". The same error from a replica is not final and drops
// no cached secret. A replica may lag: its version is adopted if it is newer
// than the cached one, and never if it is older than a version that was read
// before, however often the replica repeats it. Only the first region can show that a secret went back to an older
// version. A region that failed is not used; it is probed at most every 30
// seconds and used again once it answers. While the first region answers in time,
// replicas cost no calls.
//
// Regions that share credentials also share credentials failures. After such a
// failure the client does not ask a replica, unless Options.APIFor returns an API
// with its own credentials for it.
//
// # Clocks
//
// With [RefreshAhead], ages are measured by the monotonic clock, so a change of
// the system time has no effect. A process that was suspended, or restored from a
// virtual machine's snapshot, serves its cached values for at most the rest of
// their TTL before it asks the service. With [RefreshOnRead], ages are measured
// by the wall clock, and the first read after such a pause asks the service. If
// the wall clock was set back, a negative age counts as too old.
//
// # Freshness
//
// While the service answers, readers of a secret in use get a new version within
// Options.TTL plus the time of one request and of decoding the version. No value
// is served longer than the larger of Options.TTL and Options.MaxStale after the
// service last confirmed it. A version that is older than the cached one, or that
// the cached one replaced, is adopted only if two checks agree, about two seconds
// apart: a lagging replica may have answered the first.
//
// # Values do not leak
//
// Errors and log records never contain a secret value. The types of this package
// do not show one when package fmt, log/slog or encoding/json prints them. A
// program's own types, into which secrets are decoded, have no such protection:
// the program must keep them out of its logs.
//
// # Operation
//
// [Load] prepares handles when a service starts. [Ready] reports from memory
// whether they can be read. [Client.Status] and [Client.Statuses] return what is
// known of each secret, and [Client.Stats] returns counters. Options.OnEvent
// receives everything that happens as an [Event]; log records are made from the
// same events. [ClassOf] sorts errors into a few stable classes.
//
// # Permissions
//
// The only required permission is secretsmanager:GetSecretValue, with kms:Decrypt
// if the secret has a customer managed key. With secretsmanager:DescribeSecret, a
// refresh does not decrypt, rotation schedules are known, and [Client.Versions]
// includes versions with custom labels. With secretsmanager:BatchGetSecretValue,
// [Client.Prefetch] reads 20 secrets a request.
//
// [docs/credentials.md]: https://github.com/seed-74dc7b3e/secrets/blob/main/docs/credentials.md
package secrets
