package strategies

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// parts is the number of parts of a measurement, whose rates show how steady it was.
const parts = 20

// longest is the longest time of one increment that is told apart.
const longest = time.Minute

// Measure warms up and measures one contender, and flushes it. The flush is part of the measured time: an increment that is
// not in the database yet has not been paid for.
func Measure(ctx context.Context, c Contender, o Options) (*Result, error) {
	keys := make([]string, o.Keys)
	for i := range keys {
		keys[i] = fmt.Sprintf("strategy:%d", i)
	}
	if o.Warmup > 0 {
		if _, err := load(ctx, c, keys, o.Parallel, o.Warmup); err != nil {
			return nil, fmt.Errorf("%s: warm up: %w", c.Name(), err)
		}
		if err := c.Flush(ctx); err != nil {
			return nil, fmt.Errorf("%s: flush after the warm-up: %w", c.Name(), err)
		}
	}
	start := time.Now()
	all, err := load(ctx, c, keys, o.Parallel, o.Time)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Name(), err)
	}
	flushed := time.Now()
	if err := c.Flush(ctx); err != nil {
		return nil, fmt.Errorf("%s: flush: %w", c.Name(), err)
	}
	return all.result(c.Name(), time.Since(start), time.Since(flushed), o.Time), nil
}

// load runs the workers for a time and returns what they saw together.
func load(ctx context.Context, c Contender, keys []string, parallel int, d time.Duration) (*samples, error) {
	workers := make([]*samples, parallel)
	errs := make([]error, parallel)
	start := time.Now()
	var all sync.WaitGroup
	for w := range workers {
		workers[w] = newSamples()
		all.Go(func() { errs[w] = workers[w].run(ctx, c, keys, w, start, d) })
	}
	all.Wait()
	for w, s := range workers {
		if errs[w] != nil {
			return nil, errs[w]
		}
		if w > 0 {
			workers[0].merge(s)
		}
	}
	return workers[0], nil
}

// samples are what one worker saw. Times are in nanoseconds.
type samples struct {
	times    *hdrhistogram.Histogram // for the percentiles
	n        int64
	sum, sq  float64 // of the times and of their squares
	min, max int64
	slice    [parts]int64 // increments in each part of the time
}

func newSamples() *samples {
	return &samples{times: hdrhistogram.New(1, int64(longest), 3), min: math.MaxInt64}
}

// run increments until the time is over. One reading of the clock ends a sample and begins the next.
func (s *samples) run(ctx context.Context, c Contender, keys []string, worker int, start time.Time, d time.Duration) error {
	for i, before := worker, time.Since(start); before < d || s.n == 0; i++ { // on a busy machine the first one may begin late
		if i%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := c.Increment(ctx, keys[i%len(keys)], 1); err != nil {
			return err
		}
		after := time.Since(start)
		s.add(after-before, min(parts-1, int(before*parts/d)))
		before = after
	}
	return nil
}

func (s *samples) add(took time.Duration, slice int) {
	t := max(1, int64(took))
	_ = s.times.RecordValue(min(t, int64(longest)))
	s.n++
	s.sum += float64(t)
	s.sq += float64(t) * float64(t)
	s.min, s.max = min(s.min, t), max(s.max, t)
	s.slice[slice]++
}

func (s *samples) merge(o *samples) {
	s.times.Merge(o.times)
	s.n += o.n
	s.sum += o.sum
	s.sq += o.sq
	s.min, s.max = min(s.min, o.min), max(s.max, o.max)
	for i, n := range o.slice {
		s.slice[i] += n
	}
}

// result computes the figures. wanted is the time without the last flush.
func (s *samples) result(name string, elapsed, flush, wanted time.Duration) *Result {
	n := float64(s.n)
	average := s.sum / n
	r := &Result{
		Name: name, Samples: s.n, Rate: n / elapsed.Seconds(), Flush: flush,
		Average: average, Deviation: math.Sqrt(max(0, s.sq/n-average*average)) / average,
		Median: s.times.ValueAtQuantile(50), P99: s.times.ValueAtQuantile(99), Min: s.min, Max: s.max,
	}
	var sum, sq float64
	for _, in := range s.slice {
		rate := float64(in) * parts / wanted.Seconds()
		sum += rate
		sq += rate * rate
	}
	mean := sum / parts
	r.RateDeviation = math.Sqrt(max(0, sq/parts-mean*mean))
	return r
}
