package secretstest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/seed-74dc7b3e/secrets/secretstest"
)

func once(o *secretsmanager.Options) { o.RetryMaxAttempts = 1 }

func policyOf(id string) *secretsmanager.GetResourcePolicyInput {
	return &secretsmanager.GetResourcePolicyInput{SecretId: &id}
}

// ask sends a request to an agent and returns the status and the body.
func ask(t *testing.T, h http.Handler, method, target string, header ...string) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

const tokenHeader = "X-Aws-Parameters-Secrets-Token"

func TestAgentProtocol(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"a/b": "v"})
	id := srv.PutStages("a/b", "w", "blue")
	h := srv.Agent(nil)
	tok := srv.AgentToken()
	const get = "/secretsmanager/get?secretId="
	tests := []struct {
		name, method, target string
		header               []string
		status               int
		text                 string
	}{
		{"a secret", "GET", get + "a%2Fb", []string{tokenHeader, tok}, 200, `"SecretString":"v"`},
		{"the other header", "GET", get + "a/b", []string{"X-Vault-Token", tok}, 200, `"SecretString":"v"`},
		{"a version", "GET", get + "a/b&versionId=" + id, []string{tokenHeader, tok}, 200, `"SecretString":"w"`},
		{"a label", "GET", get + "a/b&versionStage=blue", []string{tokenHeader, tok}, 200, `"SecretString":"w"`},
		{"an ARN", "GET", get + url.QueryEscape(srv.ARN("a/b")), []string{tokenHeader, tok}, 200, `"SecretString":"v"`},
		{"by path", "GET", "/v1/a/b", []string{tokenHeader, tok}, 200, `"SecretString":"v"`},
		{"by path and label", "GET", "/v1/a/b?versionStage=blue", []string{tokenHeader, tok}, 200, `"SecretString":"w"`},
		{"ping", "GET", "/ping", nil, 200, "healthy"},
		{"no token", "GET", get + "a/b", nil, 403, "Bad Token"},
		{"a wrong token", "GET", get + "a/b", []string{tokenHeader, "x"}, 403, "Bad Token"},
		{"forwarded", "GET", get + "a/b", []string{tokenHeader, tok, "X-Forwarded-For", "192.0.2.1"}, 400, "Forwarded"},
		{"forwarded ping", "GET", "/ping", []string{"X-Forwarded-For", "192.0.2.1"}, 400, "Forwarded"},
		{"POST", "POST", get + "a/b", []string{tokenHeader, tok}, 405, "Not allowed"},
		{"another path", "GET", "/secrets", []string{tokenHeader, tok}, 404, "Not found"},
		{"no secret", "GET", "/secretsmanager/get", []string{tokenHeader, tok}, 400, "Bad request"},
		{"refreshNow that isn't", "GET", get + "a/b&refreshNow=1", []string{tokenHeader, tok}, 400, "Bad request"},
		{"an unknown secret", "GET", get + "none", []string{tokenHeader, tok}, 400, `{"__type":"ResourceNotFoundException","message":"Secrets Manager can't find the specified secret."}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			status, body := ask(t, h, test.method, test.target, test.header...)
			if status != test.status || !strings.Contains(body, test.text) {
				t.Errorf("got %d %s, want %d %s", status, body, test.status, test.text)
			}
		})
	}
	_, body := ask(t, h, "GET", get+"a/b", tokenHeader, tok)
	var out struct {
		ARN, Name, VersionID, SecretString, CreatedDate string
		VersionStages                                   []string
	}
	if err := json.Unmarshal([]byte(body), &out); err != nil || out.ARN != srv.ARN("a/b") || out.Name != "a/b" || len(out.VersionStages) != 1 || !strings.Contains(out.CreatedDate, ".") {
		t.Errorf("got %s (%v)", body, err)
	}
}

func TestAgentCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
		h := srv.Agent(&secretstest.AgentOptions{Token: "tok"})
		want := func(query, value string, calls int) {
			t.Helper()
			_, body := ask(t, h, "GET", "/secretsmanager/get?secretId=s"+query, tokenHeader, "tok")
			if n := srv.Count(); !strings.Contains(body, value) || n != calls {
				t.Errorf("got %s after %d calls, want %s after %d", body, n, value, calls)
			}
		}
		want("", `"one"`, 1)
		srv.Put("s", "two")
		time.Sleep(299 * time.Second)
		want("", `"one"`, 1)
		want("&versionStage=AWSPREVIOUS", `"one"`, 2)
		want("&refreshNow=true", `"two"`, 3)
		srv.Put("s", "three")
		want("", `"two"`, 3)
		time.Sleep(300 * time.Second)
		want("", `"three"`, 4)
		srv.Put("s", "four")
		time.Sleep(300 * time.Second)
		srv.Fail(secretstest.Fault{Code: "InternalServiceError", Times: 3})
		want("", `"three"`, 7) // the SDK tries three times, and the old value stays
		srv.Delete("s")
		want("", "ResourceNotFoundException", 8)
	})
}

func TestAgentOutOfReach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
		h := srv.Agent(&secretstest.AgentOptions{Token: "tok", TTL: -1})
		for name, test := range map[string]struct {
			fault  secretstest.Fault
			status int
			text   string
		}{
			"dropped":        {secretstest.Outage(), 502, "ConnectionError"},
			"denied":         {secretstest.DenyKMS(""), 400, `{"__type":"AccessDeniedException","message":"Access to KMS is not allowed"}`},
			"out of order":   {secretstest.Fault{Code: "InternalServiceError", Times: secretstest.Always}, 500, "InternalServiceError"},
			"no JSON at all": {secretstest.Fault{Garbage: true, Times: secretstest.Always}, 502, "ConnectionError"},
		} {
			srv.ClearFaults()
			srv.Fail(test.fault)
			if status, body := ask(t, h, "GET", "/v1/s", tokenHeader, "tok"); status != test.status || !strings.Contains(body, test.text) {
				t.Errorf("%s: got %d %s, want %d %s", name, status, body, test.status, test.text)
			}
		}
	})
}

func TestAgentConns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
		h := srv.Agent(&secretstest.AgentOptions{Token: "tok", MaxConns: 1})
		srv.Fail(secretstest.Fault{Latency: time.Second})
		go ask(t, h, "GET", "/v1/s", tokenHeader, "tok")
		synctest.Wait()
		if status, _ := ask(t, h, "GET", "/v1/s", tokenHeader, "tok"); status != 429 {
			t.Errorf("a second request: got %d, want 429", status)
		}
		time.Sleep(2 * time.Second)
		if status, _ := ask(t, h, "GET", "/v1/s", tokenHeader, "tok"); status != 200 {
			t.Errorf("afterwards: got %d, want 200", status)
		}
	})
}

func TestLambdaExtension(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
	h := srv.Agent(&secretstest.AgentOptions{Token: "tok", Extension: true})
	for target, want := range map[string]int{"/secretsmanager/get?secretId=s": 200, "/v1/s": 404, "/ping": 404} {
		if got, _ := ask(t, h, "GET", target, tokenHeader, "tok"); got != want {
			t.Errorf("%s: got %d, want %d", target, got, want)
		}
	}
}

func TestAgentURL(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
	if first := srv.AgentURL(); srv.AgentURL() != first || first == srv.URL() {
		t.Error("the agent's address is not one of its own that stays")
	}
	r, _ := http.NewRequestWithContext(t.Context(), "GET", srv.AgentURL()+"/v1/s", nil)
	r.Header.Set(tokenHeader, srv.AgentToken())
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); !strings.Contains(string(b), `"SecretString":"one"`) {
		t.Errorf("got %s", b)
	}
	http.DefaultClient.CloseIdleConnections()
}
