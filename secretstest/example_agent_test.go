package secretstest_test

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// A program in another language reads a secret through the local agent.
func ExampleServer_AgentURL() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x"}})
	defer srv.Close()

	req, err := http.NewRequest("GET", srv.AgentURL()+"/secretsmanager/get?secretId=prod/db", nil)
	if err != nil {
		log.Fatal(err)
	}
	req.Header.Set("X-Aws-Parameters-Secrets-Token", srv.AgentToken())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct{ Name string }
	err = json.NewDecoder(resp.Body).Decode(&answer)
	fmt.Println(resp.StatusCode, answer.Name, err)
	// Output: 200 prod/db <nil>
}

// Without a token the agent answers no request. This protects against
// server-side request forgery.
func ExampleServer_AgentToken() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x"}})
	defer srv.Close()
	agent := srv.Agent(nil)

	for _, token := range []string{"", srv.AgentToken()} {
		r := httptest.NewRequest("GET", "/v1/prod/db", nil)
		r.Header.Set("X-Aws-Parameters-Secrets-Token", token)
		w := httptest.NewRecorder()
		agent.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}
	// Output:
	// 403
	// 200
}

// The Lambda extension, with the function's own token. It serves a cached value
// until its TTL ends, regardless of changes to the secret.
func ExampleServer_Agent() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x"}})
	defer srv.Close()
	extension := srv.Agent(&secretstest.AgentOptions{Token: "session", TTL: time.Hour, Extension: true})

	for range 2 {
		r := httptest.NewRequest("GET", "/secretsmanager/get?secretId=prod/db", nil)
		r.Header.Set("X-Aws-Parameters-Secrets-Token", "session")
		w := httptest.NewRecorder()
		extension.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}
	fmt.Println(srv.Count(secretstest.Call{Op: "GetSecretValue"}), "call")
	// Output:
	// 200
	// 200
	// 1 call
}

// Events arrive in order. They name the secret and never contain a value.
func ExampleServer_OnEvent() {
	srv := secretstest.NewServer(nil)
	defer srv.Close()
	labels := make(chan string)
	srv.OnEvent(func(event []byte) {
		var e struct {
			Detail struct{ Name, LabelUpdated string }
		}
		if err := json.Unmarshal(event, &e); err != nil {
			log.Println(err)
		}
		labels <- e.Detail.Name + " " + e.Detail.LabelUpdated
	})

	srv.Put("prod/api-key", "k-1")
	srv.PutStages("prod/api-key", "k-2", "NEXT")
	fmt.Println(<-labels)
	fmt.Println(<-labels)
	// Output:
	// prod/api-key AWSCURRENT
	// prod/api-key NEXT
}

// A target that EventBridge calls over HTTP.
func ExampleServer_PostEvents() {
	events := make(chan string)
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e struct {
			Type string `json:"detail-type"`
		}
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
			http.Error(w, "no event", http.StatusBadRequest)
		}
		events <- e.Type
	}))
	defer target.Close()
	srv := secretstest.NewServer(nil)
	defer srv.Close()
	srv.PostEvents(target.URL)

	srv.Put("prod/api-key", "k-1")
	fmt.Println(<-events)
	// Output: Secret Label Updated
}
