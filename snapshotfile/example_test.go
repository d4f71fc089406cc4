package snapshotfile_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
	"github.com/seed-74dc7b3e/secrets/snapshotfile"
)

// A process starts while the service cannot be reached.
func Example() {
	srv := secretstest.NewServer(nil)
	defer srv.Close()
	srv.Put("prod/api-key", "k-123")
	dir := exampleDir()
	defer os.RemoveAll(dir)

	block, err1 := aes.NewCipher(make([]byte, 32)) // the key comes from elsewhere than the file
	aead, err2 := cipher.NewGCM(block)
	if err := errors.Join(err1, err2); err != nil {
		log.Fatal(err)
	}
	opts := &secrets.Options{Logger: slog.New(slog.DiscardHandler), Snapshot: &secrets.Snapshot{
		Store: snapshotfile.New(filepath.Join(dir, "secrets.sealed")), AEAD: aead, Account: "123456789012",
		Wait: time.Millisecond, // in earnest: the default of 2 seconds
	}}

	read := func() (string, error) { // a process
		client, err := secrets.New(srv.Client(), opts)
		if err != nil {
			return "", err
		}
		defer client.Close()
		return secrets.Get[string](context.Background(), client, "prod/api-key")
	}
	before, err := read()
	if err != nil {
		log.Fatal(err)
	}
	srv.Fail(secretstest.Outage())
	after, err := read()
	fmt.Println(after == before, err)
	// Output: true <nil>
}
