// Command fakeserver serves the fake of package secretstest over HTTP. Programs
// in any language can use it as AWS Secrets Manager.
//
//	go run ./secretstest/fakeserver -addr 127.0.0.1:4566
//	aws --endpoint-url http://127.0.0.1:4566 secretsmanager list-secrets
//
// It keeps everything in memory, accepts any credentials, and exits on SIGTERM or
// an interrupt. An access key of twelve digits is the account with that number.
// POST /_fake/reset empties the server. It listens only on loopback, unless
// -allow-remote is given, because anybody can read its secrets.
//
// The SDK for Go with smithy-go v1.28.8 may request a response of more than 4 KB
// twice: see Server.URL of package secretstest.
//
// # Secrets
//
// The file of -secrets is a JSON object that maps names to values. A string is the
// value itself; any other JSON is the text of the value:
//
//	{"prod/api-key": "sk-1", "prod/db": {"username": "app", "password": "x"}}
//
// # Rotation functions
//
// -rotation-function gives the ARN of a function that RotateSecret accepts, and
// may be given more than once. If a value is a JSON object, a rotation replaces
// its "password" member with a random password; it replaces any other value
// altogether. RotateSecret refuses all other functions, as AWS refuses a function
// that it cannot invoke.
//
// # Identities
//
// The file of -identities is a JSON list of callers, identified by their
// access keys. Only accessKey is required:
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
// own policies do not deny. secretKey matters only with -verify-signatures.
//
// # Events and the agent
//
// -post-events sends the service's events about moved labels to a URL, as
// EventBridge delivers them. -agent also starts an agent, which answers as AWS's
// Secrets Manager Agent and the Lambda extension do; the server prints its
// address and token. -enforce-rates throttles calls at AWS's documented rates.
//
// # Faults
//
// The file of -faults is a JSON list of faults. If several match a call, the
// first strikes:
//
//	[{"op": "GetSecretValue", "secret": "prod/db", "times": 3, "code": "ThrottlingException"},
//	 {"probability": 0.1, "times": "always", "latency": "200ms"},
//	 {"op": "DescribeSecret", "skip": 5, "drop": true}]
//
// These members say which calls a fault strikes:
//
//	op           the operation; default any
//	secret       the name or the ARN of the secret; default any
//	stage        the staging label asked for; default any
//	region       the region of the call; default any
//	identity     the ARN of the caller; default any
//	skip         how many matching calls pass first
//	times        how many calls are struck, or "always"; default 1
//	probability  how likely it is to strike a matching call; default 1
//
// These members say what happens to those calls; without any of them the calls
// are throttled:
//
//	code         the error's code
//	message      the error's text
//	status       the HTTP status
//	latency      how long the call is delayed, as in "200ms"
//	trickle      the response comes one byte at a time, with this pause before each
//	late         true: the operation is executed although its response is a failure
//	drop         true: the connection is closed without a response
//	truncate     true: the connection is closed in the middle of the response
//	garbage      true: the response is not JSON
//	empty        true: the response is an empty object
//	lag          a read sees the state this long ago, as in "10s"
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

// A config holds the values of the flags.
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
	fs.BoolVar(&c.allowRemote, "allow-remote", false, "allow an address that is not loopback, where others can read the secrets")
	fs.StringVar(&c.region, "region", secretstest.DefaultRegion, "the `region` of preloaded secrets and of unsigned requests")
	fs.StringVar(&c.regions, "regions", "", "serve only these `regions`, separated by commas (default all)")
	fs.StringVar(&c.account, "account", secretstest.DefaultAccount, "the `account` that owns the secrets")
	fs.StringVar(&c.secrets, "secrets", "", "load the secrets in a JSON `file`")
	fs.StringVar(&c.faults, "faults", "", "arm the faults in a JSON `file`")
	fs.StringVar(&c.identities, "identities", "", "load the callers in a JSON `file`")
	fs.BoolVar(&c.verify, "verify-signatures", false, "refuse requests that are unsigned, wrongly signed, or signed with an unknown key")
	fs.BoolVar(&c.rates, "enforce-rates", false, "throttle calls above the service's documented rates")
	fs.StringVar(&c.postEvents, "post-events", "", "send the events about moved labels to this `URL`, each as the body of a POST")
	fs.BoolVar(&c.agent, "agent", false, "also serve the protocol of the local agent, on its own loopback port")
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
		return nil, fmt.Errorf("%s is not a loopback address, so others could read the secrets: use -allow-remote to allow that", addr)
	}
	return net.ListenTCP("tcp", tcp)
}
