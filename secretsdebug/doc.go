// Package secretsdebug serves a web page that shows the state of a secrets
// client. The page shows which version of each secret is in use, since when it
// is stale, why its refresh fails, whether a rotation is stuck, and what the
// requests to Secrets Manager cost.
//
//	var log secretsdebug.Log // optional: longer timelines, errors, secrets that are gone
//	client, err := secrets.New(api, &secrets.Options{OnEvent: log.OnEvent})
//	...
//	admin.Handle("/debug/secrets", secretsdebug.Handler(client, &log))
//
// The page lists the cached secrets, starting with those that need attention.
// It links to a timeline of each secret with its versions, its failures and the
// events of its rotations. It works without JavaScript, in light and dark mode,
// and on a phone. A client that accepts application/json gets JSON.
//
// # What the page shows, and to whom
//
// The page never contains a secret value, or anything derived from one. It does
// contain the names and ARNs of secrets, version ids, Go type names, and the
// error texts of AWS, which name the caller. Serve it only to operators, with
// the same protection as net/http/pprof. The package registers no handler by
// itself. The page has no form that changes anything. A request to it makes no
// call to Secrets Manager: it reads only memory, and does not count as a read
// of a secret. All ids are escaped, and the page's Content-Security-Policy
// forbids everything but its own style sheet.
//
// The page shows only what this process knows. The client does not check a
// secret that nobody reads, and without secretsmanager:DescribeSecret it knows
// nothing about rotations.
package secretsdebug
