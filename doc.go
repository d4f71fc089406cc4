// Package secrets reads AWS Secrets Manager from services.
//
// A [Client] caches what it reads: a secret that is in use costs nanoseconds to
// read, is refreshed in the background before it expires, and stays in service
// for hours while Secrets Manager cannot be asked.
//
//	client, err := secrets.New(secretsmanager.NewFromConfig(cfg), nil)
//	...
//	defer client.Close()
//
//	key, err := secrets.Get[string](ctx, client, "prod/api-key")
//
// [Get] and [Bind] decode a secret into a type of the program's own, once for
// each version and not once for each read. What does not decode is not adopted:
// a bad new version does not take the good old one's place.
//
//	type Login struct {
//		Username string `json:"username"`
//		Password string `json:"password"`
//	}
//
//	ref := secrets.Bind[Login](client, "prod/db") // keep it: it is the fast way
//	login, err := ref.Get(ctx)
//
// The tags secret:"required" and, on a blank field, secret:"strict" ask more of
// the JSON, so that a misspelled key is an error: see [Bind].
//
// # Rotation
//
// While a password is being rotated there are moments in which the database
// takes only a version that is not current yet, or not current any more. [Try]
// lives through them: when what it is used for rejects the current version it
// offers the pending and the previous one, once for the whole process.
//
//	conn, err := secrets.Try(ctx, ref, func(ctx context.Context, l Login) (*Conn, error) {
//		c, err := dial(ctx, l)
//		return c, secrets.RejectedIf(err, isAuthError)
//	})
//
// Package sqlcred does that for database/sql, package httpcred for HTTP. What
// verifies or decrypts must know every key that is in use instead: see
// [Ref.Versions], and packages signing and tlscred.
//
// # Identity
//
// A secret may be asked for by its name, its ARN, or its ARN without the random
// suffix. All share one entry of the cache, by what the service says the ARN
// is. A name under which the service shows another ARN than before names a secret
// that was deleted and recreated: whatever was cached of the old one is dropped,
// by all of its names, and reads follow the new one.
//
// # Failures
//
// What the cache does with an error of the service is decided by its code.
// Answers that mean no (not found, scheduled for deletion, access denied, the
// key refused) to a request for the current version take the secret out of the
// cache, and reads return the error. Everything else (timeouts, connections,
// throttling, server errors, credentials, codes not known here) leaves the old
// version in service for up to Options.MaxStale, 36 hours unless set otherwise,
// while it is tried again with a random delay that grows to 15 minutes. When
// the service is seen to answer again everything that failed is tried within a
// minute. It is Secrets Manager's own answer that counts: a refusal by STS or
// another source of credentials says nothing about the secret. The table in
// [docs/credentials.md] has each kind of such failure.
//
// # Regions and accounts
//
// A name is asked for in the region of the API that [New] was given, and an ARN in
// the region that it names, through the SDK's option of a call's region.
// Options.APIFor may give the secrets of other accounts an API each, with the
// credentials of a role there. All share one cache.
//
// Options.Replicas are regions that the secrets are replicated to. They are asked
// where the first region does not answer: a failure, or Options.RegionTimeout,
// leads on to the next, and a read that has no cached value to return does not
// even wait for that, but for Options.HedgeDelay. What the first region answers is
// final, a no too; the no of a replica is none, and drops nothing. A replica may
// lag: what it calls current is adopted where it is newer, and never where it is
// older than what was read before, however often it is repeated; only the first
// region can show that a version went back. A region that failed is left alone,
// probed every 30 seconds at most, and asked again as soon as it answers. While
// the first region is well replicas cost no call.
//
// Regions that share credentials share their failures, too: those lead on to no
// replica, unless Options.APIFor gives it an API with its own.
//
// # Clocks
//
// With [RefreshAhead] ages are measured by how long the process has run: to set
// the clock changes nothing, and a process that was suspended, or restored from a
// snapshot, serves what it had for the rest of its TTL at most before it asks.
// With [RefreshOnRead] they are measured by the wall clock: the first read after
// such a pause asks. An age below zero, where the clock was set back, counts as
// too old.
//
// # Freshness
//
// Where the service answers, readers of a secret that is being read get a new
// version within Options.TTL and the time of one request, and of decoding it.
// No value is served longer than Options.TTL or Options.MaxStale, whichever is
// more, after the service last confirmed it. A version that is older than the
// cached one, or was replaced by it, is adopted only when two checks agree, about
// two seconds apart: one alone may have been answered by a replica that lags.
//
// # Values do not leak
//
// No value is ever in an error, a log record, or what package fmt, log/slog or
// encoding/json make of any type of this package. A type of the program's own,
// that a secret was decoded into, is the program's own to keep from logs.
//
// # Operation
//
// [Load] readies handles at the start of a service, and [Ready] says from memory
// whether they can be read. [Client.Status] and [Client.Statuses] tell what is known
// of each secret, and [Client.Stats] counts. Options.OnEvent is told of everything
// that happens as an [Event]; what is logged are the same events. [ClassOf] sorts
// errors into a few stable classes.
//
// # Permissions
//
// secretsmanager:GetSecretValue is enough, and kms:Decrypt where the secret has
// a key of its own. With secretsmanager:DescribeSecret a refresh does not
// decrypt, rotation schedules are known, and custom labels are seen by
// [Client.Versions]. With secretsmanager:BatchGetSecretValue [Client.Prefetch]
// reads 20 secrets a request.
//
// [docs/credentials.md]: https://github.com/seed-74dc7b3e/secrets/blob/main/docs/credentials.md
package secrets
