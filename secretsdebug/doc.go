// Package secretsdebug is a page that shows what a secrets.Client knows. It is
// for operators, and says which version of each secret is in use, since when it
// is stale, why its refresh fails, whether a rotation is stuck, and what the
// requests to Secrets Manager cost.
//
//	var log secretsdebug.Log // optional: longer timelines, errors, secrets that are gone
//	client, err := secrets.New(api, &secrets.Options{OnEvent: log.OnEvent})
//	...
//	admin.Handle("/debug/secrets", secretsdebug.Handler(client, &log))
//
// The page lists the cached secrets, those first that need somebody's attention,
// and leads to a timeline of each: its versions, its failures, the moments of its
// rotations. It works without JavaScript, in light and dark, on a telephone, and
// is JSON to a client that accepts application/json.
//
// # What it shows, and to whom
//
// The page never holds a value, or anything that was made of one. It does hold
// the names and ARNs of secrets, version ids, Go type names, and the error texts
// of AWS, which name the caller: serve it where operators are, behind the same
// door as net/http/pprof. It registers itself nowhere, has no form that changes
// anything, and asks Secrets Manager nothing: a request reads what is in
// memory and does not count as a read of a secret. Ids are shown as text
// whatever they are made of, and the page's Content-Security-Policy forbids
// everything but its own style sheet.
//
// It tells what this process knows, which may be less than what is so: a secret
// that nobody reads is not checked, and without secretsmanager:DescribeSecret
// nothing is known of rotations.
package secretsdebug
