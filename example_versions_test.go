package secrets_test

import (
	"context"
	"fmt"
	"log"

	"github.com/seed-74dc7b3e/secrets"
)

func ExampleRef_Version() {
	srv, opts := exampleServer()
	defer srv.Close()
	client, err := secrets.New(srv.Client(), opts)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	srv.Put("prod/api-key", "k-456")
	key := secrets.Bind[string](client, "prod/api-key")
	old, err := key.Version(context.Background(), secrets.Stage(secrets.Previous))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(old.Stages, len(old.Value))
	// Output: [AWSPREVIOUS] 5
}

// What decrypts must know every key that something may be encrypted with; the
// version id tells which.
func ExampleRef_Versions() {
	srv, opts := exampleServer()
	defer srv.Close()
	client, err := secrets.New(srv.Client(), opts)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	srv.Put("prod/api-key", "k-456")
	keys := secrets.Bind[string](client, "prod/api-key")
	all, err := keys.Versions(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for _, v := range all {
		fmt.Println(v.Stages, len(v.Value), v.ID != "")
	}
	// Output:
	// [AWSCURRENT] 5 true
	// [AWSPREVIOUS] 5 true
}
