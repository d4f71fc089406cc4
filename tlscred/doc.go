// Package tlscred serves and verifies TLS with certificates that are secrets.
// They are in AWS Secrets Manager, and replacing one costs no failed handshake
// and no restart.
//
//	cert := tlscred.New(client, "prod/tls", nil)
//	server := &http.Server{TLSConfig: &tls.Config{GetCertificate: cert.GetCertificate}}
//
// A [Certificate] follows a secret that holds a private key and its chain. It
// is parsed once for each version. A new version is used from the first
// handshake after the client has it, within Options.TTL of the client; one that
// is broken, does not fit its key, is not valid yet or has expired does not
// take the place of one that works: the last good one stays, and where the
// process has none, as after a restart, the version under AWSPREVIOUS. What is
// not valid yet is used once it is. [Certificate.Status] tells which one is in
// use, until when, and why a newer one is not.
//
// # Forms
//
// The secret is PEM text with the key and the certificates in any order, or a
// JSON object with PEM in its fields: certificate or cert (also tls.crt), key or
// private_key (tls.key), and chain or certificate_chain; case, underscores,
// hyphens and dots do not matter. Encrypted keys are refused.
//
// PKCS#12 is read by Options.Decode, with a library that is maintained:
//
//	Decode: func(s *secrets.Secret) (*tls.Certificate, error) {
//		key, leaf, _, err := pkcs12.DecodeChain(s.Bytes(), password) // software.sslmate.com/src/go-pkcs12
//		if err != nil {
//			return nil, err
//		}
//		return &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}, nil
//	}
//
// # Certificate authorities
//
// A [Pool] is the certificates of the authorities to trust: those of every
// version of its secret that has a staging label. So while authorities are
// being replaced both are trusted, as long as the older one keeps the label
// AWSPREVIOUS: certificates signed by either verify. Put the new authority into
// its secret first, and what it signed into others only when every process has
// read that, after the TTL of their clients. To cease to trust an authority at
// once take the label off its version. [ServerConfig] makes a server verify its
// clients by a pool, [Dialer] a client its servers.
//
// # What this package cannot do
//
// Connections that are open stay as they were: with the certificate that they
// were made with, also where that has expired since. A peer whose clock is slow
// may refuse a certificate whose validity has just begun: let it begin some time
// before it is put into the secret. Revocation is not looked at. Where the
// service says no, because the secret was deleted or may not be read, handshakes
// fail, as reads of any secret do; an outage of the service costs nothing.
package tlscred
