// Package signing signs and verifies with keys from AWS Secrets Manager. A
// rotation of the key invalidates no signature that was made before it.
//
//	keys := signing.New(client, "prod/token-key", nil)
//	id, sig, err := keys.Sign(ctx, message)   // sends id along
//	...
//	err = keys.Verify(ctx, id, message, sig)  // here, or in another process
//
// The id of a key is the id of the secret's version. A secret is an Ed25519
// private key, as PEM (PKCS #8), or any other value of at least 32 bytes, which
// is the key of an HMAC with SHA-256. It may also be a JSON object with one of
// these in the field key. The kind of the version's own key decides how a
// signature is verified, so nobody can pass off a public key as an HMAC key.
//
// # How long keys sign and verify
//
// Every version with a staging label verifies. A signature is valid until its
// key loses its last label, at the second rotation after the one that made the
// key current. [Options].Grace extends this time in processes that saw the key
// before. To keep a key valid in all processes, put a custom label on its
// version.
//
// A signer uses a new key only after it has been current, or has existed, for
// [Options].Lead, by default 15 minutes. Until then it signs with the previous
// key. So verifiers may lag behind by that time: a verifier with the client's
// default TTL has a new key after 5 minutes, and a reader of the JWKS document
// at most 5 minutes later. A verifier that gets an unknown key id asks the
// service, at most once in 10 seconds. If the service answers, this covers
// verifiers that lag by more, and signers without a Lead. Lead must also cover
// the difference between the clocks of signer and verifier.
//
// Therefore the time between rotations must be longer than the sum of three
// times: Lead, the TTL of the signers' client, and the longest time that a
// signature must stay valid.
//
// # JWKS
//
// [Keys.JWKSHandler] serves the public keys, in the format of RFC 8037, for
// verifiers that must not read the secret. It never serves HMAC keys.
//
// # What this package cannot do
//
// It makes no tokens. The example of [Keys.Signer] makes a JWT; the program
// must check the claims itself. A compromised key verifies as long as its
// version has a label: remove all its labels, and verifiers stop accepting it
// within their TTL (if Grace is zero).
package signing
