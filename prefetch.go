package secrets

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	batchSize    = 20 // secrets in one BatchGetSecretValue
	batchWorkers = 4  // batches under way at a time: the service allows 100 a second
	batchAgain   = time.Hour
)

// Prefetch caches the current versions of many secrets, 20 a request. It blocks
// until each secret is cached or has failed. A secret that is cached and not
// expired costs nothing. If some fail, a [*PrefetchError] names them; the
// others are cached. Prefetch ignores remembered failures.
//
// If ids has more secrets than Options.Size, Prefetch returns an error and
// makes no request. BatchGetSecretValue needs a permission of its own, in
// addition to GetSecretValue on each secret. If it is denied or unavailable,
// Prefetch fetches the secrets one by one, 16 at a time. After Close it returns
// [ErrClosed].
func (c *Client) Prefetch(ctx context.Context, ids ...string) error {
	c.made()
	if i := slices.Index(ids, ""); i >= 0 {
		return fmt.Errorf("secrets: prefetch: id %d of %d: %w", i+1, len(ids), errNoID)
	}
	if n := c.distinct(ids); n > c.size {
		return fmt.Errorf("secrets: prefetch: %d secrets do not fit in Options.Size %d", n, c.size)
	}
	err := c.run(ctx, func(ctx context.Context) error { return c.prefetch(ctx, ids) })
	switch err.(type) {
	case nil, *PrefetchError:
		return err
	}
	if err == ErrClosed {
		return err
	}
	return fmt.Errorf("secrets: prefetch: %w", err)
}

func (c *cache) prefetch(ctx context.Context, ids []string) error {
	p := &prefetch{c: c, failed: map[string]error{}}
	defer p.letGo()
	p.singles(ctx, p.batches(ctx, p.unfetched(ids)))
	if len(p.failed) > 0 {
		return &PrefetchError{Errors: p.failed}
	}
	return nil
}

// distinct returns the least number of secrets that ids can name. It makes no
// request: ids of one cached secret count once, and so do a name, its ARN and
// its ARN without the suffix.
func (c *cache) distinct(ids []string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	cached := map[*entry]bool{}
	names := map[string]bool{}
	for _, id := range ids {
		if e := c.knownLocked(id); e != nil {
			cached[e] = true
		} else if _, name, ok := strings.Cut(id, ":secret:"); ok {
			names[name] = true
		} else {
			names[id] = true
		}
	}
	n := len(cached)
	for name := range names {
		const suffix = len("-XXXXXX")
		if i := len(name) - suffix; i <= 0 || name[i] != '-' || !names[name[:i]] {
			n++
		}
	}
	return n
}

// unfetched returns the distinct ids that are not cached and fresh. It keeps
// the others from being evicted.
func (p *prefetch) unfetched(ids []string) []string {
	var wanted []string
	seen := make(map[string]bool, len(ids))
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		if e, _, ok := p.c.fresh(id); ok {
			p.c.mu.Lock()
			p.keepLocked(e)
			p.c.mu.Unlock()
		} else {
			wanted = append(wanted, id)
		}
	}
	return wanted
}

// keepLocked keeps e until the call ends, so that secrets that the call caches
// do not evict e.
func (p *prefetch) keepLocked(e *entry) {
	if !e.lease.Gone() {
		p.c.holdLocked(e)
		p.kept = append(p.kept, e)
	}
}

func (p *prefetch) letGo() {
	for _, e := range p.kept {
		p.c.let(e)
	}
}

// prefetch is one call of Prefetch.
type prefetch struct {
	c    *cache
	kept []*entry // guarded by cache.mu

	mu     sync.Mutex // guards failed and left
	failed map[string]error
	left   []string // ids to fetch one by one
}

func (p *prefetch) fail(id string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed[id] = err
}

func (p *prefetch) leave(ids ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = append(p.left, ids...)
}

// A chunk is of secrets that are asked for in one place.
type chunk struct {
	t   *target
	ids []string
}

// batches fetches secrets 20 a request, and returns the ids that must be
// fetched one by one.
func (p *prefetch) batches(ctx context.Context, ids []string) []string {
	var chunks []chunk
	for _, all := range p.byTarget(ids) {
		for part := range slices.Chunk(all.ids, batchSize) {
			if len(part) == 1 || !p.c.fetcher.batches(all.t.regions[0]) {
				p.leave(part...) // a single one needs no permission for batches
			} else {
				chunks = append(chunks, chunk{all.t, part})
			}
		}
	}
	each(chunks, batchWorkers, func(part chunk) { p.batch(ctx, part) })
	return p.left
}

// byTarget groups ids by the target that is asked for them. Ids without a
// target fail.
func (p *prefetch) byTarget(ids []string) []chunk {
	var by []chunk
	for _, id := range ids {
		t, err := p.c.fetcher.route(id)
		if err != nil {
			p.fail(id, opError("prefetch", id, err))
			continue
		}
		i := slices.IndexFunc(by, func(c chunk) bool { return c.t == t })
		if i < 0 {
			i, by = len(by), append(by, chunk{t: t})
		}
		by[i].ids = append(by[i].ids, id)
	}
	return by
}

// batch fetches up to 20 secrets.
func (p *prefetch) batch(ctx context.Context, part chunk) {
	if !p.c.fetcher.batches(part.t.regions[0]) {
		p.leave(part.ids...)
		return
	}
	open := make(map[string]bool, len(part.ids)) // ids without a result so far
	for _, id := range part.ids {
		open[id] = true
	}
	var token *string
	var at *endpoint
	for range len(part.ids) + 1 { // a page holds one secret at least
		claims := p.claim(open)
		out, err := p.c.fetcher.batch(ctx, part.t, at, part.ids, token)
		if err == nil {
			p.take(out, claims, open)
		}
		p.release(claims)
		switch {
		case err != nil && ctx.Err() == nil && (at != nil && len(part.t.regions) > 1 || replicaAnswer(err) != answerOf(err)):
			p.leaveOpen(open) // an error of a replica is not definite, and no other region can continue the pages
			return
		case err != nil:
			p.batchFailed(ctx, part.t, open, err)
			return
		}
		if token, at = out.NextToken, out.e; token == nil || *token == "" || len(open) == 0 {
			break
		}
	}
	p.leaveOpen(open) // the answer did not identify these ids
}

func (p *prefetch) leaveOpen(open map[string]bool) {
	for id := range open {
		p.leave(id)
	}
}

// claim begins a question for each of ids, which one request answers.
func (p *prefetch) claim(ids map[string]bool) map[string]*claim {
	claims := make(map[string]*claim, len(ids))
	for id := range ids {
		claims[id] = p.c.claim(id, byPrefetch)
		claims[id].placed = p.keepLocked
	}
	return claims
}

func (p *prefetch) release(claims map[string]*claim) {
	for _, q := range claims {
		p.c.release(q)
	}
}

// batchFailed handles the secrets of a request that failed as a whole.
func (p *prefetch) batchFailed(ctx context.Context, t *target, open map[string]bool, err error) {
	if a := answerOf(err); a == denied || a == missing {
		if t.regions[0].noBatches(p.c.now()) {
			first := slices.Min(slices.Collect(maps.Keys(open)))
			p.c.events.add(Event{Kind: EventUnavailable, Secret: first, Operation: opBatch, Class: ClassOf(err), Err: err})
		}
		p.leaveOpen(open)
		return
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	for id := range open {
		if p.c.restoreAfter(ctx, id, err, p.keepLocked) {
			continue
		}
		p.c.mu.Lock()
		tooOld := p.c.tooOldErrorLocked(id, err)
		p.c.mu.Unlock()
		p.fail(id, opError("prefetch", id, tooOld))
	}
}

// take caches the secrets of one page and notes its errors.
func (p *prefetch) take(out batch, claims map[string]*claim, open map[string]bool) {
	// Errors first: an id that has one is not a name of any value.
	for _, e := range out.Errors {
		id := out.t.arn(out.e, str(e.SecretId))
		if open[id] && out.e.at > 0 {
			p.leave(id) // an error of a replica is not definite
			delete(open, id)
		} else if open[id] {
			err := out.e.named(batchError(str(e.ErrorCode), str(e.Message)))
			err = p.c.coldFailed(claims[id], err)
			p.fail(id, opError("prefetch", id, err))
			delete(open, id)
		}
	}
	for i := range out.SecretValues {
		s, err := fromEntry(&out.SecretValues[i])
		if err != nil {
			continue // its id stays open
		}
		s = s.from(out.t, out.e)
		for _, id := range namesIn(open, s) {
			switch _, _, err := p.c.adopt(claims[id], s, nil); {
			case err == errReplaced:
				p.leave(id)
			case err != nil:
				p.fail(id, err)
			}
			delete(open, id)
		}
	}
}

// namesIn returns those of ids that name s. An id that may be a partial ARN of
// s counts if the answer has no error for it: see take.
func namesIn(ids map[string]bool, s *Secret) []string {
	var names []string
	for id := range ids {
		partial := strings.HasPrefix(id, "arn:") && len(s.v.arn) == len(id)+7 && strings.HasPrefix(s.v.arn, id+"-")
		if id == s.v.name || id == s.v.arn || partial {
			names = append(names, id)
		}
	}
	return names
}

// singles fetches secrets one by one.
func (p *prefetch) singles(ctx context.Context, ids []string) {
	each(ids, maxWorkers, func(id string) {
		if ctx.Err() != nil {
			p.fail(id, opError("prefetch", id, ctx.Err()))
			return
		}
		_, _, _, err := p.c.readOrRestore(ctx, id, byPrefetch, p.keepLocked)
		if err != nil && !errors.Is(err, ErrClosed) {
			err = opError("prefetch", id, err)
		}
		if err != nil {
			p.fail(id, err)
		}
	})
}

// each calls fn for every item, in at most n goroutines, and waits for them.
func each[T any](items []T, n int, fn func(T)) {
	work := make(chan T)
	var wg sync.WaitGroup
	for range min(n, len(items)) {
		wg.Go(func() {
			for item := range work {
				fn(item)
			}
		})
	}
	for _, item := range items {
		work <- item
	}
	close(work)
	wg.Wait()
}
