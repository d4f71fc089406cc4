package sim

import (
	"fmt"
	"strings"
	"time"
)

// A Plan is one simulation, complete: running it twice does the same, as far
// as the client's own chance allows.
type Plan struct {
	Seed    uint64
	Client  Settings
	Secrets []SecretPlan
	Events  []Event       // by time
	End     time.Duration // when the client is closed for good
}

// Settings are the client's options.
type Settings struct {
	TTL          time.Duration
	MaxStale     time.Duration // 0: the default, negative: none
	StaleWait    time.Duration // 0: the default, negative: none
	FetchTimeout time.Duration
	Size         int
	OnRead       bool
	NoDescribe   bool // the API has no DescribeSecret and no BatchGetSecretValue
	LogReads     bool // the log handler reads a secret
	Replica      bool // the secrets are in a second region too
}

// A SecretPlan is one secret.
type SecretPlan struct {
	Name     string
	Users    int           // whose password it is: 0 nobody's, 1 one user's, 2 alternating users'
	Schedule time.Duration // of rotations as DescribeSecret tells it, 0: none
}

// A Kind is a kind of event.
type Kind string

// What may happen. Events of the second group last, those of the third are
// the client's.
const (
	Put       Kind = "put"      // a new version becomes current
	Rollback  Kind = "rollback" // AWSCURRENT and AWSPREVIOUS change places
	Label     Kind = "label"    // a custom label moves to the current version
	RotCreate Kind = "createSecret"
	RotValue  Kind = "createSecret: value"
	RotSet    Kind = "setSecret"
	RotFinish Kind = "finishSecret"
	Lock      Kind = "lock" // the database takes no password
	Unlock    Kind = "unlock"
	Delete    Kind = "delete"
	Recreate  Kind = "recreate"

	Fault Kind = "fault"
	Lag   Kind = "lag"
	Slow  Kind = "slow"

	Reads    Kind = "reads"
	Watch    Kind = "watch"
	Tries    Kind = "tries"
	Connects Kind = "connects"
	Refresh  Kind = "refresh"
	Prefetch Kind = "prefetch"
	State    Kind = "rotation state"
	Reopen   Kind = "close and reopen"
)

// A Flavor is what is particular about a version's value.
type Flavor string

const (
	Good      Flavor = ""
	Malformed Flavor = "malformed" // not JSON
	Invalid   Flavor = "invalid"   // Validate refuses it
	Panics    Flavor = "panics"    // Validate panics
	Exits     Flavor = "exits"     // the decoder of a BindFunc handle ends its goroutine
)

// An Event is one thing that happens, or goes on for a while.
type Event struct {
	At     time.Duration
	Kind   Kind
	Secret int // -1: all
	For    time.Duration

	Flavor   Flavor        // of the version that a Put, RotValue or Recreate makes
	Validate time.Duration // how long Validate takes for it
	Fault    Class
	Percent  int           // of the calls that a Fault or Lag concerns
	By       time.Duration // how far a replica lags, how slow an answer is
	Where    Region        // whose calls a Fault, Lag or Slow concerns, "": of both

	ID      Form // how a reader calls the secret
	Read    ReadKind
	Stage   string        // of a Stage read
	Every   time.Duration // pause between the reads of a stream
	Timeout time.Duration // of each read, 0: a minute
	Par     int           // streams of Tries and Connects at once
	Max     int           // MaxLogins of Connects
	Force   bool          // Delete: at once; Recreate: with the version ids of before
}

// A Region is one of the two regions that there may be.
type Region string

const (
	Primary Region = "eu-west-1"
	Replica Region = "eu-central-1"
)

// at reports whether e concerns calls of a region.
func (e *Event) at(r Region) bool { return e.Where == "" || e.Where == r }

// A Form is a form of a secret's id.
type Form int

const (
	ByName    Form = iota
	ByPartial      // the ARN without its random suffix
	ByARN          // the full ARN that the secret has at the moment of the read
	ByOldARN       // the full ARN that it had at first
)

func (f Form) String() string {
	return [...]string{"name", "partial ARN", "full ARN", "first full ARN"}[f]
}

// A ReadKind is a way to read a secret.
type ReadKind string

const (
	ReadGet      ReadKind = "Get"
	ReadText     ReadKind = "Get[string]"
	ReadJSON     ReadKind = "Get[T]"
	ReadRef      ReadKind = "Ref[*Secret].Get"
	ReadRefJSON  ReadKind = "Ref[T].Get"
	ReadFunc     ReadKind = "BindFunc.Get"
	ReadStage    ReadKind = "GetVersion(stage)"
	ReadID       ReadKind = "GetVersion(id)"
	ReadVersions ReadKind = "Versions"
	ReadWatch    ReadKind = "Watch"
	ReadTry      ReadKind = "Try"
	ReadConnect  ReadKind = "Connect"
)

func (e Event) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-14v %s", e.At, e.Kind)
	if e.Secret < 0 {
		b.WriteString(", all secrets")
	} else if e.Kind != Reopen {
		fmt.Fprintf(&b, " s%d", e.Secret)
	}
	part := func(on bool, format string, args ...any) {
		if on {
			fmt.Fprintf(&b, ", "+format, args...)
		}
	}
	reads := e.Kind == Reads || e.Kind == Watch || e.Kind == Tries || e.Kind == Connects || e.Kind == Refresh || e.Kind == State
	part(e.Kind == Reads, "%s", e.Read)
	part(e.Stage != "", "%s", e.Stage)
	part(e.Fault != "", "%s", e.Fault)
	part(e.Percent != 0, "%d %% of calls", e.Percent)
	part(e.Where != "", "in %s", e.Where)
	part(e.By != 0, "by %v", e.By)
	part(e.Flavor != Good, "%s", e.Flavor)
	part(e.Validate != 0, "Validate takes %v", e.Validate)
	part(reads, "by %v", e.ID)
	part(e.Every != 0, "every %v", e.Every)
	part(e.For != 0, "for %v (until %v)", e.For, e.At+e.For)
	part(e.Timeout != 0, "timeout %v", e.Timeout)
	part(e.Par > 1, "%d at once", e.Par)
	part(e.Max != 0, "MaxLogins %d", e.Max)
	part(e.Force && e.Kind == Delete, "at once")
	part(e.Force && e.Kind == Recreate, "with the same version ids")
	return b.String()
}

// String writes the plan for a person.
func (p Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "client: %+v\n", p.Client)
	for i, s := range p.Secrets {
		fmt.Fprintf(&b, "s%d: %+v\n", i, s)
	}
	for _, e := range p.Events {
		fmt.Fprintf(&b, "%v\n", e)
	}
	fmt.Fprintf(&b, "%-14v end\n", p.End)
	return b.String()
}

// The bounds that the options stand for.

func (s Settings) maxStale() time.Duration {
	switch {
	case s.MaxStale == 0:
		return 36 * time.Hour
	case s.MaxStale < 0:
		return 0
	}
	return s.MaxStale
}

// bound is the age that no served value may have.
func (s Settings) bound() time.Duration { return max(s.TTL, s.maxStale()) }

func (s Settings) staleWait() time.Duration {
	if s.StaleWait == 0 {
		return 250 * time.Millisecond
	}
	return max(0, s.StaleWait)
}

func (s Settings) fetchTimeout() time.Duration {
	if s.FetchTimeout == 0 {
		return 10 * time.Second
	}
	return s.FetchTimeout
}
