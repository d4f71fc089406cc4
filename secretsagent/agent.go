package secretsagent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/seed-74dc7b3e/secrets/internal/fresh"
)

// Options are the options of [New]. A nil *Options and zero fields mean the
// defaults.
type Options struct {
	// URL is the address of the agent. The default is http://localhost with the
	// port in PARAMETERS_SECRETS_EXTENSION_HTTP_PORT, or 2773. With http the host
	// must be this host.
	URL string

	// Token is the agent's token. By default it is read from TokenFile.
	Token string

	// TokenFile is the file that holds the token. By default the token is the
	// first of these: AWS_TOKEN, which is a token or file:// and a path; the file
	// /var/run/awssmatoken; AWS_SESSION_TOKEN; AWS_CONTAINER_AUTHORIZATION_TOKEN.
	// It is read at the first request, and again when the agent refuses it.
	TokenFile string

	// Transport sends the requests. The default connects only to this host,
	// without a proxy.
	Transport http.RoundTripper
}

// An Agent reads secrets through a local agent. It is safe for concurrent use by
// multiple goroutines. It need not be closed.
type Agent struct {
	url    string
	client *http.Client
	tokens *tokens
}

// isMade panics if a was not made by New.
func (a *Agent) isMade() {
	if a == nil || a.client == nil {
		panic("secretsagent: nil or zero Agent; make one with secretsagent.New")
	}
}

// New returns an Agent. It makes no request and reads no token.
func New(o *Options) (*Agent, error) {
	at := "http://localhost:" + port()
	if o != nil && o.URL != "" {
		at = o.URL
	}
	u, err := url.Parse(at)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("secretsagent: Options.URL is not the http or https URL of a host: %q", at)
	case u.User != nil || u.RawQuery != "":
		return nil, errors.New("secretsagent: Options.URL has a user or a query")
	case u.Scheme == "http" && !isLocal(u.Hostname()):
		return nil, fmt.Errorf("secretsagent: plain http is allowed only to this host, not to %q", u.Hostname())
	}
	a := &Agent{url: strings.TrimSuffix(at, "/"), tokens: &tokens{read: o.reader()}}
	a.client = &http.Client{
		Transport:     transport(u.Scheme == "http"),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if o != nil && o.Transport != nil {
		a.client.Transport = o.Transport
	}
	return a, nil
}

// port returns the port on which the agent listens by default.
func port() string {
	if p := os.Getenv("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT"); p != "" {
		return p
	}
	return "2773"
}

func isLocal(host string) bool {
	return strings.EqualFold(host, "localhost") || net.ParseIP(host).IsLoopback()
}

// transport returns a transport without a proxy. If local is set, it connects
// only to this host, regardless of name resolution.
func transport(local bool) *http.Transport {
	d := &net.Dialer{Timeout: 2 * time.Second}
	if local {
		d.Control = func(_, address string, _ syscall.RawConn) error {
			if host, _, _ := net.SplitHostPort(address); !isLocal(host) {
				return fmt.Errorf("secretsagent: plain http is allowed only to this host, not to %s", address)
			}
			return nil
		}
	}
	return &http.Transport{DialContext: d.DialContext, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute, DisableCompression: true}
}

// Refresh returns a context that makes GetSecretValue bypass the agent's cache.
// The agent then asks the service (refreshNow=true). A secrets.Client uses it
// by itself when needed.
func Refresh(ctx context.Context) context.Context { return fresh.With(ctx) }

// GetSecretValue gets a version of a secret from the agent. It blocks until the
// agent answers or ctx ends. The SDK's options have no effect. Errors of the
// service have the SDK's types. If the agent refuses the token, GetSecretValue
// reads the token again, once. If the agent is not ready yet, it retries for
// two seconds.
func (a *Agent) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	if in == nil || in.SecretId == nil || *in.SecretId == "" {
		return nil, errors.New("secretsagent: the secret id is empty")
	}
	a.isMade()
	q := url.Values{"secretId": {*in.SecretId}}
	if in.VersionId != nil {
		q.Set("versionId", *in.VersionId)
	}
	if in.VersionStage != nil {
		q.Set("versionStage", *in.VersionStage)
	}
	if fresh.Wanted(ctx) {
		q.Set("refreshNow", "true")
	}
	token, gen, err := a.tokens.get()
	if err != nil {
		return nil, err
	}
	answer, err := a.untilReady(ctx, q, token)
	if answer.status == http.StatusForbidden && answer.service() == nil {
		if token, _, err = a.tokens.renew(gen); err != nil {
			return nil, err
		}
		answer, err = a.untilReady(ctx, q, token)
	}
	if err != nil {
		return nil, err
	}
	return answer.output()
}

// readyWait is how long an agent is asked again that is not yet ready.
const readyWait = 2 * time.Second

// untilReady asks the agent, and again while it is getting ready.
func (a *Agent) untilReady(ctx context.Context, q url.Values, token string) (reply, error) {
	end := time.Now().Add(readyWait)
	for pause := 50 * time.Millisecond; ; pause *= 2 {
		r, err := a.ask(ctx, "/secretsmanager/get?"+q.Encode(), token)
		if err != nil || !r.unready() || time.Now().Add(pause).After(end) {
			return r, err
		}
		wait := time.NewTimer(pause)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return reply{}, ctx.Err()
		}
	}
}

// Ping returns nil if the agent answers that it is healthy. The Lambda
// extension does not support this request.
func (a *Agent) Ping(ctx context.Context) error {
	a.isMade()
	r, err := a.ask(ctx, "/ping", "")
	switch {
	case err != nil:
		return err
	case r.status != http.StatusOK:
		return r.failure()
	}
	return nil
}

// maxAnswer bounds an answer: a value of 65,536 bytes, each escaped, and the rest.
const maxAnswer = 1 << 20

func (a *Agent) ask(ctx context.Context, path, token string) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url+path, nil)
	if err != nil {
		return reply{}, errors.New("secretsagent: the request could not be made")
	}
	if token != "" {
		req.Header.Set("X-Aws-Parameters-Secrets-Token", token)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return reply{}, unreachable(ctx, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return reply{}, unreachable(ctx, err)
	case len(body) > maxAnswer:
		return reply{}, errTooLong
	}
	return reply{resp.StatusCode, body}, nil
}

// unreachable returns the error for an agent that could not be asked. The
// secret's id is in the URL, and no more.
func unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return fmt.Errorf("secretsagent: the agent does not answer: %w", err)
}

// String returns the address of the agent.
func (a *Agent) String() string { return "secretsagent.Agent(" + a.url + ")" }

// Format writes what [Agent.String] returns, for every verb.
func (a *Agent) Format(f fmt.State, _ rune) { io.WriteString(f, a.String()) }

// LogValue returns what [Agent.String] returns.
func (a *Agent) LogValue() slog.Value { return slog.StringValue(a.String()) }

// String describes the options without the token.
func (o Options) String() string { return fmt.Sprintf("secretsagent.Options(URL %q)", o.URL) }

// Format writes what [Options.String] returns, for every verb.
func (o Options) Format(f fmt.State, _ rune) { io.WriteString(f, o.String()) }
