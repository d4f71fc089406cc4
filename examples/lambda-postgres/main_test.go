package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
	"github.com/seed-74dc7b3e/secrets/internal/dbserver/dbtest"
	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// RotateSecret has the function, as AWS Lambda calls it, change the password
// of a user of a server with TLS; and change nothing if the server's
// certificate is signed by another authority than those it was given.
func TestRotate(t *testing.T) {
	db := dbtest.Postgres(t, nil)
	authority, crt, key := certificate(t, db.Host)
	enableTLS(t, db, crt, key)
	other, _, _ := certificate(t, db.Host)

	for _, test := range []struct {
		name, user, authority string
		rotates               bool
	}{
		{"right authority", "app", authority, true},
		{"other authority", "other", other, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			const first = "first"
			exec(t, db, fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", test.user, first))
			fake := secretstest.New(t, secretstest.Secrets{"prod/db": fmt.Sprintf(
				`{"engine": "postgres", "host": %q, "port": %d, "username": %q, "password": %q, "dbname": %q}`,
				db.Host, db.Port, test.user, first, db.Database)})
			fake.SetRotation("prod/db", deployed(newHandler(fake.Client(), test.authority)), nil)
			err := fake.Rotation("prod/db").Run()
			var unknown x509.UnknownAuthorityError
			if test.rotates && err != nil || !test.rotates && !errors.As(err, &unknown) {
				t.Errorf("got error %v of the rotation", err)
			}

			current := password(t, fake.Client())
			if rotated := current != first; rotated != test.rotates {
				t.Errorf("got another password: %t, want %t", rotated, test.rotates)
			}
			if err := logIn(t.Context(), db, authority, test.user, current); err != nil {
				t.Errorf("got error %v of a login with AWSCURRENT", err)
			}
			err = logIn(t.Context(), db, authority, test.user, first)
			if refused := rotate.IsRejected(err); refused != test.rotates {
				t.Errorf("got error %v of a login with the first password, want it refused: %t", err, test.rotates)
			}
		})
	}
}

// An event of which a field is missing is an error of the function.
func TestEvent(t *testing.T) {
	fake := secretstest.New(t, secretstest.Secrets{"prod/db": "{}"})
	function := lambda.NewHandler(newHandler(fake.Client(), "none").Handle)
	for _, payload := range []string{
		`{}`,
		`{"Step": "createSecret", "SecretId": "prod/db"}`,
		`{"Step": "dropSecret", "SecretId": "prod/db", "ClientRequestToken": "5b6f1c9e-0f5d-4a58-9c43-1f2d3c4b5a69"}`,
	} {
		if _, err := function.Invoke(t.Context(), []byte(payload)); err == nil {
			t.Errorf("%s: got no error", payload)
		}
	}
	if n := fake.Count(secretstest.Call{Op: "PutSecretValue"}); n != 0 {
		t.Errorf("got %d writes, want none", n)
	}
}

// deployed calls a handler as AWS Lambda does, with events in JSON.
func deployed(h rotate.Handler) secretstest.RotationFunc {
	function := lambda.NewHandler(h.Handle)
	return func(ctx context.Context, e rotate.Event) error {
		payload, err := json.Marshal(e)
		if err != nil {
			return err
		}
		_, err = function.Invoke(ctx, payload)
		return err
	}
}

// password returns what AWSCURRENT has for one.
func password(t *testing.T, api *secretsmanager.Client) string {
	t.Helper()
	out, err := api.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("prod/db")})
	if err != nil {
		t.Fatal(err)
	}
	var login struct{ Password string }
	if err := json.Unmarshal([]byte(*out.SecretString), &login); err != nil {
		t.Fatal("AWSCURRENT is not a JSON object with a password")
	}
	return login.Password
}

// open returns a pool of one connection, with TLS if there is an authority.
func open(db *dbserver.Server, authority, user, password string) (*sql.DB, error) {
	mode := "disable"
	if authority != "" {
		mode = "verify-full sslrootcert='" + authority + "'"
	}
	dsn := fmt.Sprintf("host=%s port=%d dbname=%s user=%s password='%s' sslmode=%s",
		db.Host, db.Port, db.Database, user, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(password), mode)
	pool, err := sql.Open("pgx", dsn)
	if err != nil {
		return nil, errors.New("the driver cannot parse the connection string")
	}
	pool.SetMaxOpenConns(1)
	return pool, nil
}

func logIn(ctx context.Context, db *dbserver.Server, authority, user, password string) error {
	pool, err := open(db, authority, user, password)
	if err != nil {
		return err
	}
	return errors.Join(pool.PingContext(ctx), pool.Close())
}

// exec executes statements as the server's administrator, without TLS.
func exec(t *testing.T, db *dbserver.Server, statements ...string) {
	t.Helper()
	pool, err := open(db, "", db.AdminUser, db.AdminPassword)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for _, s := range statements {
		if _, err := pool.ExecContext(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
}

// enableTLS restarts a server with a certificate. The server writes the files
// itself: it insists on being the owner of the key.
func enableTLS(t *testing.T, db *dbserver.Server, crt, key string) {
	t.Helper()
	const write = `COPY (SELECT unnest(string_to_array('%s', E'\n'))) TO PROGRAM 'umask 077; cat > %s'`
	exec(t, db, fmt.Sprintf(write, crt, "server.crt"), fmt.Sprintf(write, key, "server.key"), "ALTER SYSTEM SET ssl = on")
	if err := errors.Join(db.Halt(), db.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// certificate returns the file of a new authority, and a certificate that it
// signed for a server at host, with its key, in PEM.
func certificate(t *testing.T, host string) (authority, crt, key string) {
	t.Helper()
	root := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := root
	leaf.SerialNumber, leaf.Subject, leaf.IsCA, leaf.KeyUsage = big.NewInt(2), pkix.Name{CommonName: host}, false, x509.KeyUsageDigitalSignature
	leaf.ExtKeyUsage, leaf.IPAddresses = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, []net.IP{net.ParseIP(host)}

	rootKey, err1 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	leafKey, err2 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	rootDER, err1 := x509.CreateCertificate(rand.Reader, &root, &root, rootKey.Public(), rootKey)
	leafDER, err2 := x509.CreateCertificate(rand.Reader, &leaf, &root, leafKey.Public(), rootKey)
	keyDER, err3 := x509.MarshalPKCS8PrivateKey(leafKey)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	text := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	authority = filepath.Join(t.TempDir(), "authority.pem")
	if err := os.WriteFile(authority, []byte(text("CERTIFICATE", rootDER)), 0o600); err != nil {
		t.Fatal(err)
	}
	return authority, text("CERTIFICATE", leafDER), text("PRIVATE KEY", keyDER)
}
