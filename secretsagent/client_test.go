package secretsagent_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretsagent"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// behind returns a client behind the fake's agent.
func behind(t *testing.T, srv *secretstest.Server, o *secretstest.AgentOptions) *secrets.Client {
	t.Helper()
	token := srv.AgentToken()
	c, err := secrets.New(agent(t, srv.Agent(o), token), &secrets.Options{Logger: slog.New(slog.DiscardHandler), Refresh: secrets.RefreshAhead})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func checkText(t *testing.T, c *secrets.Client, want string) {
	t.Helper()
	if got, err := secrets.Get[string](t.Context(), c, "s"); err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

// TestClientRefresh has Refresh go through the agent's cache.
func TestClientRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
		c := behind(t, srv, nil)
		checkText(t, c, "one")
		srv.Put("s", "two")
		if err := c.Refresh(t.Context(), "s"); err != nil {
			t.Error(err)
		}
		checkText(t, c, "two")
		srv.Put("s", "three")
		for range 11 * 60 {
			time.Sleep(time.Second)
			c.Get(t.Context(), "s")
		}
		checkText(t, c, "three") // after the client's TTL and the agent's
		if st := c.Stats(); st.DescribeSecret != 0 {
			t.Errorf("the agent was asked %d times for DescribeSecret", st.DescribeSecret)
		}
	})
}

// TestClientEvent has an event end the delay of the agent's cache.
func TestClientEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
		c := behind(t, srv, nil)
		srv.OnEvent(func(e []byte) { c.HandleEvent(context.Background(), e) })
		checkText(t, c, "one")
		srv.Put("s", "two")
		time.Sleep(3 * time.Second)
		checkText(t, c, "two")
	})
}

// TestClientTry has Try find the pending version behind an agent, whose cache
// has an old one.
func TestClientTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
		c := behind(t, srv, nil)
		ref := secrets.Bind[string](c, "s")
		login := func(password string) error {
			_, err := secrets.Try(t.Context(), ref, func(_ context.Context, v string) (string, error) {
				if v != password {
					return "", secrets.Rejected(fmt.Errorf("wrong"))
				}
				return v, nil
			})
			return err
		}
		for i, password := range []string{"two", "three"} {
			srv.PutPending("s", password)
			began := time.Now()
			if err := login(password); err != nil || time.Since(began) > 10*time.Second {
				t.Errorf("rotation %d: Try behind an agent: %v after %v", i, err, time.Since(began))
			}
			srv.Put("s", password)
			if err := login(password); err != nil {
				t.Errorf("after rotation %d: %v", i, err)
			}
		}
	})
}

// TestClientOutage has a client serve on while the agent has gone.
func TestClientOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
		c := behind(t, srv, &secretstest.AgentOptions{TTL: time.Second})
		checkText(t, c, "one")
		srv.Fail(secretstest.Outage())
		for range 120 {
			time.Sleep(time.Minute)
			checkText(t, c, "one")
		}
		srv.ClearFaults()
		srv.Fail(secretstest.Fault{Code: "AccessDeniedException", Times: secretstest.Always})
		time.Sleep(20 * time.Minute)
		c.Get(t.Context(), "s")
		time.Sleep(20 * time.Minute)
		if _, err := c.Get(t.Context(), "s"); err == nil {
			t.Error("a secret to which access was withdrawn is served on")
		}
	})
}

// Example reads through AWS's agent, for which the fake's stands in.
func Example() {
	srv := secretstest.NewServer(nil)
	defer srv.Close()
	srv.Put("prod/api-key", "k-123")

	agent, err := secretsagent.New(&secretsagent.Options{URL: srv.AgentURL(), Token: srv.AgentToken()}) // nil on a host with the agent
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := secrets.New(agent, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	key, err := secrets.Get[string](context.Background(), client, "prod/api-key")
	fmt.Println(len(key), err)
	// Output: 5 <nil>
}

// A refused token is an error of the agent, not of the secret.
func ExampleError() {
	srv := secretstest.NewServer(nil)
	defer srv.Close()
	agent, _ := secretsagent.New(&secretsagent.Options{URL: srv.AgentURL(), Token: "another"})
	_, err := get(context.Background(), agent, "prod/api-key")
	var refused *secretsagent.Error
	fmt.Println(errors.As(err, &refused), refused.Status)
	// Output: true 403
}
