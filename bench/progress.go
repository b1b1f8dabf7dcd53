package bench

import (
	"context"
	"fmt"
	"io"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// collector adds up the workers' tallies. Used by one goroutine at a time.
type collector struct {
	load  *load
	begin time.Time
	// total is the run so far, window what came since the last collect. The workers' own histograms hold only the
	// window: they are emptied into both.
	total, window *hdr.Histogram
	counts        counts // of the run so far
	byTarget      []int64
}

func newCollector(l *load, begin time.Time) *collector {
	return &collector{load: l, begin: begin, total: newHistogram(), window: newHistogram()}
}

func (c *collector) collect() {
	c.window.Reset()
	c.counts = counts{}
	c.byTarget = make([]int64, len(c.load.hosts))
	for _, w := range c.load.workers {
		w.tally.mu.Lock()
		c.window.Merge(w.tally.latency)
		w.tally.latency.Reset()
		c.counts.add(&w.tally.counts)
		for i, n := range w.tally.byTarget {
			c.byTarget[i] += n
		}
		w.tally.mu.Unlock()
	}
	c.total.Merge(c.window)
}

// watch writes a line each interval until ctx ends.
func (c *collector) watch(ctx context.Context, out io.Writer, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	unit := "req/s"
	if c.load.options.Batch > 1 {
		unit = "increments/s"
	}
	last, lastAnswered := c.begin, int64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			c.collect()
			rate := float64(c.counts.answered-lastAnswered) / now.Sub(last).Seconds()
			last, lastAnswered = now, c.counts.answered
			_, _ = fmt.Fprintf(out, "%6.1fs  %9.0f %s  p99 %8.1f µs  answered %d  failed %d  ready %d/%d\n",
				now.Sub(c.begin).Seconds(), rate, unit, microseconds(c.window.ValueAtPercentile(99)),
				c.counts.answered, c.counts.failed(), c.load.ready.count(), len(c.load.hosts))
		}
	}
}

func microseconds(ns int64) float64 { return float64(ns/100) / 10 }
