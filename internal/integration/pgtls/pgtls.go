// Package pgtls makes a running PostgreSQL of package dbserver speak TLS.
package pgtls

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
)

// Name is the name in the certificate of the server.
const Name = "localhost"

// Root is the path of the certificate of the authority that signed the
// server's.
func Root(s *dbserver.Server) string { return filepath.Join(s.Dir, "data", "root.crt") }

// Enable makes s accept TLS from now on, beside plain connections.
func Enable(ctx context.Context, s *dbserver.Server) error {
	if err := writeCertificates(filepath.Join(s.Dir, "data")); err != nil {
		return fmt.Errorf("pgtls: %w", err)
	}
	for _, statement := range []string{"ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()"} {
		if _, err := ask(ctx, s, statement); err != nil {
			return fmt.Errorf("pgtls: %w", err)
		}
	}
	for { // the server reloads in its own time
		on, err := ask(ctx, s, "SHOW ssl")
		if err != nil || on == "on" {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// ask has a new session of the administrator run a statement, and returns the
// first value, if there is one.
func ask(ctx context.Context, s *dbserver.Server, statement string) (string, error) {
	conn, err := pgx.Connect(ctx, fmt.Sprintf("host=%s port=%d dbname=%s user=%s password=%s sslmode=disable",
		s.Host, s.Port, s.Database, s.AdminUser, s.AdminPassword))
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	results, err := conn.PgConn().Exec(ctx, statement).ReadAll()
	if err != nil || len(results[0].Rows) == 0 {
		return "", err
	}
	return string(results[0].Rows[0][0]), nil
}

// writeCertificates puts the server's certificate and key into its data folder,
// under the names that PostgreSQL looks for.
func writeCertificates(data string) error {
	root, rootKey, err := certificate("root", nil, nil)
	if err != nil {
		return err
	}
	cert, key, err := certificate(Name, root, rootKey)
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
