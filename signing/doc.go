// Package signing signs and verifies with keys from AWS Secrets Manager. A
// rotation of the key invalidates nothing that was signed before it.
//
//	keys := signing.New(client, "prod/token-key", nil)
//	id, sig, err := keys.Sign(ctx, message)   // sends id along
//	...
//	err = keys.Verify(ctx, id, message, sig)  // here, or in another process
//
// The id of a key is the id of the secret's version. A secret is either an
// Ed25519 private key, as PEM (PKCS #8), or anything else of at least 32 bytes,
// the key of an HMAC with SHA-256; or a JSON object with one of these in the
// field key. A version's own kind decides how what it signed is verified, so
// nobody can have a public key taken for an HMAC's.
//
// # How long what
//
// Every version with a staging label verifies: what was signed with a key is
// valid until the key has lost its last label, which it does at the second
// rotation after the one that made it current. Options.Grace adds to that, in
// processes that saw the key before; a label of one's own on a version keeps it
// everywhere.
//
// What signs goes over to a new key only when that has been current, or there,
// for Options.Lead, 15 minutes by default, and signs with the previous one until
// then. So verifiers may lag behind by as much: a verifier with the client's
// default TTL knows a new key after 5 minutes, and one that reads the JWKS
// document 5 minutes later at most. A verifier that meets a key that it does not
// know asks the service, once in 10 seconds at most, so that also one that lags
// by more, or a signer without a Lead, is covered where the service answers.
// Lead also has to cover the difference between the clocks of the two.
//
// From this follows how far apart rotations must be: further than Lead, the
// TTL of the signers' client, and the longest time for which something signed
// has to stay valid, together.
//
// # JWKS
//
// [Keys.JWKSHandler] serves the public keys, as RFC 8037 has them, for verifiers
// that must not read the secret. Keys of HMACs are never in it.
//
// # What this package cannot do
//
// It makes no tokens: see the example of [Keys.Signer] for a JWT, whose claims
// are yours to check. A key that was compromised verifies until its version has
// no label: take it off, and verifiers cease to accept it within their TTL (with
// Grace zero).
package signing
