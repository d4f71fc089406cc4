package secretstest

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// DefaultAgentTTL and DefaultAgentConns are the defaults of AgentOptions.
const (
	DefaultAgentTTL   = 300 * time.Second
	DefaultAgentConns = 800
)

// AgentOptions configure an agent. A nil *AgentOptions and zero fields mean the
// documented defaults.
type AgentOptions struct {
	// Token is the token that requests must carry in the header
	// X-Aws-Parameters-Secrets-Token or X-Vault-Token. If it is empty, the server
	// makes one: see [Server.AgentToken].
	Token string

	// TTL is how long the agent serves a value before it asks the server again.
	// The default is DefaultAgentTTL; with a negative TTL the agent caches
	// nothing.
	TTL time.Duration

	// MaxConns is how many requests the agent answers at the same time. It refuses
	// further ones with status 429. The default is DefaultAgentConns.
	MaxConns int

	// Extension makes the agent behave as the Lambda extension: without /v1/ and
	// /ping.
	Extension bool
}

// An agent is AWS's Secrets Manager Agent, or the Lambda extension, in front of
// a server.
type agent struct {
	opts   AgentOptions
	client *secretsmanager.Client
	active atomic.Int64

	mu    sync.Mutex // guards cache
	cache map[agentKey]agentEntry
}

// An agentKey is the key of a value in the agent's cache.
type agentKey struct{ id, version, stage string }

type agentEntry struct {
	body []byte
	at   time.Time
}

// Agent returns an agent in front of the server. It answers GET
// /secretsmanager/get?secretId=... and /v1/<secretId> with the output of
// GetSecretValue. It caches that for its TTL and refreshes it on read, or at
// once for refreshNow=true. It knows nothing of rotations. It keeps a value
// while the service cannot be reached, but not if the service refuses the
// refresh. The agent calls the server as Client does, in the default region:
// its calls are in the ledger, and faults strike them.
func (s *Server) Agent(o *AgentOptions) http.Handler {
	a := &agent{client: s.Client(), cache: make(map[agentKey]agentEntry)}
	if o != nil {
		a.opts = *o
	}
	if a.opts.Token == "" {
		a.opts.Token = s.AgentToken()
	}
	if a.opts.TTL == 0 {
		a.opts.TTL = DefaultAgentTTL
	}
	if a.opts.MaxConns == 0 {
		a.opts.MaxConns = DefaultAgentConns
	}
	return a
}

// AgentToken returns the token of agents whose AgentOptions set none. It stays
// the same for the life of the server.
func (s *Server) AgentToken() string { return s.agentToken }

// AgentURL returns the address of an agent with default options. It listens on
// its own loopback port from the first call until Close. Do not use it in a
// synctest bubble; use Agent there.
func (s *Server) AgentURL() string {
	s.helper()()
	h := s.Agent(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.agentListener != nil {
		return s.agentListener.url
	}
	l, err := s.listenLocked(h)
	s.check(err, "listen")
	s.agentListener = l
	return l.url
}

// ServeHTTP implements http.Handler. The checks are in the agent's order.
func (a *agent) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer a.active.Add(-1)
	switch {
	case a.active.Add(1) > int64(a.opts.MaxConns):
		agentText(w, http.StatusTooManyRequests, "Connection limit exceeded")
	case r.Header.Get("X-Forwarded-For") != "":
		agentText(w, http.StatusBadRequest, "Forwarded")
	case r.Method != http.MethodGet:
		agentText(w, http.StatusMethodNotAllowed, "Not allowed")
	case r.URL.Path == "/ping" && !a.opts.Extension:
		agentText(w, http.StatusOK, "healthy")
	case !a.knows(r.Header):
		agentText(w, http.StatusForbidden, "Bad Token")
	default:
		a.get(w, r)
	}
}

func agentText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(status)
	w.Write([]byte(text))
}

// knows reports whether a request has the agent's token.
func (a *agent) knows(h http.Header) bool {
	for _, name := range []string{"X-Aws-Parameters-Secrets-Token", "X-Vault-Token"} {
		if subtle.ConstantTimeCompare([]byte(h.Get(name)), []byte(a.opts.Token)) == 1 {
			return true
		}
	}
	return false
}

// get answers with a secret.
func (a *agent) get(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	key := agentKey{q.Get("secretId"), q.Get("versionId"), q.Get("versionStage")}
	if id, ok := strings.CutPrefix(r.URL.EscapedPath(), "/v1/"); ok && !a.opts.Extension {
		key.id, _ = url.PathUnescape(id)
	} else if r.URL.Path != "/secretsmanager/get" {
		agentText(w, http.StatusNotFound, "Not found")
		return
	}
	refresh := q.Get("refreshNow")
	if key.id == "" || refresh != "" && refresh != "true" && refresh != "false" {
		agentText(w, http.StatusBadRequest, "Bad request")
		return
	}
	body, err := a.read(r.Context(), key, refresh == "true")
	if err != nil {
		agentError(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(body)
}

// read returns the answer for a key, from memory while that is young enough.
func (a *agent) read(ctx context.Context, key agentKey, refresh bool) ([]byte, error) {
	a.mu.Lock()
	e, ok := a.cache[key]
	a.mu.Unlock()
	if ok && !refresh && time.Since(e.at) < a.opts.TTL {
		return e.body, nil
	}
	body, err := a.fetch(ctx, key)
	switch {
	case err == nil && a.opts.TTL > 0:
		a.mu.Lock()
		a.cache[key] = agentEntry{body, time.Now()}
		a.mu.Unlock()
	case err != nil && ok && !refresh && outOfReach(err):
		return e.body, nil
	}
	return body, err
}

// fetch asks the service.
func (a *agent) fetch(ctx context.Context, key agentKey) ([]byte, error) {
	in := &secretsmanager.GetSecretValueInput{SecretId: &key.id}
	if key.version != "" {
		in.VersionId = &key.version
	}
	if key.stage != "" {
		in.VersionStage = &key.stage
	}
	out, err := a.client.GetSecretValue(ctx, in)
	if err != nil {
		return nil, err
	}
	return marshal(agentAnswer{
		ARN: aws.ToString(out.ARN), Name: aws.ToString(out.Name), VersionID: aws.ToString(out.VersionId),
		SecretString: out.SecretString, SecretBinary: out.SecretBinary, VersionStages: out.VersionStages,
		CreatedDate: string(appendEpoch(nil, aws.ToTime(out.CreatedDate))),
	}), nil
}

// An agentAnswer is the agent's response: that of GetSecretValue, with the date
// as a string.
type agentAnswer struct {
	ARN           string
	Name          string
	VersionID     string  `json:"VersionId"`
	SecretString  *string `json:",omitempty"`
	SecretBinary  []byte  `json:",omitempty"`
	VersionStages []string
	CreatedDate   string
}

// outOfReach reports whether an error means that the service could not be
// reached, and so says nothing about the secret.
func outOfReach(err error) bool {
	var api smithy.APIError
	return !errors.As(err, &api) || statusOf(err) >= 500 || api.ErrorCode() == "ThrottlingException"
}

// statusOf returns the HTTP status that an error came with, or 0.
func statusOf(err error) int {
	var resp *smithyhttp.ResponseError
	if errors.As(err, &resp) {
		return resp.HTTPStatusCode()
	}
	return 0
}

// agentError answers with an error of the service, or with one of reaching it.
func agentError(w http.ResponseWriter, err error) {
	status, code, message := http.StatusBadGateway, "ConnectionError", "Could not connect to the service."
	var api smithy.APIError
	switch {
	case errors.As(err, &api):
		status, code, message = statusOf(err), api.ErrorCode(), api.ErrorMessage()
		if status == 0 {
			status, code, message = http.StatusInternalServerError, "InternalFailure", "Unexpected answer of the service."
		}
	case errors.Is(err, context.DeadlineExceeded):
		status, code, message = http.StatusGatewayTimeout, "TimeoutError", "Timeout."
	}
	body, _ := json.Marshal(validationBody{code, message})
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(body)
}
