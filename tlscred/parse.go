package tlscred

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"slices"
	"strings"

	"github.com/seed-74dc7b3e/secrets"
)

// A fault describes what is wrong with a value, without quoting the value.
type fault string

func (f fault) Error() string { return string(f) }

const (
	noPEM     fault = "it is neither PEM nor a JSON object with PEM in the fields certificate and key"
	noKey     fault = "there is no private key in it"
	noCert    fault = "there is no certificate in it"
	encrypted fault = "its private key is encrypted"
	badKey    fault = "its private key cannot be read"
	badCert   fault = "a certificate in it cannot be read"
	noMatch   fault = "its private key belongs to none of its certificates"
)

// The names that a JSON field may have, see plain.
var (
	certNames  = []string{"certificate", "cert", "crt", "tlscrt", "certificatepem", "certpem"}
	keyNames   = []string{"privatekey", "key", "tlskey", "privatekeypem", "keypem"}
	chainNames = []string{"certificatechain", "chain", "cachain", "intermediates", "certificatechainpem"}
	caNames    = []string{"ca", "cacrt", "cabundle", "bundle", "cacertificate", "cacertificates", "roots", "certificate", "certificates"}
)

// plain returns a field name in lower case without separators.
func plain(name string) string {
	return strings.NewReplacer("_", "", "-", "", ".", "", " ", "").Replace(strings.ToLower(name))
}

// fieldsOf returns the text of the fields of a JSON object with any of the
// names. ok is false if the value is not such an object.
func fieldsOf(value []byte, names ...string) (text []byte, ok bool) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(value, &fields) != nil {
		return nil, false
	}
	for _, name := range names {
		for key, raw := range fields {
			if plain(key) != name {
				continue
			}
			var one string
			var many []string
			if json.Unmarshal(raw, &one) == nil {
				many = []string{one}
			} else if json.Unmarshal(raw, &many) != nil {
				continue
			}
			text = append(text, "\n"+strings.Join(many, "\n")+"\n"...)
		}
	}
	return text, true
}

// parse makes a certificate of a secret in one of the forms that the package
// documentation lists.
func parse(s *secrets.Secret) (*tls.Certificate, error) {
	value := s.Bytes()
	text, ok := fieldsOf(value, slices.Concat(certNames, chainNames, keyNames)...)
	if !ok {
		text = value
	}
	var key crypto.Signer
	var chain []*x509.Certificate
	found := false
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		found = true
		switch {
		case block.Type == "CERTIFICATE":
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, badCert
			}
			chain = append(chain, cert)
		case strings.HasSuffix(block.Type, "PRIVATE KEY") && key == nil:
			var err error
			if key, err = parseKey(block); err != nil {
				return nil, err
			}
		}
	}
	switch {
	case !found:
		return nil, noPEM
	case key == nil:
		return nil, noKey
	case len(chain) == 0:
		return nil, noCert
	}
	return assemble(key, chain)
}

func parseKey(block *pem.Block) (crypto.Signer, error) {
	if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
		return nil, encrypted
	}
	var key any
	var err error
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok {
		return nil, badKey
	}
	return signer, nil
}

// assemble puts the certificate that the key belongs to in front of the others.
func assemble(key crypto.Signer, chain []*x509.Certificate) (*tls.Certificate, error) {
	i := slices.IndexFunc(chain, func(c *x509.Certificate) bool { return fits(key, c) })
	if i < 0 {
		return nil, noMatch
	}
	cert := &tls.Certificate{Certificate: [][]byte{chain[i].Raw}, PrivateKey: key, Leaf: chain[i]}
	for j, c := range chain {
		if j != i && !bytes.Equal(c.Raw, chain[i].Raw) {
			cert.Certificate = append(cert.Certificate, c.Raw)
		}
	}
	return cert, nil
}

func fits(key crypto.Signer, c *x509.Certificate) bool {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(c.PublicKey)
}

// newPair checks what was decoded.
func newPair(version string, cert *tls.Certificate) (*pair, error) {
	if cert == nil || len(cert.Certificate) == 0 {
		return nil, noCert
	}
	signer, ok := cert.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, noKey
	}
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		return nil, badCert
	}
	if !fits(signer, leaf) {
		return nil, noMatch
	}
	cert.Leaf = leaf
	return &pair{version, cert, leaf}, nil
}

// parseAuthorities returns the certificates in a secret for a Pool.
func parseAuthorities(s *secrets.Secret) ([]*x509.Certificate, error) {
	value := s.Bytes()
	text, ok := fieldsOf(value, caNames...)
	if !ok {
		text = value
	}
	var all []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, badCert
		}
		all = append(all, cert)
	}
	if len(all) == 0 {
		return nil, noCert
	}
	return all, nil
}
