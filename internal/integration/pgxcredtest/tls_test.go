package pgxcredtest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// writeCertificates puts the certificate of a server called localhost into its
// data folder, under the names that PostgreSQL looks for, and that of the
// authority that signed it, root.crt.
func writeCertificates(data string) error {
	root, rootKey, err := certificate("root", nil, nil)
	if err != nil {
		return err
	}
	cert, key, err := certificate("localhost", root, rootKey)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(
		writePEM(filepath.Join(data, "root.crt"), "CERTIFICATE", root.Raw),
		writePEM(filepath.Join(data, "server.crt"), "CERTIFICATE", cert.Raw),
		writePEM(filepath.Join(data, "server.key"), "PRIVATE KEY", der),
	)
}

// certificate makes one for name, signed by parent, or by itself if that is nil.
func certificate(name string, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	if parent == nil {
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return cert, key, err
}

// writePEM makes a file that only the owner of its folder can read, and root.
func writePEM(path, kind string, der []byte) error {
	text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return err
	}
	info, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.New("the folder's owner is not known")
	}
	return os.Chown(path, int(owner.Uid), int(owner.Gid))
}
