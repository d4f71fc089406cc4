package secrets_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// All that a Secret tells of itself. It prints without its value, also as part of
// something else.
func ExampleSecret() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	s, err := client.Get(context.Background(), "prod/api-key")
	if err != nil {
		log.Fatal(err)
	}

	fmt.Println(s.Name(), s.Stages(), s.IsBinary())
	fmt.Println(s.ARN() == srv.ARN("prod/api-key"))
	fmt.Println(s.VersionID() == srv.VersionID("prod/api-key", "AWSCURRENT"))
	fmt.Println(time.Since(s.CreatedDate()) < time.Minute)
	fmt.Println(fmt.Sprintf("%+v", s) == s.String())
	// Output:
	// prod/api-key [AWSCURRENT] false
	// true
	// true
	// true
	// true
}

// Text is for secrets that are text. A binary one is an error, not garbage.
func ExampleSecret_Text() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	srv.PutBinary("prod/keystore", []byte{0xfe, 0xed})

	for _, id := range []string{"prod/api-key", "prod/keystore"} {
		s, err := client.Get(context.Background(), id)
		if err != nil {
			log.Fatal(err)
		}
		text, err := s.Text()
		fmt.Println(id, len(text), err != nil)
	}
	// Output:
	// prod/api-key 5 false
	// prod/keystore 0 true
}

// Bytes returns a copy, of text as well. It may be wiped after use.
func ExampleSecret_Bytes() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	s, err := client.Get(context.Background(), "hmac-key")
	if err != nil {
		log.Fatal(err)
	}

	key := s.Bytes()
	sum := sha256.Sum256(key)
	clear(key)
	fmt.Println(sum == sha256.Sum256(s.Bytes()))
	// Output: true
}

// A custom staging label selects a version that is not current.
func ExampleStage() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	srv.PutStages("prod/api-key", "k-canary", "CANARY")

	s, err := client.GetVersion(context.Background(), "prod/api-key", secrets.Stage("CANARY"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Stages())
	// Output: [CANARY]
}

// The id of a version that was stored along with what it encrypted.
func ExampleVersionID() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	old := srv.VersionID("hmac-key", "AWSCURRENT")
	srv.Put("hmac-key", "second key")

	s, err := client.GetVersion(context.Background(), "hmac-key", secrets.VersionID(old))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Stages())
	// Output: [AWSPREVIOUS]
}

// One key signs, all verify: the one that signs is asked for by its label.
func ExampleVersion_Has() {
	srv, client := exampleClient()
	defer srv.Close()
	defer client.Close()
	srv.Put("hmac-key", "second key")

	all, err := secrets.Bind[[]byte](client, "hmac-key").Versions(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for _, v := range all {
		fmt.Println("verifies, signs:", v.Has(secrets.Current))
	}
	// Output:
	// verifies, signs: true
	// verifies, signs: false
}
