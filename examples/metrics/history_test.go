//go:build !race

package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// A history is what was scraped, for Prometheus's engine to query.
type history struct {
	series map[string]*series
	times  []time.Time
}

type series struct {
	labels  labels.Labels
	samples []chunks.Sample
}

// scrape asks the service for its metrics, and reads them as Prometheus does.
func (h *history) scrape(t *testing.T, admin http.Handler, at time.Time) {
	t.Helper()
	w := httptest.NewRecorder()
	admin.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("/metrics is %d: %s", w.Code, w.Body)
	}
	if h.series == nil {
		h.series = make(map[string]*series)
	}
	h.times = append(h.times, at)
	p := textparse.NewPromParser(w.Body.Bytes(), labels.NewSymbolTable(), false)
	for {
		entry, err := p.Next()
		switch {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			t.Fatal(err)
		case entry == textparse.EntrySeries:
			_, _, value := p.Series()
			var found labels.Labels
			p.Labels(&found)
			h.add(found, at, value)
		}
	}
}

// add adds a sample, with the labels that a scrape adds.
func (h *history) add(found labels.Labels, at time.Time, value float64) {
	b := labels.NewBuilder(found)
	b.Set("job", "service")
	b.Set("instance", "localhost:9464")
	all := b.Labels()
	s := h.series[all.String()]
	if s == nil {
		s = &series{labels: all}
		h.series[all.String()] = s
	}
	s.samples = append(s.samples, sample{at.UnixMilli(), value})
}

func (h *history) first() time.Time { return h.times[0] }
func (h *history) last() time.Time  { return h.times[len(h.times)-1] }

// Querier makes the history a storage.Queryable.
func (h *history) Querier(_, _ int64) (storage.Querier, error) { return querier{h}, nil }

type querier struct{ *history }

// Select returns all samples of the series that match.
func (q querier) Select(_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	set := &seriesSet{at: -1}
	for _, s := range q.series {
		if !slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(s.labels.Get(m.Name)) }) {
			set.all = append(set.all, storage.NewListSeries(s.labels, s.samples))
		}
	}
	slices.SortFunc(set.all, func(a, b storage.Series) int { return labels.Compare(a.Labels(), b.Labels()) })
	return set
}

func (querier) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, errors.ErrUnsupported
}

func (querier) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, errors.ErrUnsupported
}

func (querier) Close() error { return nil }

type seriesSet struct {
	all []storage.Series
	at  int
}

func (s *seriesSet) Next() bool                        { s.at++; return s.at < len(s.all) }
func (s *seriesSet) At() storage.Series                { return s.all[s.at] }
func (s *seriesSet) Err() error                        { return nil }
func (s *seriesSet) Warnings() annotations.Annotations { return nil }

// A sample is a number at a time, in milliseconds.
type sample struct {
	t int64
	v float64
}

func (s sample) T() int64                      { return s.t }
func (s sample) ST() int64                     { return 0 }
func (s sample) F() float64                    { return s.v }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }
