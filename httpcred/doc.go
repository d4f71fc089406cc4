// Package httpcred puts a credential that rotates into HTTP requests. The
// credential is in AWS Secrets Manager, and a rotation of it costs no failed
// request.
//
//	key := secrets.Bind[string](client, "prod/api-key")
//	api := &http.Client{Transport: httpcred.New(key, httpcred.Bearer, nil)}
//
// A [Transport] sends a request with the current version of the secret or, while
// another was found to work in its place, with that. When the server rejects it
// with 401 (or what Options.IsRejected says) the other versions that have a
// staging label are offered, each once, and the first that is accepted is used
// from then on: see [secrets.TryOffer]. If none is, the caller gets the
// server's own response to the current version, as it came.
//
// # What is sent again
//
// A request is sent again, with another version, if its method is idempotent
// (GET, HEAD, OPTIONS, TRACE, PUT, DELETE) or it has an Idempotency-Key or
// X-Idempotency-Key header, as in net/http, and if its body can be had again:
// there is none, or Request.GetBody is set. No request is sent twice with one
// version. The caller of one that may not be sent again gets the rejection; what
// was learnt from it serves the next request. So a client that only POSTs sees
// one rejection a rotation, and none if it marks its requests.
//
// # Where the credential goes
//
// Redirects are followed by http.Client, not here, but a request that a redirect
// led to carries no credential unless the whole chain stayed with one scheme,
// host and port. Requests over plain http to other hosts than this one are
// refused before anything is sent, unless Options.AllowHTTP says otherwise, and
// Options.Hosts names the only hosts that may be asked. Response.Request is the
// caller's own request, without the credential.
//
// # What a rejection costs others
//
// While one request offers other versions, those whose version was rejected
// wait for what it finds, but no longer than 10 seconds. A request always goes
// out once: where nothing better is known, with the current version, rejected or
// not. So a stray 401 or 403 locks nobody out. It costs one more request, with
// the previous version where there is one, and a question to Secrets Manager at
// the pace of [secrets.TryOffer]; for Options.Pause after it no other version
// is offered on its account.
//
// A server that rejects a version for what was asked for, not for who asked,
// should not be believed: let Options.IsRejected take 403 only where the API
// uses it for unknown keys.
//
// # What this package cannot do
//
// A body that was streamed cannot be sent again. A connection that was
// authenticated once and stays open (a WebSocket, NTLM) is not authenticated
// anew. A server that answers 200 to an unknown key is believed, unless
// Options.IsRejected looks closer.
package httpcred
