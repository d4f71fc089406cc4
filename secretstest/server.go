package secretstest

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	mrand "math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets/secretstest/internal/rate"
)

// The defaults of Options.
const (
	DefaultRegion  = "us-east-1"
	DefaultAccount = "123456789012"
	DefaultLedger  = 1_000_000

	DefaultSourceIP    = "127.0.0.1"
	DefaultBodyTimeout = 10 * time.Second
)

// Secrets maps the names of secrets to their values.
type Secrets map[string]string

// Options configure a Server. A nil *Options and zero fields mean the
// documented defaults.
type Options struct {
	// Secrets are the initial secrets, in the default region.
	Secrets Secrets

	// Region is the region of Secrets, of Client, of the helpers and of requests
	// without a signature. The default is DefaultRegion.
	Region string

	// Regions lists the regions that exist. Requests and replication to any other
	// region are refused. The default is every region.
	Regions []string

	// Account owns the secrets. It is also the account of callers whose access key
	// belongs to no Identity. The default is DefaultAccount.
	Account string

	// Seed makes faults with a Probability repeatable. The default is 1.
	Seed uint64

	// Ledger is how many calls the ledger keeps. The oldest are dropped first. The
	// default is DefaultLedger; a negative number keeps none.
	Ledger int

	// VersionQuota is how many versions a secret may have. A further version
	// replaces one that has no label and is at least a day old; if there is none,
	// it is refused with LimitExceededException. AWS documents that it has such a
	// quota, but not how large it is. The default is no quota.
	VersionQuota int

	// EnforceRates throttles calls above the service's documented rates, for each
	// account, region and operation: per second 10,000 GetSecretValue, 40,000
	// DescribeSecret, 100 BatchGetSecretValue, 100 ListSecrets, and 50 of each
	// other operation, with bursts of the same size. By default no rate is
	// limited.
	EnforceRates bool

	// AnyFunction lets RotateSecret accept the ARN of a rotation function that is
	// not registered. The server then makes the new value itself: see
	// Server.Rotate. By default RotateSecret refuses such an ARN, as AWS refuses a
	// function that it cannot invoke.
	AnyFunction bool

	// SourceIP is the address that requests without a socket come from. The
	// default is DefaultSourceIP.
	SourceIP string

	// VerifySignatures refuses requests without a signature by a key that the
	// server knows: the key of an Identity, of Client, or of an account (whose
	// secret access key is "secret"). It also refuses signatures whose time is off
	// by more than five minutes. By default the server accepts any signature, and
	// requests without one.
	VerifySignatures bool

	// BodyTimeout is how long the body of a request may take to arrive over
	// HTTP. The default is DefaultBodyTimeout.
	BodyTimeout time.Duration

	// TB, if not nil, gets the failures of the helpers. The server closes when the
	// test of TB ends.
	TB testing.TB
}

// A Server is an in-memory AWS Secrets Manager. It is an http.Handler, and
// Client reaches it without a socket. It starts goroutines only for rotations,
// for events, and to listen at URL and AgentURL.
//
// A Server is safe for concurrent use by multiple goroutines.
type Server struct {
	opts       Options
	tokenKey   [32]byte // signs the tokens of pages
	agentToken string
	onLabel    func(*content, string, *version) // labelMovedLocked

	skew atomic.Int64 // of the clock, a time.Duration

	mu            sync.Mutex // guards everything below, and all secrets
	realms        map[[2]string]*realm
	down          map[string]bool        // by region
	replicating   map[string]replicating // by region
	identities    map[string]*identity
	functions     map[string]RotationFunc
	faults        []*armedFault
	rng           *mrand.Rand
	ledger        ledger
	rotations     map[*content]*Rotation
	stepFaults    []*StepFault
	closed        bool
	listener      *listener
	agentListener *listener
	rates         rate.Limiter[rateKey]
	subscribers   []func([]byte) // of events
	undelivered   [][]byte       // events
	resets        int            // how often Reset was called
	stsDenied     int            // scenarios that want it so
	delivering    bool           // a goroutine is

	ctx     context.Context // of rotations; ends with Close
	cancel  context.CancelFunc
	running sync.WaitGroup // rotations and the listener
}

// New returns a server that holds secrets and is closed when the test ends.
func New(t testing.TB, secrets Secrets) *Server {
	t.Helper()
	return NewServer(&Options{Secrets: secrets, TB: t})
}

// NewServer returns a server. The caller must close it, unless o.TB is set. If
// AWS would refuse a name or a value in o.Secrets, the test of o.TB fails;
// without o.TB NewServer panics.
func NewServer(o *Options) *Server {
	s := &Server{}
	if o != nil {
		s.opts = *o
	}
	s.opts.setDefaults()
	rand.Read(s.tokenKey[:])
	s.agentToken = newUUID()
	s.onLabel = s.labelMovedLocked
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.resetLocked()
	if t := s.opts.TB; t != nil {
		t.Helper()
		t.Cleanup(s.Close)
	}
	s.helper()()
	for _, name := range slices.Sorted(maps.Keys(s.opts.Secrets)) {
		s.Put(name, s.opts.Secrets[name])
	}
	return s
}

func (o *Options) setDefaults() {
	if o.Region == "" {
		o.Region = DefaultRegion
	}
	if o.Account == "" {
		o.Account = DefaultAccount
	}
	if o.Seed == 0 {
		o.Seed = 1
	}
	if o.SourceIP == "" {
		o.SourceIP = DefaultSourceIP
	}
	if o.BodyTimeout <= 0 {
		o.BodyTimeout = DefaultBodyTimeout
	}
	if o.Ledger == 0 {
		o.Ledger = DefaultLedger
	}
}

// Reset removes all secrets, faults and calls. It also ends the running
// rotations and brings all regions up. It keeps identities and rotation
// functions.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rotations {
		r.stopLocked()
		r.unplanLocked()
	}
	s.resetLocked()
}

func (s *Server) resetLocked() {
	s.realms = make(map[[2]string]*realm)
	s.down = make(map[string]bool)
	s.replicating = make(map[string]replicating)
	s.rotations = make(map[*content]*Rotation)
	s.faults = nil
	s.resets++
	s.stsDenied = 0
	s.skew.Store(0)
	s.stepFaults = nil
	s.undelivered = nil
	s.rates = rate.Limiter[rateKey]{}
	s.rng = mrand.New(mrand.NewPCG(s.opts.Seed, s.opts.Seed))
	s.ledger = ledger{limit: s.opts.Ledger}
	if s.identities == nil {
		s.identities = make(map[string]*identity)
	}
	if s.functions == nil {
		s.functions = make(map[string]RotationFunc)
	}
}

// Close ends the running rotations and stops serving at URL. It cancels the
// context of the rotation functions and waits for both. Calls to a closed
// server fail as on a reset connection. Close may be called twice.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.cancel()
	for _, r := range s.rotations {
		r.stopLocked()
		r.unplanLocked()
	}
	listeners := []*listener{s.listener, s.agentListener}
	s.mu.Unlock()
	for _, l := range listeners {
		if l != nil {
			l.close()
		}
	}
	s.running.Wait()
}

// helper marks its caller as a helper of the test, if there is one.
func (s *Server) helper() func() {
	if s.opts.TB != nil {
		return s.opts.TB.Helper
	}
	return func() {}
}

// check reports the failure of a helper to the test, or panics when the server
// has none.
func (s *Server) check(err error, what string, args ...any) {
	if err == nil {
		return
	}
	msg := "secretstest: " + fmt.Sprintf(what, args...) + ": " + err.Error()
	if s.opts.TB == nil {
		panic(msg)
	}
	s.opts.TB.Helper()
	s.opts.TB.Fatal(msg)
}

// servesRegion reports whether the region exists.
func (s *Server) servesRegion(region string) bool {
	return len(s.opts.Regions) == 0 || region == s.opts.Region || slices.Contains(s.opts.Regions, region)
}

var _ http.Handler = (*Server)(nil)
