// Package httpcred puts a credential from AWS Secrets Manager into HTTP
// requests. A rotation of the credential fails no request.
//
//	key := secrets.Bind[string](client, "prod/api-key")
//	api := &http.Client{Transport: httpcred.New(key, httpcred.Bearer, nil)}
//
// A [Transport] sends a request with the current version of the secret. If
// another version was found to work in its place, it sends that one. When the
// server rejects a version with 401 (or another response that
// Options.IsRejected accepts), the Transport offers the other versions that
// have a staging label, each once. It uses the first accepted version from then
// on: see [secrets.TryOffer]. If the server accepts none, the caller gets the
// server's unchanged response to the current version.
//
// # Which requests are sent again
//
// A request is sent again, with another version, under two conditions. Its
// method must be idempotent (GET, HEAD, OPTIONS, TRACE, PUT, DELETE), or it
// must have an Idempotency-Key or X-Idempotency-Key header, as in net/http. And
// its body must be empty, or Request.GetBody must be set. No request is sent
// twice with the same version. If a request may not be sent again, its caller
// gets the rejection, and the next request uses what the Transport learned from
// it. So a client that only POSTs sees one rejection per rotation, and none if
// it sets such a header.
//
// # Where the credential goes
//
// http.Client follows redirects; a Transport does not. A redirected request
// carries no credential unless the whole chain stayed with one scheme, host and
// port. A request over plain http to a host other than this one fails before
// anything is sent, unless Options.AllowHTTP is set. Options.Hosts limits the
// hosts that the credential is sent to. Response.Request is the caller's own
// request, without the credential.
//
// # What a rejection costs other requests
//
// While one request offers other versions, other requests with the rejected
// version wait for the result, for at most 10 seconds. A request always goes
// out once. If no better version is known, it goes out with the current one,
// even if that was rejected. So a stray 401 or 403 locks nobody out. It costs
// one more request, with the previous version if there is one, and a check with
// Secrets Manager, at the rate of [secrets.TryOffer]. For Options.Pause
// afterward, the same rejection makes the Transport offer no other version.
//
// Some servers answer 403 to a valid credential that lacks a permission. Let
// Options.IsRejected accept 403 only if the API uses it for unknown keys.
//
// # What this package cannot do
//
// It cannot send a streamed body again. It does not reauthenticate a connection
// that was authenticated once and stays open (a WebSocket, NTLM). It takes a
// 200 response to an unknown key as success, unless Options.IsRejected detects
// the rejection.
package httpcred
