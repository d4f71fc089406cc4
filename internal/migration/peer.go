package migration

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// peer reads secrets the way that AWS's caching client for Go does, as its
// published source has it: one item for each id, with the labels that
// DescribeSecret told, and the values of at most ten versions. It is a stand-in
// for comparisons, not that client.
type peer struct {
	api   *secretsmanager.Client
	mu    sync.Mutex // guards items
	items map[string]*item
}

// itemTTL is the default of CacheConfig.CacheItemTTL.
const itemTTL = time.Hour

func newPeer(api *secretsmanager.Client) *peer {
	return &peer{api: api, items: map[string]*item{}}
}

// An item is what is known of one secret.
type item struct {
	lock     chan struct{} // holds one token; held during requests, as the client's mutex is
	asked    bool
	due      time.Time
	retry    time.Time
	failures int
	err      error
	labels   map[string][]string // by version id
	versions map[string]*secretsmanager.GetSecretValueOutput
}

func (p *peer) item(id string) *item {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.items[id] == nil {
		p.items[id] = &item{lock: make(chan struct{}, 1), versions: map[string]*secretsmanager.GetSecretValueOutput{}}
	}
	return p.items[id]
}

// read returns the version with a label. It waits for whoever reads the same
// secret, whatever ctx says, since a mutex knows no context.
func (p *peer) read(ctx context.Context, id, stage string) (*secretsmanager.GetSecretValueOutput, error) {
	i := p.item(id)
	i.lock <- struct{}{}
	defer func() { <-i.lock }()
	i.refresh(ctx, p.api, id)
	for version, stages := range i.labels {
		if slices.Contains(stages, stage) {
			return i.version(ctx, p.api, id, version)
		}
	}
	if i.err != nil {
		return nil, i.err
	}
	return nil, fmt.Errorf("could not find secret version for versionStage %s", stage)
}

func (i *item) isDue(now time.Time) bool {
	return !i.asked || !now.Before(i.due) || i.err != nil && !now.Before(i.retry)
}

// refresh asks for the labels where that is due. What fails leaves the old ones.
// The delay after a failure is two nanoseconds, then four, and so on: the
// published constants are numbers of seconds that are used as nanoseconds.
func (i *item) refresh(ctx context.Context, api *secretsmanager.Client, id string) {
	if !i.isDue(time.Now()) {
		return
	}
	i.asked = true
	out, err := api.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &id})
	now := time.Now()
	i.due = now.Add(itemTTL/2 + rand.N(itemTTL/2))
	if err != nil {
		i.failures++
		i.err, i.retry = err, now.Add(min(time.Duration(1)<<min(i.failures, 12), 3600))
		return
	}
	i.labels, i.err, i.failures = out.VersionIdsToStages, nil, 0
}

// version returns a version's value, which never changes: it is fetched once.
func (i *item) version(ctx context.Context, api *secretsmanager.Client, id, version string) (*secretsmanager.GetSecretValueOutput, error) {
	if v := i.versions[version]; v != nil {
		return v, nil
	}
	v, err := api.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id, VersionId: &version})
	if err == nil {
		i.versions[version] = v
	}
	return v, err
}

func (p *peer) text(ctx context.Context, id, stage string) (string, error) {
	v, err := p.read(ctx, id, stage)
	switch {
	case err != nil:
		return "", err
	case v.SecretString == nil:
		return "", errors.New("requested secret version does not contain SecretString")
	}
	return aws.ToString(v.SecretString), nil
}

func (p *peer) bytes(ctx context.Context, id string) ([]byte, error) {
	v, err := p.read(ctx, id, "AWSCURRENT")
	switch {
	case err != nil:
		return nil, err
	case v.SecretBinary == nil:
		return nil, errors.New("requested secret version does not contain SecretBinary")
	}
	return v.SecretBinary, nil
}

func (p *peer) close() {}
