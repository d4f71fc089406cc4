package migration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/smithy-go"
	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

const (
	login    = "prod/db"
	oldLogin = `{"username":"app","password":"old"}`
	newLogin = `{"username":"app","password":"new"}`
)

// A scenario is something that a program does, or that happens to it.
type scenario struct {
	what string
	run  func(*stage) string
}

var scenarios = []scenario{
	{"reads a secret for the first time", (*stage).firstRead},
	{"has no permission for `DescribeSecret`", (*stage).withoutDescribe},
	{"reads a text secret as bytes", (*stage).textAsBytes},
	{"reads a binary secret as text", (*stage).binaryAsText},
	{"reads a secret that does not exist, ten times a second for ten seconds", (*stage).missing},
	{"gives a read 50 ms while another waits for an answer of 2 s", (*stage).deadline},
	{"reads every ten seconds while answers take 200 ms", (*stage).hot},
	{"reads every ten seconds; the value changes", (*stage).change},
	{"the same, and the new value is not the JSON that it expects", (*stage).badVersion},
	{"reads every ten seconds through three hours without the service", (*stage).outage},
	{"reads on after the secret was deleted", (*stage).deleted},
	{"reads on after its access was withdrawn", (*stage).denied},
	{"logs in between setSecret and finishSecret of a rotation", (*stage).rotation},
	{"asks for AWSPREVIOUS", (*stage).previous},
}

// A stage is where a scenario is played: a service, and one of the clients.
type stage struct {
	srv   *secretstest.Server
	cache cache
}

var ctx = context.Background()

func (s *stage) read() (string, error) { return s.cache.text(ctx, login, secrets.Current) }

func (s *stage) firstRead() string {
	_, err := s.read()
	var ops []string
	for _, c := range s.srv.Calls() {
		ops = append(ops, "`"+c.Op+"`")
	}
	return outcome("calls "+strings.Join(ops, " and "), err)
}

func (s *stage) withoutDescribe() string {
	f := secretstest.DenyDescribe(login)
	f.Times = secretstest.Always
	s.srv.Fail(f)
	_, err := s.read()
	return outcome("gets it", err)
}

func (s *stage) textAsBytes() string {
	b, err := s.cache.bytes(ctx, login)
	return outcome(fmt.Sprintf("gets its %d bytes", len(b)), err)
}

func (s *stage) binaryAsText() string {
	s.srv.PutBinary(login, []byte{1, 2, 3})
	_, err := s.read()
	return outcome("gets it", err)
}

func (s *stage) missing() string {
	var err error
	for range 100 {
		_, err = s.cache.text(ctx, "prod/missing", secrets.Current)
		time.Sleep(100 * time.Millisecond)
	}
	return outcome("gets it", err) + fmt.Sprintf(", %d calls", len(s.srv.Calls()))
}

func (s *stage) deadline() string {
	s.srv.Fail(secretstest.Fault{Latency: 2 * time.Second, Times: secretstest.Always})
	var wg sync.WaitGroup
	wg.Go(func() { s.read() })
	time.Sleep(10 * time.Millisecond)
	hurried, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	s.cache.text(hurried, login, secrets.Current)
	took := time.Since(began).Round(10 * time.Millisecond)
	wg.Wait()
	return "it returns after " + short(took)
}

func (s *stage) hot() string {
	s.srv.Fail(secretstest.Fault{Latency: 200 * time.Millisecond, Times: secretstest.Always})
	s.read()
	r := s.reads(12*time.Hour, func(string) bool { return false })
	if r.waited == 0 {
		return "no read waits"
	}
	return fmt.Sprintf("%d reads of twelve hours wait, up to %s", r.waited, short(r.slowest))
}

func (s *stage) change() string {
	s.read()
	time.Sleep(time.Second)
	var late time.Duration
	for n := range 20 { // chance spreads refreshes: the latest of some
		value := fmt.Sprintf(`{"username":"app","password":"%d"}`, n)
		s.srv.Put(login, value)
		late = max(late, s.reads(2*time.Hour, func(got string) bool { return got == value }).took)
	}
	for _, bound := range []time.Duration{5 * time.Minute, time.Hour} {
		if late <= bound+pace {
			return "sees it within " + short(bound)
		}
	}
	return "sees it after " + short(late)
}

// account is what a program decodes the secret into.
type account struct{ Username, Password string }

func (s *stage) badVersion() string {
	decode := func() (account, error) { // what a program writes round a cache of text
		var a account
		text, err := s.read()
		if err == nil {
			err = json.Unmarshal([]byte(text), &a)
		}
		return a, err
	}
	if c, ok := s.cache.(ours); ok {
		ref := secrets.Bind[account](c.Client, login)
		decode = func() (account, error) { return ref.Get(ctx) }
	}
	decode()
	s.srv.Put(login, "not JSON")
	for range 720 {
		if _, err := decode(); err != nil {
			return "every use fails from then on"
		}
		time.Sleep(pace)
	}
	return "the last good version stays in use, an error is logged"
}

func (s *stage) outage() string {
	s.read()
	s.srv.RegionOutage(secretstest.DefaultRegion)
	s.srv.ResetCalls()
	r := s.reads(3*time.Hour, func(string) bool { return false })
	attempts := fmt.Sprintf("; %d attempts", s.srv.Count(secretstest.Call{}))
	switch {
	case r.err != nil:
		return outcome("", r.err) + attempts
	case r.waited == 0:
		return "no read fails, none waits" + attempts
	}
	return "no read fails; those after the TTL wait for the SDK's retries" + attempts
}

func (s *stage) deleted() string {
	s.read()
	s.srv.ScheduleDeletion(login)
	return s.untilRefused()
}

func (s *stage) denied() string {
	s.read()
	s.srv.Fail(secretstest.Fault{Code: "AccessDeniedException", Times: secretstest.Always})
	return s.untilRefused()
}

// untilRefused reads for a day, or until an error.
func (s *stage) untilRefused() string {
	r := s.reads(24*time.Hour, func(string) bool { return false })
	if r.err == nil {
		return "is served the old value, after a day still"
	}
	for _, bound := range []time.Duration{5 * time.Minute, time.Hour} {
		if r.took <= bound+pace {
			return "within " + short(bound) + " it " + outcome("", r.err)
		}
	}
	return "after " + short(r.took) + " it " + outcome("", r.err)
}

func (s *stage) rotation() string {
	s.read()
	r := s.srv.Rotation(login)
	r.SetValue(newLogin)
	if err := r.Step(rotate.CreateSecret, rotate.SetSecret); err != nil {
		return err.Error()
	}
	connect := func(_ context.Context, text string) (string, error) {
		if text != newLogin {
			return "", secrets.Rejected(errors.New("password authentication failed"))
		}
		return "logs in: `Try` offers the pending version", nil
	}
	if c, ok := s.cache.(ours); ok {
		got, err := secrets.Try(ctx, secrets.Bind[string](c.Client, login), connect)
		return outcome(got, err)
	}
	text, _ := s.read()
	_, err := connect(ctx, text)
	return outcome("logs in", err)
}

func (s *stage) previous() string {
	s.srv.Put(login, newLogin)
	got, err := s.cache.text(ctx, login, secrets.Previous)
	if err == nil && got != oldLogin {
		return "gets another version"
	}
	return outcome("gets it", err)
}

// pace is how long a program pauses between two reads.
const pace = 10 * time.Second

// reads is what reads met.
type reads struct {
	took, slowest time.Duration
	waited        int
	err           error // the first
}

// reads reads at the pace until a value is the one that is waited for, or a read fails.
func (s *stage) reads(most time.Duration, done func(string) bool) (r reads) {
	for began := time.Now(); ; time.Sleep(pace) {
		if r.took = time.Since(began); r.took >= most {
			return r
		}
		at := time.Now()
		value, err := s.read()
		if took := time.Since(at); took > 0 {
			r.waited, r.slowest = r.waited+1, max(r.slowest, took)
		}
		if r.err = err; err != nil || done(value) {
			return r
		}
	}
}

// outcome names the service's errors by their code.
func outcome(ok string, err error) string {
	var api smithy.APIError
	switch {
	case err == nil:
		return ok
	case errors.As(err, &api):
		return "fails: `" + api.ErrorCode() + "`"
	}
	return "fails"
}

// short prints a duration in its largest whole unit.
func short(d time.Duration) string {
	switch {
	case d >= time.Hour && d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d >= time.Minute:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case d >= time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}
