package check

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

const scraped = 15 * time.Second // between two samples

// series are made-up samples by their metric, such as `up{job="pinocchio"}`; none is where a scrape failed.
type series map[string][]float64

const none = -1

// sample is one of them.
type sample struct {
	at    int64
	value float64
}

func (s sample) T() int64                      { return s.at }
func (s sample) ST() int64                     { return 0 }
func (s sample) F() float64                    { return s.value }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }

// found is what a selector finds of them.
type found struct {
	all []storage.Series
	at  int
}

func (f *found) Next() bool         { f.at++; return f.at <= len(f.all) }
func (f *found) At() storage.Series { return f.all[f.at-1] }
func (f *found) Err() error         { return nil }

func (f *found) Warnings() annotations.Annotations { return nil }

// queryable lets the engine read the series.
func (s series) queryable(t *testing.T, p parser.Parser) storage.Queryable {
	t.Helper()
	var all []storage.Series
	for metric, values := range s {
		name, err := p.ParseMetric(metric)
		if err != nil {
			t.Fatalf("%s: %v", metric, err)
		}
		var samples []chunks.Sample
		for n, v := range values {
			if v != none {
				samples = append(samples, sample{(time.Duration(n) * scraped).Milliseconds(), v})
			}
		}
		all = append(all, storage.NewListSeries(name, samples))
	}
	return &storage.MockQueryable{MockQuerier: &storage.MockQuerier{
		SelectMockFunction: func(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
			return &found{all: matching(all, matchers)}
		},
	}}
}

func matching(all []storage.Series, matchers []*labels.Matcher) (some []storage.Series) {
	for _, s := range all {
		fits := true
		for _, m := range matchers {
			fits = fits && m.Matches(s.Labels().Get(m.Name))
		}
		if fits {
			some = append(some, s)
		}
	}
	return some
}

// longest returns for how long the expression held without a break, at most, for one set of labels; less than 0: never.
func (s series) longest(t *testing.T, expr string) time.Duration {
	t.Helper()
	p := parser.NewParser(parser.Options{})
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, LookbackDelta: 5 * time.Minute, Parser: p})
	end := 0
	for _, values := range s {
		end = max(end, len(values)-1)
	}
	query, err := engine.NewRangeQuery(context.Background(), s.queryable(t, p), nil, expr, time.Unix(0, 0), time.Unix(0, 0).Add(time.Duration(end)*scraped), scraped)
	if err != nil {
		t.Fatal(err)
	}
	defer query.Close()
	matrix, err := query.Exec(t.Context()).Matrix()
	if err != nil {
		t.Fatal(err)
	}
	best := time.Duration(-1)
	for _, line := range matrix {
		since := line.Floats[0].T
		for n, point := range line.Floats {
			if n > 0 && point.T-line.Floats[n-1].T > scraped.Milliseconds() {
				since = point.T
			}
			best = max(best, time.Duration(point.T-since)*time.Millisecond)
		}
	}
	return best
}
