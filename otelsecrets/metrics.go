package otelsecrets

import (
	"context"
	"iter"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/seed-74dc7b3e/secrets"
)

// A series is one attribute value of a counter, with its count.
type series struct {
	attr  attribute.KeyValue // without a key: none
	count func(*secrets.Stats) uint64
}

// counters are the metrics that only grow.
var counters = []struct {
	name, unit, description string
	series                  []series
}{
	{"secrets.cache.reads", "{read}", "Reads of secrets, by result.", labeled("secrets.cache.result",
		of("hit", func(s *secrets.Stats) uint64 { return s.Hits }),
		of("miss", func(s *secrets.Stats) uint64 { return s.Misses }),
		of("stale", func(s *secrets.Stats) uint64 { return s.Stale }),
		of("negative", func(s *secrets.Stats) uint64 { return s.Negative }))},
	{"secrets.cache.calls", "{call}", "Calls to AWS Secrets Manager, retries of the SDK not counted.", []series{
		{method("GetSecretValue"), func(s *secrets.Stats) uint64 { return s.GetSecretValue }},
		{method("DescribeSecret"), func(s *secrets.Stats) uint64 { return s.DescribeSecret }},
		{method("BatchGetSecretValue"), func(s *secrets.Stats) uint64 { return s.BatchGetSecretValue }}}},
	{"secrets.cache.call.errors", "{call}", "Calls that failed, by class.", labeled("error.type",
		of(string(secrets.ClassNetwork), func(s *secrets.Stats) uint64 { return s.NetworkErrors }),
		of(string(secrets.ClassThrottled), func(s *secrets.Stats) uint64 { return s.Throttles }),
		of(string(secrets.ClassDenied), func(s *secrets.Stats) uint64 { return s.DeniedErrors }),
		of(string(secrets.ClassCredentials), func(s *secrets.Stats) uint64 { return s.CredentialErrors }),
		of(string(secrets.ClassServer), func(s *secrets.Stats) uint64 { return s.ServerErrors }),
		of(string(secrets.ClassMissing), func(s *secrets.Stats) uint64 { return s.MissingErrors }),
		of(string(secrets.ClassCanceled), func(s *secrets.Stats) uint64 { return s.CanceledErrors }),
		of(string(secrets.ClassOther), func(s *secrets.Stats) uint64 { return s.OtherErrors }))},
	{"secrets.cache.refreshes", "{refresh}", "Successful refreshes of cached secrets.", []series{
		{count: func(s *secrets.Stats) uint64 { return s.Refreshes }}}},
	{"secrets.cache.versions", "{version}", "Versions that became current, were refused by a type, or were rejected in use.", labeled("secrets.cache.outcome",
		of("adopted", func(s *secrets.Stats) uint64 { return s.NewVersions }),
		of("refused", func(s *secrets.Stats) uint64 { return s.DecodeErrors }),
		of("rejected", func(s *secrets.Stats) uint64 { return s.Rejections }))},
	{"secrets.cache.removals", "{secret}", "Secrets that left the cache.", labeled("secrets.cache.reason",
		of("evicted", func(s *secrets.Stats) uint64 { return s.Evictions }),
		of("denied", func(s *secrets.Stats) uint64 { return s.Denials }))},
	{"secrets.cache.events.dropped", "{event}", "Events lost because OnEvent or the logger was too slow, or panicked.", []series{
		{count: func(s *secrets.Stats) uint64 { return s.EventsDropped }}}},
}

// of is a series whose attribute's key is still to be named.
func of(value string, count func(*secrets.Stats) uint64) series {
	return series{attribute.String("", value), count}
}

// labeled gives the attributes of all series their key.
func labeled(key string, all ...series) []series {
	for i := range all {
		all[i].attr.Key = attribute.Key(key)
	}
	return all
}

// levels are the current states, summed up over all secrets.
type levels struct {
	failing  map[secrets.FailureClass]int64
	rotating time.Duration // how long the oldest rotation has been outstanding
}

func levelsOf(all iter.Seq[secrets.Status], now time.Time) levels {
	l := levels{failing: make(map[secrets.FailureClass]int64)}
	for st := range all {
		if st.Failures > 0 {
			l.failing[st.LastClass]++
		}
		if st.Rotation.PendingVersion != "" && !st.Rotation.Since.IsZero() {
			l.rotating = max(l.rotating, now.Sub(st.Rotation.Since))
		}
	}
	return l
}

// failing are the failure classes of refreshes. Each is always observed, so
// that it goes back to zero.
var failing = []secrets.FailureClass{
	secrets.ClassNetwork, secrets.ClassThrottled, secrets.ClassDenied, secrets.ClassCredentials, secrets.ClassServer,
	secrets.ClassMissing, secrets.ClassDecode, secrets.ClassCanceled, secrets.ClassOther,
}

// instruments are the instruments of one Telemetry.
type instruments struct {
	counters                        []metric.Int64ObservableCounter
	count, failing, stale, refusals metric.Int64ObservableUpDownCounter
	rotating, pins                  metric.Int64ObservableUpDownCounter
	rotationAge, confirmationAge    metric.Float64ObservableGauge
	all                             []metric.Observable
}

// Observe adds the client's state to every collection of metrics. A collection
// then reads the client's Stats and Statuses, which takes milliseconds for
// thousands of secrets. stop ends that. Observe fails if the meter refuses an
// instrument.
func (t *Telemetry) Observe(client *secrets.Client) (stop func() error, err error) {
	in, err := t.instruments()
	if err != nil {
		return nil, err
	}
	reg, err := t.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		t.observe(o, in, client.Stats(), levelsOf(client.Statuses(), time.Now()))
		return nil
	}, in.all...)
	if err != nil {
		return nil, err
	}
	return reg.Unregister, nil
}

func (t *Telemetry) instruments() (*instruments, error) {
	in := &instruments{}
	for _, c := range counters {
		counter, err := t.meter.Int64ObservableCounter(c.name, metric.WithUnit(c.unit), metric.WithDescription(c.description))
		if err != nil {
			return nil, err
		}
		in.counters = append(in.counters, counter)
		in.all = append(in.all, counter)
	}
	for _, l := range []struct {
		to                      *metric.Int64ObservableUpDownCounter
		name, unit, description string
	}{
		{&in.count, "secrets.cache.secret.count", "{secret}", "Secrets in the cache."},
		{&in.failing, "secrets.cache.secret.failing", "{secret}", "Secrets whose last refresh failed, by class."},
		{&in.stale, "secrets.cache.secret.stale", "{secret}", "Secrets whose expired version is still served."},
		{&in.rotating, "secrets.cache.secret.rotating", "{secret}", "Secrets with an outstanding rotation."},
		{&in.refusals, "secrets.cache.refusals", "{type}", "Types that do not decode the current version of a secret, and serve an older one or none."},
		{&in.pins, "secrets.cache.pins", "{handle}", "Handles that use a version other than the current one."},
	} {
		made, err := t.meter.Int64ObservableUpDownCounter(l.name, metric.WithUnit(l.unit), metric.WithDescription(l.description))
		if err != nil {
			return nil, err
		}
		*l.to = made
		in.all = append(in.all, made)
	}
	for _, a := range []struct {
		to                *metric.Float64ObservableGauge
		name, description string
	}{
		{&in.rotationAge, "secrets.cache.rotation.age", "Age of the rotation that has been outstanding the longest."},
		{&in.confirmationAge, "secrets.cache.confirmation.age", "Time since the oldest confirmation of a secret by the service."},
	} {
		made, err := t.meter.Float64ObservableGauge(a.name, metric.WithUnit("s"), metric.WithDescription(a.description))
		if err != nil {
			return nil, err
		}
		*a.to = made
		in.all = append(in.all, made)
	}
	return in, nil
}

// observe records the current state.
func (t *Telemetry) observe(o metric.Observer, in *instruments, st secrets.Stats, l levels) {
	common := metric.WithAttributes(t.common...)
	for i, c := range counters {
		for _, s := range c.series {
			if s.attr.Valid() {
				o.ObserveInt64(in.counters[i], int64(s.count(&st)), metric.WithAttributes(t.with(s.attr)...))
			} else {
				o.ObserveInt64(in.counters[i], int64(s.count(&st)), common)
			}
		}
	}
	for _, class := range failing {
		o.ObserveInt64(in.failing, l.failing[class], metric.WithAttributes(t.with(errorType(class))...))
	}
	o.ObserveInt64(in.count, int64(st.Secrets), common)
	o.ObserveInt64(in.stale, int64(st.StaleNow), common)
	o.ObserveInt64(in.refusals, int64(st.Refused), common)
	o.ObserveInt64(in.rotating, int64(st.Rotating), common)
	o.ObserveInt64(in.pins, int64(st.Pinned), common)
	o.ObserveFloat64(in.rotationAge, l.rotating.Seconds(), common)
	if !st.OldestConfirmation.IsZero() {
		o.ObserveFloat64(in.confirmationAge, time.Since(st.OldestConfirmation).Seconds(), common)
	}
}
