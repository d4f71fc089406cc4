package redistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
	"github.com/seed-74dc7b3e/secrets/internal/dbserver/dbtest"
	"github.com/seed-74dc7b3e/secrets/internal/integration/redisclients"
	"github.com/seed-74dc7b3e/secrets/rediscred"
	"github.com/seed-74dc7b3e/secrets/rotate"
)

// connections returns the server's numbers of the user's connections.
func (r *rig) connections() []int64 {
	r.Helper()
	list, err := r.s.Redis("CLIENT", "LIST")
	if err != nil {
		r.Fatal(err)
	}
	var ids []int64
	for line := range strings.Lines(list.(string)) {
		if !strings.Contains(line, " user="+r.user+" ") {
			continue
		}
		id, err := strconv.ParseInt(strings.TrimPrefix(strings.Fields(line)[0], "id="), 10, 64)
		if err != nil {
			r.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

// What a rotation changed is there after a restart, and the password from
// before it is kept until the next one.
func TestRotatorStores(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.Redis(t, nil), nil)
	var passwords []string
	for range 3 {
		r.rotate()
		v, err := r.client.Get(t.Context(), secretID)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := v.Text()
		password, err := rotate.Text(text).Field("password")
		if err != nil {
			t.Fatal(err)
		}
		passwords = append(passwords, password)
	}
	if err := errors.Join(r.s.Halt(), r.s.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{false, true, true} {
		c := goredis.NewClient(&goredis.Options{Addr: r.s.Addr(), Username: r.user, Password: passwords[i], MaxRetries: -1, DialerRetries: 1})
		if err := c.Ping(t.Context()).Err(); (err == nil) != want {
			t.Errorf("password %d after a restart: %v, want it to log in: %t", i+1, err, want)
		}
		c.Close()
	}
	log, err := os.ReadFile(r.s.LogFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range passwords {
		if strings.Contains(string(log), p) {
			t.Error("a password is in the server's log")
		}
	}
}

// A user without a master changes the own password.
func TestRotatorOwnPassword(t *testing.T) {
	t.Parallel()
	r := newRig(t, redis.Server(t), nil)
	text := strings.Replace(r.currentText(), fmt.Sprintf(`,"masterarn":%q`, masterID), "", 1)
	r.srv.Put(secretID, text)
	err := rotate.Run(t.Context(), r.srv.Client(), secretID, rotate.Redis(nil))
	if err == nil || !strings.Contains(err.Error(), "NOPERM") {
		t.Fatalf("got %v, want the server to refuse it to a user without the permission", err)
	}
	r.acl("SETUSER", r.user, "+acl|getuser", "+acl|setuser", "+acl|save", "+cluster|nodes")
	h := rotate.Handler{API: r.srv.Client(), Rotator: rotate.Redis(nil), ResumeAfter: -1}
	for range 2 {
		if _, err := h.Run(t.Context(), secretID); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.dialer.DialContext(t.Context(), "tcp", r.s.Addr()); err != nil {
		t.Error(err)
	}
}

func (r *rig) currentText() string {
	r.Helper()
	s, err := r.client.Get(r.Context(), secretID)
	if err != nil {
		r.Fatal(err)
	}
	text, err := s.Text()
	if err != nil {
		r.Fatal(err)
	}
	return text
}

// certificate makes one for 127.0.0.1, in files that anybody can read.
func certificate(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "redistest-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // the server is another user
		t.Fatal(err)
	}
	write := func(name, kind string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pool = x509.NewCertPool()
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(ca)
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", pkcs8), pool
}

// A server that speaks TLS and nothing else: rotated, and used by each client.
func TestTLS(t *testing.T) {
	t.Parallel()
	cert, key, pool := certificate(t)
	s := dbtest.Redis(t, &dbserver.Options{Settings: []string{
		"tls-cert-file=" + cert, "tls-key-file=" + key, "tls-ca-cert-file=" + cert, "tls-auth-clients=no",
	}})
	r := newRig(t, s, &rediscred.Options{TLS: &tls.Config{RootCAs: pool}, RetireOver: time.Millisecond})
	for _, id := range []string{secretID, masterID} {
		v, err := r.client.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := v.Text()
		r.srv.Put(id, strings.Replace(text, `"ssl":false`, `"ssl":true`, 1))
	}
	var loads []func() int
	for _, k := range redisclients.Kinds {
		loads = append(loads, r.load(r.pool(k, 50*time.Millisecond), 2))
	}
	rotator := rotate.Redis(&rotate.RedisOptions{TLS: &tls.Config{RootCAs: pool}})
	for range 3 {
		if err := rotate.Run(t.Context(), r.srv.Client(), secretID, rotator); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Millisecond)
	}
	for _, stop := range loads {
		if stop() == 0 {
			t.Error("no command was sent")
		}
	}
	if err := rotate.Run(t.Context(), r.srv.Client(), secretID, rotate.Redis(nil)); err == nil || !strings.Contains(err.Error(), "TLS") {
		t.Errorf("got %v, want a certificate that the system does not know to be refused", err)
	}
	if _, err := rediscred.New(r.client, secretID, nil).DialContext(t.Context(), "tcp", s.Addr()); err == nil || errors.As(err, new(*secrets.RejectedError)) {
		t.Errorf("got %v, want an error of TLS", err)
	}
}
