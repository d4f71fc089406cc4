// Package tlscred provides TLS certificates and trust pools from AWS Secrets
// Manager. Replacing a certificate needs no restart and fails no handshake.
//
//	cert := tlscred.New(client, "prod/tls", nil)
//	server := &http.Server{TLSConfig: &tls.Config{GetCertificate: cert.GetCertificate}}
//
// A [Certificate] follows a secret that holds a private key and its certificate
// chain. Each version is parsed once. A new version is used from the first
// handshake after the client has it, within Options.TTL of the client. A
// version that does not parse, does not match its key, is not valid yet, or has
// expired does not replace a working one: the last good version stays in use.
// If the process has no good version, for instance after a restart, it uses the
// AWSPREVIOUS version. A certificate that is not valid yet is used as soon as
// it is valid. [Certificate.Status] reports the certificate in use, when it
// expires, and why a newer one is not used.
//
// # Formats
//
// The secret is PEM text with the key and the certificates in any order, or a
// JSON object with PEM in its fields: certificate or cert (also tls.crt), key
// or private_key (also tls.key), and chain or certificate_chain. Case,
// underscores, hyphens and dots in field names do not matter. Encrypted keys
// are refused.
//
// To read PKCS#12, set Options.Decode and use a maintained library:
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
// A [Pool] contains the certificates of trusted authorities, from every version
// of its secret that has a staging label. So during the replacement of an
// authority both authorities are trusted, as long as the older one keeps the
// label AWSPREVIOUS. Put the new authority into the pool's secret first. Deploy
// certificates that it signed only after every process has read the new pool,
// that is, after the TTL of their clients. To stop trusting an authority,
// remove the label from its version. With [ServerConfig] a server verifies its
// clients by a pool; with a [Dialer] a client verifies its servers.
//
// # What this package cannot do
//
// Open connections keep the certificate that they were made with, even after it
// expires. A peer whose clock is slow may refuse a certificate whose validity
// has just begun, so let the validity begin some time before you put the
// certificate into the secret. Revocation is not checked. If the service
// refuses a read, because the secret was deleted or access is denied,
// handshakes fail, as reads of any secret do. An outage of the service fails no
// handshake.
package tlscred
