package secrets_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// A day is one of a service: it reads, logs in, and lives through rotations, bad
// versions, outages and denials.
type day struct {
	srv      *secretstest.Server
	client   *secrets.Client
	told     *listener
	db       *secrets.Ref[string]
	config   *secrets.Ref[limits]
	password string                  // that the database takes
	current  map[string][]string     // by name, the versions that were current, in order
	reads    map[string]func() error // by name
	failed   map[string]int          // reads that failed
}

// lived returns a day that has passed.
func lived(t *testing.T) *day {
	all := secretstest.Secrets{"db": "p0", "config": `{"Limit":1}`, "quiet": "q", "withdrawn": "w", "extra-0": "e", "extra-1": "e", "extra-2": "e"}
	d := &day{srv: secretstest.New(t, all), told: &listener{}, password: "p0", current: map[string][]string{}, failed: map[string]int{}}
	once := func(o *secretsmanager.Options) { o.Retryer = aws.NopRetryer{} } // the ledger counts the SDK's retries, Stats does not
	d.client = open(t, d.srv.Client(once), &secrets.Options{Size: 6, OnEvent: d.told.see, Refresh: secrets.RefreshAhead})
	d.db, d.config = secrets.Bind[string](d.client, "db"), secrets.Bind[limits](d.client, "config")
	d.reads = map[string]func() error{
		"config":    func() error { _, err := d.config.Get(ctx); return err },
		"quiet":     func() error { _, err := d.client.Get(ctx, "quiet"); return err },
		"withdrawn": func() error { _, err := secrets.Get[string](ctx, d.client, "withdrawn"); return err },
	}
	for name := range all {
		d.current[name] = []string{d.srv.VersionID(name, secrets.Current)}
	}
	if err := secrets.Load(ctx, d.db, d.config); err != nil {
		t.Fatal(err)
	}
	for minute := range 24 * 60 {
		d.happens(minute)
		for step := range 6 {
			d.login()
			for _, name := range slices.Sorted(maps.Keys(d.reads)) {
				if (minute+step)%3 == 0 && d.reads[name]() != nil {
					d.failed[name]++
				}
			}
			time.Sleep(10 * time.Second)
		}
	}
	d.srv.ClearFaults()
	time.Sleep(20 * time.Minute) // what failed is tried again
	for name, read := range d.reads {
		if err := read(); err != nil && name != "withdrawn" {
			t.Errorf("%s at the end of the day: %v", name, err)
		}
	}
	d.login()
	synctest.Wait()
	return d
}

// happens is what is in store for a minute of the day.
func (d *day) happens(minute int) {
	always := secretstest.Always
	switch minute {
	case 100:
		d.put("config", `{"Limit":0}`)
	case 350:
		d.put("config", `{"Limit":2}`)
	case 400:
		d.srv.Fail(secretstest.Outage())
	case 470, 640, 740, 1110:
		d.srv.ClearFaults()
	case 600:
		d.srv.Fail(secretstest.Fault{Times: always, Probability: 0.5})
	case 700:
		d.srv.Fail(secretstest.Fault{Times: always, Code: "InternalServiceError"})
	case 800:
		d.srv.Fail(secretstest.Fault{Secret: "withdrawn", Times: always, Code: "AccessDeniedException"})
	case 900, 901, 902:
		d.client.Get(ctx, fmt.Sprintf("extra-%d", minute-900))
	case 950:
		d.client.Get(ctx, "absent")
	case 1100:
		d.srv.Fail(secretstest.DenyDescribe(""))
	}
	d.rotates(minute/180, minute%180)
}

// rotates is what happens of the day's nth rotation, minutes after it was due. The
// database takes the pending password from setSecret on; every other rotation gets stuck
// there for two hours.
func (d *day) rotates(n, minute int) {
	finish := 32
	if n%2 == 1 {
		finish = 155
	}
	switch minute {
	case 30:
		d.password = fmt.Sprintf("p%d", n)
		d.srv.PutPending("db", d.password)
	case finish:
		pending := d.srv.VersionID("db", secrets.Pending)
		d.srv.MoveStage("db", secrets.Current, pending)
		d.srv.MoveStage("db", secrets.Pending, "")
		d.current["db"] = append(d.current["db"], pending)
	}
}

func (d *day) put(name, value string) {
	d.current[name] = append(d.current[name], d.srv.Put(name, value))
}

// login uses the database's password.
func (d *day) login() {
	short, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	secrets.Try(short, d.db, func(_ context.Context, password string) (int, error) {
		if password != d.password {
			return 0, secrets.Rejected(errRotAuth)
		}
		return 0, nil
	})
}

// What the service's ledger, Stats, the events and Status tell of a day is the same.
func TestDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := lived(t)
		st := d.client.Stats()
		if st.EventsDropped != 0 {
			t.Fatalf("%d events dropped", st.EventsDropped)
		}
		d.checkCalls(t, st)
		d.checkCounts(t, st)
		d.checkVersions(t)
		d.checkFailures(t, st)
	})
}

// checkCalls compares calls: the ledger's, those counted, those told of.
func (d *day) checkCalls(t *testing.T, st secrets.Stats) {
	told, failed := map[string]uint64{}, map[secrets.FailureClass]uint64{}
	for _, e := range d.told.of(secrets.EventCall) {
		told[e.Operation]++
		if e.Class != "" {
			failed[e.Class]++
		}
	}
	for op, counted := range map[string]uint64{
		"GetSecretValue": st.GetSecretValue, "DescribeSecret": st.DescribeSecret, "BatchGetSecretValue": st.BatchGetSecretValue,
	} {
		if ledger := uint64(d.srv.Count(secretstest.Call{Op: op})); ledger != counted || told[op] != counted || counted == 0 {
			t.Errorf("%s: %d in the ledger, %d counted, %d told", op, ledger, counted, told[op])
		}
	}
	for class, counted := range map[secrets.FailureClass]uint64{
		secrets.ClassNetwork: st.NetworkErrors, secrets.ClassThrottled: st.Throttles, secrets.ClassServer: st.ServerErrors,
		secrets.ClassDenied: st.DeniedErrors, secrets.ClassMissing: st.MissingErrors,
	} {
		if failed[class] != counted || counted == 0 {
			t.Errorf("errors of class %s: %d told, %d counted; want equal numbers, above 0", class, failed[class], counted)
		}
	}
	ledger := 0
	for _, call := range d.srv.Calls() {
		if call.Outcome != secretstest.OutcomeOK {
			ledger++
		}
	}
	if sum := st.NetworkErrors + st.Throttles + st.DeniedErrors + st.CredentialErrors + st.ServerErrors + st.MissingErrors +
		st.CanceledErrors + st.OtherErrors; sum != st.Errors || st.Errors != uint64(ledger) {
		t.Errorf("%d errors, %d by class, %d in the ledger", st.Errors, sum, ledger)
	}
}

// checkCounts compares what is counted with what is told.
func (d *day) checkCounts(t *testing.T, st secrets.Stats) {
	told := map[string]uint64{}
	for _, e := range d.told.of() {
		told[e.Kind.String()]++
		switch {
		case e.Kind == secrets.EventAdopted && e.From != "":
			told["replaced"]++
		case e.Kind == secrets.EventRefused && e.Attempt == 1:
			told["refused at first"]++
		}
	}
	for what, counted := range map[string]uint64{
		"replaced": st.NewVersions, "refused at first": st.DecodeErrors, "rejected": st.Rejections, "evicted": st.Evictions, "dropped": st.Denials,
	} {
		if told[what] != counted || counted == 0 {
			t.Errorf("%s: %d told, %d counted; want equal numbers, above 0", what, told[what], counted)
		}
	}
	if told["pinned"] != told["unpinned"] || told["rotating"] != told["rotated"] || told["pinned"] == 0 || told["rotation stuck"] == 0 {
		t.Errorf("%d fallbacks of which %d ended, %d rotations of which %d ended, %d reminders of a stuck one", told["pinned"], told["unpinned"], told["rotating"], told["rotated"], told["rotation stuck"])
	}
	if st.Failing+st.StaleNow+st.Rotating+st.Pinned+st.Refused != 0 {
		t.Errorf("at the end of the day: %+v", st)
	}
	if st.Stale == 0 || st.Hits == 0 {
		t.Errorf("%d stale reads and %d hits", st.Stale, st.Hits)
	}
}

// checkVersions compares the versions of a secret: those that were current, those
// adopted, and the one that Status shows.
func (d *day) checkVersions(t *testing.T) {
	for name, current := range d.current {
		var adopted []string
		last := ""
		for _, e := range d.told.of(secrets.EventAdopted) {
			if e.Secret != name {
				continue
			}
			if e.From != "" && e.From != last {
				t.Errorf("%s: version %s replaced %s, and %s had been adopted", name, e.Version, e.From, last)
			}
			if last = e.Version; len(adopted) == 0 || adopted[len(adopted)-1] != last {
				adopted = append(adopted, last)
			}
		}
		if name == "withdrawn" || name == "extra-2" {
			current = current[:len(adopted)]
		}
		if !slices.Equal(adopted, current) {
			t.Errorf("%s: adopted %v, current were %v", name, adopted, current)
		}
		if st, ok := d.client.Status(name); ok && st.Version != last {
			t.Errorf("%s: Status shows %s, adopted was %s", name, st.Version, last)
		}
	}
}

// checkFailures compares runs of failures with what ended them, and with Status.
func (d *day) checkFailures(t *testing.T, st secrets.Stats) {
	row := map[string]int{}
	failures := 0
	for _, e := range d.told.of() {
		switch e.Kind {
		case secrets.EventFailed:
			failures++
			if row[e.Secret]++; e.Attempt != row[e.Secret] {
				t.Errorf("%s at %v: attempt %d, want %d", e.Secret, e.Time, e.Attempt, row[e.Secret])
			}
		case secrets.EventStale:
			if row[e.Secret] == 0 {
				t.Errorf("%s at %v: stale without a failure", e.Secret, e.Time)
			}
		case secrets.EventRecovered:
			if e.Attempt != row[e.Secret] {
				t.Errorf("%s at %v: recovered from %d failures, told were %d", e.Secret, e.Time, e.Attempt, row[e.Secret])
			}
			row[e.Secret] = 0
		case secrets.EventDropped, secrets.EventEvicted:
			row[e.Secret] = 0
		}
	}
	for name, n := range row {
		if s, _ := d.client.Status(name); s.Failures != n {
			t.Errorf("%s: %d failures in a row told, Status shows %d", name, n, s.Failures)
		}
	}
	if failures == 0 || uint64(failures) > st.Errors {
		t.Errorf("%d failed refreshes of %d failed calls", failures, st.Errors)
	}
	if d.failed["config"]+d.failed["quiet"] != 0 || d.failed["withdrawn"] == 0 {
		t.Errorf("reads that failed: %v", d.failed)
	}
}
