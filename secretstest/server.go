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

// Defaults of Options.
const (
	DefaultRegion  = "us-east-1"
	DefaultAccount = "123456789012"
	DefaultLedger  = 1_000_000

	DefaultSourceIP    = "127.0.0.1"
	DefaultBodyTimeout = 10 * time.Second
)

// Secrets maps the names of secrets to their values.
type Secrets map[string]string

// Options configure a Server. A nil *Options and the zero value of each field
// mean the documented defaults.
type Options struct {
	// Secrets are there from the start, in the default region.
	Secrets Secrets

	// Region is the default region: that of Secrets, of Client, of the
	// helpers and of requests without a signature. The default is
	// DefaultRegion.
	Region string

	// Regions limits the regions there are. Requests to any other, and
	// replication to it, are refused. The default is every region.
	Regions []string

	// Account owns the secrets and is that of callers whose access key no
	// Identity has. The default is DefaultAccount.
	Account string

	// Seed makes the faults that strike with a probability repeatable. The
	// default is 1.
	Seed uint64

	// Ledger is how many calls the ledger keeps; the oldest go first. The
	// default is DefaultLedger; a negative number keeps none.
	Ledger int

	// VersionQuota is how many versions a secret may have, when none of them is
	// both without labels and a day old: more is LimitExceededException. AWS
	// documents that there is such a quota and not how large it is. The default
	// is none.
	VersionQuota int

	// EnforceRates throttles calls above the service's documented rates, of
	// each account, region and operation: 10,000 GetSecretValue, 40,000
	// DescribeSecret, 100 BatchGetSecretValue, 100 ListSecrets a second, and 50
	// of each of the others, with bursts of as many. By default no rate is
	// limited.
	EnforceRates bool

	// AnyFunction lets RotateSecret take the ARN of a rotation function that
	// was not registered. Such a function makes a new value of its own: see
	// Server.Rotate. By default RotateSecret refuses it, as AWS refuses a
	// function that it cannot invoke.
	AnyFunction bool

	// SourceIP is the address that requests without a socket come from. The
	// default is DefaultSourceIP.
	SourceIP string

	// VerifySignatures refuses requests that are not signed, or not by a key
	// that the server knows: that of an Identity, of Client, or of an account
	// (whose secret access key is "secret"). Five minutes after its time, or
	// before, a signature is refused. By default any signature is taken, and
	// none.
	VerifySignatures bool

	// BodyTimeout is how long the body of a request may take to arrive over
	// HTTP. The default is DefaultBodyTimeout.
	BodyTimeout time.Duration

	// TB, if it is not nil, is told of the failures of the helpers, and closes
	// the server when its test ends.
	TB testing.TB
}

// A Server is an AWS Secrets Manager in memory. It is an http.Handler, and
// Client reaches it without a socket. It starts no goroutine of its own but for
// rotations, and for URL once that is called.
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

// NewServer returns a server that the caller must close, unless o.TB does.
// It panics when o.Secrets holds a name or a value that AWS would refuse and
// o.TB is nil.
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

// Reset forgets all secrets, faults and calls, ends the rotations under way,
// and brings all regions up. Identities and rotation functions stay.
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

// Close ends the rotations under way, cancelling the context of their
// functions, and stops serving at URL. It waits for both. Calls on a closed
// server fail as on a connection that was reset. Close may be called twice.
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

// servesRegion reports whether there is such a region.
func (s *Server) servesRegion(region string) bool {
	return len(s.opts.Regions) == 0 || region == s.opts.Region || slices.Contains(s.opts.Regions, region)
}

var _ http.Handler = (*Server)(nil)
