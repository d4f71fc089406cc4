package snapshotfile_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
	"github.com/seed-74dc7b3e/secrets/snapshotfile"
)

// A process starts while the service is out of reach.
func Example() {
	srv := secretstest.NewServer(nil)
	defer srv.Close()
	srv.Put("prod/api-key", "k-123")
	dir, _ := os.MkdirTemp("", "snapshot")
	defer os.RemoveAll(dir)

	block, _ := aes.NewCipher(make([]byte, 32)) // the key comes from elsewhere than the file
	aead, _ := cipher.NewGCM(block)
	opts := &secrets.Options{Logger: slog.New(slog.DiscardHandler), Snapshot: &secrets.Snapshot{
		Store: snapshotfile.New(filepath.Join(dir, "secrets.sealed")), AEAD: aead, Account: "123456789012",
		Wait: 100 * time.Millisecond,
	}}

	before, _ := secrets.New(srv.Client(), opts)
	before.Get(context.Background(), "prod/api-key")
	before.Close()

	srv.Fail(secretstest.Outage())
	after, _ := secrets.New(srv.Client(), opts)
	defer after.Close()
	key, err := secrets.Get[string](context.Background(), after, "prod/api-key")
	fmt.Println(key, err)
	// Output: k-123 <nil>
}
