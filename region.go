package secrets

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/seed-74dc7b3e/secrets/internal/region"
)

// A target is the regions to ask for a group of secrets: their own region and
// its replicas. It is safe for concurrent use by multiple goroutines.
type target struct {
	regions []*endpoint // in the order of preference
	home    *endpoint   // the region whose answer is final, also when a version goes back
	oneAPI  bool        // all use the same API, and so the same credentials

	mu     sync.Mutex    // guards health
	health region.Health // of regions
}

// An endpoint is one region of one API.
type endpoint struct {
	at     int    // its place in target.regions
	region string // "" where it is not known
	api    API
	opts   callOpts // of calls that a reader waits for
	quick  callOpts // of calls that are repeated anyway: without the SDK's own retries

	describer  describer
	batcher    batcher
	describing availability
	batching   availability
	batchesEnd atomic.Int64 // when batches were last found unavailable, an instant
}

// batches reports whether a call of BatchGetSecretValue may succeed. If the
// clock was set back, it returns true.
func (e *endpoint) batches(now instant) bool {
	end := instant(e.batchesEnd.Load())
	return e.batcher != nil && (e.batching.has() || now < end || now.Sub(end) >= batchAgain)
}

// noBatches notes for an hour that BatchGetSecretValue is unavailable. It
// returns true the first time.
func (e *endpoint) noBatches(now instant) bool {
	e.batchesEnd.Store(int64(now))
	return e.batching.lose()
}

// options returns the options of a call.
func (e *endpoint) options(quick bool) callOpts {
	if quick {
		return e.quick
	}
	return e.opts
}

// id converts the id of a secret to the one in the endpoint's region.
func (e *endpoint) id(id string) string {
	if e.at == 0 {
		return id
	}
	return inRegion(id, e.region)
}

// foreign reports whether the endpoint is not the home region, whose answer is
// final.
func (t *target) foreign(e *endpoint) bool { return e != t.home }

// An arnID is an id that is an ARN, or an ARN without its suffix, in parts.
type arnID struct{ partition, service, region, account, name string }

// parseARN returns the parts of an id that begins with arn:.
func parseARN(id string) (arnID, error) {
	parts := strings.SplitN(id, ":", 7)
	if len(parts) < 7 || parts[6] == "" {
		return arnID{}, errors.New("not the ARN of a secret: want arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME")
	}
	a := arnID{parts[1], parts[2], parts[3], parts[4], parts[6]}
	if a.service != "secretsmanager" || parts[5] != "secret" {
		return a, fmt.Errorf("the ARN is of a %q in service %q: want a %q in service %q", parts[5], a.service, "secret", "secretsmanager")
	}
	return a, nil
}

// inRegion returns id with its region replaced if it is an ARN.
func inRegion(id, region string) string {
	if !strings.HasPrefix(id, "arn:") || region == "" {
		return id
	}
	parts := strings.SplitN(id, ":", 5)
	if len(parts) < 5 || parts[3] == region {
		return id
	}
	parts[3] = region
	return strings.Join(parts, ":")
}

// partitions lists the AWS partitions by the prefixes of their regions' names,
// longest first.
var partitions = []struct{ prefix, name string }{
	{"us-isob-", "aws-iso-b"}, {"us-isof-", "aws-iso-f"}, {"eu-isoe-", "aws-iso-e"}, {"us-iso-", "aws-iso"},
	{"us-gov-", "aws-us-gov"}, {"cn-", "aws-cn"}, {"eusc-", "aws-eusc"},
	{"us-", "aws"}, {"eu-", "aws"}, {"ap-", "aws"}, {"ca-", "aws"}, {"sa-", "aws"}, {"me-", "aws"}, {"af-", "aws"},
	{"il-", "aws"}, {"mx-", "aws"},
}

// partitionOf returns the partition of a region. It returns "" if it is not
// known.
func partitionOf(region string) string {
	for _, p := range partitions {
		if strings.HasPrefix(region, p.prefix) {
			return p.name
		}
	}
	return ""
}

// An idError says that no API or region serves an ARN under the given options.
type idError struct{ reason, home string }

func (e *idError) Error() string {
	if e.home == "" {
		return e.reason
	}
	return e.reason + " (the client's region is " + e.home + ")"
}

// A router returns the target to ask for each id. It is safe for concurrent use
// by multiple goroutines.
type router struct {
	o      *Options
	api    API
	home   string   // the region of api, "" where it is not known
	opts   callOpts // of every call
	named  *target  // of names, and of ARNs of the same region and account
	apiFor func(account, region string) API

	mu      sync.Mutex // guards targets
	targets *simplelru.LRU[place, *target]
}

// A place is the part of an ARN that leads to a target.
type place struct{ account, region string }

// maxTargets bounds the number of remembered targets. A target that was
// forgotten is created anew, and learns anew which of its regions fail.
const maxTargets = 256

func newRouter(api API, o *Options) *router {
	r := &router{o: o, api: api, home: regionOf(api), opts: callOptions(o)}
	if o != nil {
		r.apiFor = o.APIFor
	}
	r.targets, _ = simplelru.NewLRU[place, *target](maxTargets, nil)
	return r
}

// regionOf returns the region that an API is configured for. It returns "" if
// the API does not tell.
func regionOf(api API) string {
	if c, ok := api.(interface {
		Options() secretsmanager.Options
	}); ok {
		return c.Options().Region
	}
	return ""
}

// route returns the target to ask for id.
func (r *router) route(id string) (*target, error) {
	if !strings.HasPrefix(id, "arn:") {
		return r.named, nil
	}
	a, err := parseARN(id)
	if err != nil {
		return nil, &idError{err.Error(), r.home}
	}
	if a.region == "" {
		a.region = r.home
	}
	p := place{a.account, a.region}
	if r.apiFor == nil {
		p.account = ""
		if a.region == r.home {
			return r.named, nil
		}
	}
	r.mu.Lock()
	t, ok := r.targets.Get(p)
	r.mu.Unlock()
	if ok {
		return t, nil
	}
	return r.makeTarget(a, p)
}

// makeTarget creates the target of ids like a.
func (r *router) makeTarget(a arnID, p place) (*target, error) {
	if !r.allowed(a.region) {
		return nil, &idError{fmt.Sprintf("the ARN is of region %s, which Options.Regions does not allow", a.region), r.home}
	}
	api, err := r.ask(a.account, a.region)
	if err != nil {
		return nil, err
	}
	if api == nil && a.region == r.home {
		return r.named, nil
	}
	if api == nil {
		want, other := partitionOf(r.home), partitionOf(a.region)
		if want != "" && (other != "" && other != want || a.partition != want) {
			return nil, &idError{fmt.Sprintf("the ARN is of region %s in partition %s, and the client is of another partition", a.region, a.partition), r.home}
		}
	}
	t, err := r.targetOf(a.account, a.region, api)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if made, ok := r.targets.Get(p); ok {
		return made, nil
	}
	r.targets.Add(p, t)
	return t, nil
}

// allowed reports whether secrets may be asked for in a region.
func (r *router) allowed(region string) bool {
	return r.o == nil || len(r.o.Regions) == 0 || region == r.home || slices.Contains(r.o.Regions, region) || slices.Contains(r.o.Replicas, region)
}

// ask returns the API that Options.APIFor returns for an account in a region,
// or nil. It calls the user's code.
func (r *router) ask(account, region string) (api API, err error) {
	if r.apiFor == nil {
		return nil, nil
	}
	defer func() {
		if p := recover(); p != nil {
			api, err = nil, fmt.Errorf("Options.APIFor panicked (with a %T)", p)
		}
	}()
	if api = r.apiFor(account, region); api != nil && isNil(api) {
		return nil, fmt.Errorf("Options.APIFor returned a nil %T for account %q in region %q: it must be an API, or nil itself", api, account, region)
	}
	return api, nil
}

// targetOf creates the target for the secrets of an account in a region. The
// account is "" for names. A nil api means the client's own.
func (r *router) targetOf(account, first string, api API) (*target, error) {
	t := &target{oneAPI: true}
	own := api == nil
	if own {
		api = r.api
	}
	t.add(r, first, api)
	for _, region := range r.replicasOf(first) {
		other, err := r.ask(account, region)
		if err != nil {
			return nil, err
		}
		if other == nil {
			other = api
		} else {
			t.oneAPI = false
		}
		t.add(r, region, other)
	}
	t.home = t.regions[0]
	for _, e := range t.regions {
		if r.home != "" && e.region == r.home {
			t.home = e
		}
	}
	t.health = region.New(len(t.regions))
	return t, nil
}

// replicasOf returns the regions that replicate a region: those of
// Options.Replicas and the client's own, without that region itself.
func (r *router) replicasOf(first string) []string {
	if r.o == nil || len(r.o.Replicas) == 0 {
		return nil
	}
	others := r.o.Replicas
	if first != r.home && r.home != "" {
		if !slices.Contains(others, first) {
			return nil // its secrets are not known to be replicated
		}
		others = append([]string{r.home}, others...)
	}
	return slices.DeleteFunc(slices.Clone(others), func(region string) bool { return region == first })
}

// add adds an endpoint to t.
func (t *target) add(r *router, region string, api API) {
	e := &endpoint{at: len(t.regions), region: region, api: api}
	if own := regionOf(api); region == "" {
		e.region = own
	} else if own != region {
		e.opts = append(e.opts, func(so *secretsmanager.Options) { so.Region = region })
	}
	e.opts = append(e.opts, r.opts...)
	e.quick = append(slices.Clip(e.opts), withoutRetries)
	e.describer, _ = api.(describer)
	e.batcher, _ = api.(batcher)
	e.describing.lost.Store(e.describer == nil)
	e.batching.lost.Store(e.batcher == nil)
	t.regions = append(t.regions, e)
}
