package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/seed-74dc7b3e/secrets"
)

// An Op is an operation of the service.
type Op string

const (
	GetValue Op = "GetSecretValue"
	Describe Op = "DescribeSecret"
	Batch    Op = "BatchGetSecretValue"
)

// A Call is one question to the service; of a batch, for one of its secrets.
type Call struct {
	n      int
	op     Op
	region Region
	id     string // as it is in the primary's region
	stage  string // of GetSecretValue; "" if a version id was asked for
	verID  string
	secret *Secret

	begin, made, end time.Duration // made: when the state held that it was answered from
	ended            bool
	unseen           bool // the client gave it up, at end, before there was an answer
	class            Class
	snap             *Snapshot     // what it was answered from
	ver              *Version      // the value in the answer
	client           int           // the session that asked
	counts           time.Duration // when what it said counts from, see chain
	cond             wait
}

func (c *Call) String() string {
	what := c.stage + c.verID
	answer := string(c.class)
	switch {
	case c.class != ok:
	case c.op == Describe:
		answer = fmt.Sprintf("[%v]", c.snap)
	default:
		answer = c.ver.String()
	}
	if !c.ended {
		answer = "not answered"
	}
	lag := ""
	if c.ended && c.made < c.begin {
		lag = fmt.Sprintf(" as of %v", c.made)
	}
	where := ""
	if c.region == Replica {
		where = " in " + string(Replica)
	}
	return fmt.Sprintf("%-14v call %s%s %s %s: %s at %v%s", c.begin, c.op, where, c.id, what, answer, c.end, lag)
}

// A Service is what a client asks. It leaves the operations beside
// GetSecretValue to full.
type Service struct {
	w      *World
	client int
}

// Options tells the client in which region it is.
func (s *Service) Options() secretsmanager.Options {
	return secretsmanager.Options{Region: string(Primary)}
}

// call returns a call that asks for a secret in the region that the options name.
func (s *Service) call(op Op, id string, fns []func(*secretsmanager.Options)) *Call {
	o := s.Options()
	for _, fn := range fns {
		fn(&o)
	}
	c := &Call{op: op, client: s.client, region: Region(o.Region)}
	c.id = strings.Replace(id, string(Replica), string(Primary), 1)
	return c
}

// arn returns the ARN of the secret that is answered for, in the region asked.
func (c *Call) arn() *string {
	arn := strings.Replace(c.snap.inc.arn, string(Primary), string(c.region), 1)
	return &arn
}

// A full service has all operations.
type full struct{ *Service }

// api returns the API of a client.
func (w *World) api(client int) secrets.API {
	s := &Service{w, client}
	if w.plan.Client.NoDescribe {
		return s
	}
	return full{s}
}

func (s *Service) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, fns ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	c := s.call(GetValue, *in.SecretId, fns)
	switch {
	case in.VersionId != nil:
		c.verID = *in.VersionId
	case in.VersionStage != nil:
		c.stage = *in.VersionStage
	default:
		c.stage = "AWSCURRENT"
	}
	if err := s.answer(ctx, c); err != nil || c.class == Empty {
		return nil, err
	}
	created := s.w.created(c.ver)
	value := c.ver.text()
	return &secretsmanager.GetSecretValueOutput{
		ARN: c.arn(), Name: &c.secret.plan.Name, VersionId: &c.ver.id, CreatedDate: &created,
		VersionStages: c.snap.labelsOf(c.ver), SecretString: &value,
	}, nil
}

func (s full) DescribeSecret(ctx context.Context, in *secretsmanager.DescribeSecretInput, fns ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error) {
	c := s.call(Describe, *in.SecretId, fns)
	if err := s.answer(ctx, c); err != nil || c.class == Empty {
		return nil, err
	}
	out := &secretsmanager.DescribeSecretOutput{ARN: c.arn(), Name: &c.secret.plan.Name, VersionIdsToStages: map[string][]string{}}
	for l, v := range c.snap.labels {
		out.VersionIdsToStages[v.id] = append(out.VersionIdsToStages[v.id], l)
	}
	changed := s.w.start.Add(c.snap.at)
	out.LastChangedDate = &changed
	if c.snap.deleted {
		out.DeletedDate = &changed
	}
	if every := c.secret.plan.Schedule; every > 0 {
		enabled, window := true, "1h"
		next := s.w.start.Add(c.made.Truncate(every) + every - time.Second)
		out.RotationEnabled, out.NextRotationDate = &enabled, &next
		out.RotationRules = &types.RotationRulesType{Duration: &window}
	}
	return out, nil
}

func (s full) BatchGetSecretValue(ctx context.Context, in *secretsmanager.BatchGetSecretValueInput, fns ...func(*secretsmanager.Options)) (*secretsmanager.BatchGetSecretValueOutput, error) {
	out := &secretsmanager.BatchGetSecretValueOutput{}
	cs := make([]*Call, len(in.SecretIdList))
	for i, id := range in.SecretIdList {
		cs[i] = s.call(Batch, id, fns)
		cs[i].stage = "AWSCURRENT"
	}
	if err := s.answer(ctx, cs...); err != nil || cs[0].class == Empty {
		return nil, err
	}
	for i, c := range cs {
		if c.class != ok {
			code, message := codeOf(c.class), string(c.class)
			out.Errors = append(out.Errors, types.APIErrorType{SecretId: &in.SecretIdList[i], ErrorCode: &code, Message: &message})
			continue
		}
		created, value := s.w.created(c.ver), c.ver.text()
		out.SecretValues = append(out.SecretValues, types.SecretValueEntry{
			ARN: c.arn(), Name: &c.secret.plan.Name, VersionId: &c.ver.id, CreatedDate: &created,
			VersionStages: c.snap.labelsOf(c.ver), SecretString: &value,
		})
	}
	return out, nil
}

func codeOf(c Class) string {
	switch c {
	case missing, unlabeled:
		return "ResourceNotFoundException"
	case deleting:
		return "InvalidRequestException"
	}
	return "AccessDeniedException"
}

func (w *World) created(v *Version) time.Time {
	return w.start.Add(v.created).Truncate(time.Millisecond)
}

// answer answers calls of one request, of which there is more than one in a
// batch. It returns the request's error.
func (s *Service) answer(ctx context.Context, cs ...*Call) error {
	w := s.w
	request := w.begin(cs)
	left := time.Duration(never) // when the client gives it up
	if request.deaf {
		defer context.AfterFunc(ctx, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			left = w.now() + callGrace
		})()
	}
	err := request.run(ctx)

	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range cs {
		c.end, c.ended = min(left, w.now()), true
		c.made = max(0, c.begin+time.Duration(request.share*float64(c.end-c.begin))-c.cond.lag)
		switch {
		case left < w.now():
			c.class, c.unseen = canceled, true
		case err != nil && request.class == Hang:
			c.class = Hang
		case err != nil:
			c.class = canceled
		case request.class != ok:
			c.class = request.class
		case c.cond.class != ok:
			c.class = c.cond.class
		default:
			c.look(w)
		}
	}
	switch {
	case err != nil:
		return err
	case request.class == Panic:
		panic("the API panics")
	case request.class != ok:
		return request.class.err(cs[0].op, cs[0].id)
	case cs[0].op == Batch:
		return nil
	}
	return cs[0].class.err(cs[0].op, cs[0].id)
}

// begin enters calls in the history and finds how their request goes.
func (w *World) begin(cs []*Call) wait {
	w.mu.Lock()
	defer w.mu.Unlock()
	var request wait
	for _, c := range cs {
		c.begin, c.n = w.now(), len(w.calls)
		w.calls = append(w.calls, c)
		c.secret, _ = w.resolve(c.id, c.begin)
		c.cond = w.conditions(c)
		if c.cond.latency > request.latency {
			request.latency, request.share = c.cond.latency, c.cond.share
		}
		request.deaf = request.deaf || c.cond.deaf
		if c.cond.class != ok && (len(cs) == 1 || !c.cond.class.denies()) {
			request.class = c.cond.class // else only this secret of the batch is denied
		}
	}
	return request
}

// look finds what the answer says.
func (c *Call) look(w *World) {
	_, c.snap = w.resolve(c.id, c.made)
	switch {
	case c.snap == nil:
		c.class = missing
	case c.op == Describe:
	case c.snap.deleted:
		c.class = deleting
	default:
		for _, v := range c.snap.inc.versions {
			labeled := c.stage != "" && c.snap.labels[c.stage] == v || c.verID != "" && c.verID == v.id && v.created <= c.made
			if labeled && v.valued >= 0 && v.valued <= c.made {
				c.ver = v
			}
		}
		if c.ver == nil {
			c.class = unlabeled
		}
	}
}

// A wait is how a call goes.
type wait struct {
	latency time.Duration
	share   float64 // of the latency that is over when the service looks
	lag     time.Duration
	class   Class
	deaf    bool
}

// Bounds of an answer's time where nothing is wrong.
const (
	minLatency = 2 * time.Millisecond
	maxLatency = 60 * time.Millisecond
)

// conditions finds what the plan has in store for a call. What is left to
// chance depends on the secret and how often it was asked for, and on no other
// event.
func (w *World) conditions(c *Call) wait {
	index := len(w.secrets)
	if c.secret != nil {
		index = c.secret.index
	}
	w.drawn[index]++
	seed := w.plan.Seed<<20 ^ uint64(w.drawn[index])
	rnd := rand.New(rand.NewPCG(seed, uint64(index)))
	got := wait{latency: minLatency + time.Duration(rnd.Int64N(int64(maxLatency-minLatency))), share: rnd.Float64()}
	for _, e := range w.plan.Events {
		if e.Percent == 0 || c.begin < e.At || c.begin >= e.At+e.For || !e.at(c.region) || e.Secret >= 0 && e.Secret != index {
			continue
		}
		if rand.New(rand.NewPCG(seed, uint64(e.At))).IntN(100) >= e.Percent {
			continue
		}
		switch {
		case e.Kind == Slow:
			got.latency += e.By
		case e.Kind == Lag:
			got.lag = max(got.lag, e.By)
		case e.Fault == Deaf:
			got.deaf, got.latency = true, got.latency+e.By
		case e.Fault.concerns(c.op, c.stage):
			got.class = e.Fault
		}
	}
	return got
}

// run blocks for as long as the answer takes.
func (g wait) run(ctx context.Context) error {
	t := time.NewTimer(g.latency)
	defer t.Stop()
	switch {
	case g.deaf:
		<-t.C
		return nil
	case g.class == Hang:
		<-ctx.Done()
	default:
		select {
		case <-t.C:
			return nil
		case <-ctx.Done():
		}
	}
	time.Sleep(g.latency % linger)
	return ctx.Err()
}

// callGrace is how long the client waits for a call whose context has ended.
const callGrace = time.Second

// linger is how long a request goes on at most after its context has ended.
const linger = 5 * time.Millisecond
