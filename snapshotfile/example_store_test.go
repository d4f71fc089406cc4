package snapshotfile_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
	"github.com/seed-74dc7b3e/secrets/snapshotfile"
)

// exampleDir returns a directory, which is to be removed.
func exampleDir() string {
	dir, err := os.MkdirTemp("", "snapshot")
	if err != nil {
		log.Fatal(err)
	}
	return dir
}

// Each process has its own file. The key comes from elsewhere, for instance
// from KMS when it is first needed.
func ExampleNew() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/api-key": "k-1"}})
	defer srv.Close()
	dir := exampleDir()
	defer os.RemoveAll(dir)
	dataKey := func(context.Context) ([]byte, error) { return make([]byte, 32), nil }

	path := filepath.Join(dir, "shop.sealed")
	client, err := secrets.New(srv.Client(), &secrets.Options{Snapshot: &secrets.Snapshot{
		Store:   snapshotfile.New(path),
		Account: "123456789012",
		Key: func(ctx context.Context) (cipher.AEAD, error) {
			key, err := dataKey(ctx)
			if err != nil {
				return nil, err
			}
			block, err := aes.NewCipher(key)
			if err != nil {
				return nil, err
			}
			return cipher.NewGCM(block)
		},
	}})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.Get(context.Background(), "prod/api-key"); err != nil {
		log.Fatal(err)
	}
	client.Close() // writes what was confirmed last
	info, err := os.Stat(path)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Mode())
	// Output: -rw-------
}

// At the first start of a process there is no file yet.
func ExampleStore_ReadSnapshot() {
	dir := exampleDir()
	defer os.RemoveAll(dir)
	_, err := snapshotfile.New(filepath.Join(dir, "shop.sealed")).ReadSnapshot(context.Background())
	fmt.Println(errors.Is(err, fs.ErrNotExist))
	// Output: true
}

// A reader of the file sees the complete old content or the complete new
// content.
func ExampleStore_WriteSnapshot() {
	dir := exampleDir()
	defer os.RemoveAll(dir)
	ctx := context.Background()
	store := snapshotfile.New(filepath.Join(dir, "shop.sealed"))
	for _, text := range []string{"sealed before", "sealed now"} {
		if err := store.WriteSnapshot(ctx, []byte(text)); err != nil {
			log.Fatal(err)
		}
	}
	text, err := store.ReadSnapshot(ctx)
	fmt.Println(string(text), err)
	// Output: sealed now <nil>
}
