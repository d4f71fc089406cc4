// Command fakeserver serves a fake AWS Secrets Manager to any language. The fake
// is that of package secretstest, over HTTP.
//
//	go run ./secretstest/fakeserver -addr 127.0.0.1:4566
//	aws --endpoint-url http://127.0.0.1:4566 secretsmanager list-secrets
//
// It keeps everything in memory, takes any credentials, and ends on SIGTERM or
// an interrupt. An access key of twelve digits is that of the account with that
// number. POST /_fake/reset empties it. It listens on loopback only,
// unless -allow-remote is given, because it hands out its secrets to everybody.
//
// The SDK for Go with smithy-go v1.28.8 may read an answer of more than 4 KB
// twice: see Server.URL of package secretstest.
//
// # Secrets
//
// The file of -secrets is a JSON object of names and values. A string is the
// value itself; any other JSON is the text of the value:
//
//	{"prod/api-key": "sk-1", "prod/db": {"username": "app", "password": "x"}}
//
// # Rotation functions
//
// The functions of -rotation-function, which may be given more than once, are
// ARNs that RotateSecret accepts. A rotation by one of them replaces the
// "password" member of a value that is a JSON object, and any other value
// altogether, by a random password. Rotation with any other function is refused,
// as AWS refuses one that it cannot invoke.
//
// # Identities
//
// The file of -identities is a JSON list of callers, known by their access
// keys. Only accessKey is required:
//
//	[{"accessKey": "AKIAAPP", "arn": "arn:aws:iam::123456789012:user/app",
//	  "tags": {"team": "blue"},
//	  "policies": [{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
//	    "Action": "secretsmanager:GetSecretValue", "Resource": "*"}]}]},
//	 {"accessKey": "ASIAJOB", "arn": "arn:aws:sts::123456789012:assumed-role/job/i-1",
//	  "allow": ["secretsmanager:Get*"], "deny": ["secretsmanager:GetRandomPassword"]}]
//
// The members are those of Identity of package secretstest: accessKey,
// secretKey, arn, role, tags, policies (documents, or their text), allow, deny,
// sourceIP, and keys (further condition keys and their lists of values). A
// caller without policies, allow and deny may do everything that the secrets'
// own policies do not forbid. With -verify-signatures the secretKey matters.
//
// # Events and the agent
//
// -post-events sends the service's events of labels that move to a URL, as
// EventBridge delivers them. With -agent the server prints the address and the
// token of an agent in front of it, which answers as AWS's Secrets Manager Agent
// and the Lambda extension do. -enforce-rates throttles as AWS documents.
//
// # Faults
//
// The file of -faults is a JSON list of what goes wrong with calls. Of all
// entries that match a call the first strikes:
//
//	[{"op": "GetSecretValue", "secret": "prod/db", "times": 3, "code": "ThrottlingException"},
//	 {"probability": 0.1, "times": "always", "latency": "200ms"},
//	 {"op": "DescribeSecret", "skip": 5, "drop": true}]
//
// These members say which calls are struck:
//
//	op           the operation; default any
//	secret       the name or the ARN of the secret; default any
//	stage        the staging label asked for; default any
//	region       the region of the call; default any
//	identity     the ARN of the caller; default any
//	skip         how many matching calls pass first
//	times        how many calls are struck, or "always"; default 1
//	probability  of a matching call being struck; default 1
//
// And these what happens to them; without any of them they are throttled:
//
//	code         the error's code
//	message      the error's text
//	status       the HTTP status
//	latency      how long the call is delayed, as in "200ms"
//	trickle      the answer comes a byte at a time, after such a pause each
//	late         true: the operation happens although its answer fails
//	drop         true: the connection is closed without an answer
//	truncate     true: the connection ends in the middle of the answer
//	garbage      true: the answer is not JSON
//	empty        true: the answer is an empty object
//	lag          a read sees the state of so long ago
//	stale        true: a read sees the state before the last change
//	noStages     true: DescribeSecret lacks VersionIdsToStages
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/seed-74dc7b3e/secrets/secretstest"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("fakeserver: ")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		log.Fatal(err)
	}
}

// A config is what the flags say.
type config struct {
	addr        string
	region      string
	account     string
	regions     string
	secrets     string
	faults      string
	identities  string
	verify      bool
	rates       bool
	postEvents  string
	agent       bool
	functions   stringList
	seed        uint64
	allowRemote bool
}

// A stringList is a flag that may be given more than once.
type stringList []string

func (l *stringList) String() string { return strings.Join(*l, ",") }

func (l *stringList) Set(s string) error {
	*l = append(*l, s)
	return nil
}

func parseFlags(args []string, out io.Writer) (*config, error) {
	c := new(config)
	fs := flag.NewFlagSet("fakeserver", flag.ContinueOnError)
	fs.SetOutput(out)
	fs.StringVar(&c.addr, "addr", "127.0.0.1:4566", "listen on this `address`")
	fs.BoolVar(&c.allowRemote, "allow-remote", false, "allow an address beyond loopback, where everybody can read the secrets")
	fs.StringVar(&c.region, "region", secretstest.DefaultRegion, "the `region` of preloaded secrets and of unsigned requests")
	fs.StringVar(&c.regions, "regions", "", "serve only these `regions`, separated by commas (default all)")
	fs.StringVar(&c.account, "account", secretstest.DefaultAccount, "the `account` that owns the secrets")
	fs.StringVar(&c.secrets, "secrets", "", "preload the secrets of a JSON `file`")
	fs.StringVar(&c.faults, "faults", "", "play the fault script of a JSON `file`")
	fs.StringVar(&c.identities, "identities", "", "know the callers of a JSON `file` by their access keys")
	fs.BoolVar(&c.verify, "verify-signatures", false, "refuse requests that are unsigned, signed wrongly, or by nobody who is known")
	fs.BoolVar(&c.rates, "enforce-rates", false, "throttle calls above the service's documented rates")
	fs.StringVar(&c.postEvents, "post-events", "", "send the events of labels that move to this `URL`, each as the body of a POST")
	fs.BoolVar(&c.agent, "agent", false, "serve the protocol of the local agent too, on a loopback port of its own")
	fs.Uint64Var(&c.seed, "seed", 1, "the `seed` of faults with a probability")
	fs.Var(&c.functions, "rotation-function", "accept a rotation function with this `ARN` (may be given more than once)")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	return c, nil
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, out io.Writer) error {
	c, err := parseFlags(args, out)
	if err != nil {
		return err
	}
	srv, err := c.server()
	if err != nil {
		return err
	}
	defer srv.Close()
	l, err := listen(c.addr, c.allowRemote)
	if err != nil {
		return err
	}
	hs := &http.Server{Handler: srv, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- hs.Serve(l) }()
	fmt.Fprintf(out, "fakeserver: serving http://%s\n", l.Addr())
	if c.agent {
		fmt.Fprintf(out, "fakeserver: agent at %s, token %s\n", srv.AgentURL(), srv.AgentToken())
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := hs.Shutdown(grace); err != nil {
		hs.Close()
	}
	<-failed
	return nil
}

// server makes the fake that the flags describe.
func (c *config) server() (*secretstest.Server, error) {
	o := &secretstest.Options{Region: c.region, Account: c.account, Seed: c.seed, Ledger: -1, VerifySignatures: c.verify, EnforceRates: c.rates}
	if c.regions != "" {
		o.Regions = strings.Split(c.regions, ",")
	}
	secrets, err := readSecrets(c.secrets)
	if err != nil {
		return nil, err
	}
	faults, err := readFaults(c.faults)
	if err != nil {
		return nil, err
	}
	identities, err := readIdentities(c.identities)
	if err != nil {
		return nil, err
	}
	srv := secretstest.NewServer(o)
	for _, id := range identities {
		srv.AddIdentity(id)
	}
	if c.postEvents != "" {
		srv.PostEvents(c.postEvents)
	}
	for _, arn := range c.functions {
		srv.HandleRotation(arn, rotator(srv))
	}
	if err := preload(srv, secrets); err != nil {
		srv.Close()
		return nil, err
	}
	srv.Fail(faults...)
	return srv, nil
}

// listen listens on an address, which must be on loopback unless that is said
// not to matter. The address is resolved first: nothing is open before it is
// known to be harmless.
func listen(addr string, allowRemote bool) (net.Listener, error) {
	tcp, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return nil, err
	}
	if !allowRemote && !tcp.IP.IsLoopback() {
		return nil, fmt.Errorf("%s is not on loopback, and everybody who reaches it could read the secrets: use -allow-remote if you mean it", addr)
	}
	return net.ListenTCP("tcp", tcp)
}
