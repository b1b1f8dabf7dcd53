package bench

import (
	"testing"
	"time"
)

func TestFate_FollowsTheStatus(t *testing.T) {
	for status, want := range map[int]fate{
		200: answered, 202: answered, 204: answered, 302: rejected, 400: rejected, 422: rejected, 429: rejected,
		500: unknown, 502: unknown, 503: refused, 504: unknown,
	} {
		if got := fateOf(status); got != want {
			t.Errorf("%d: %d, want %d", status, got, want)
		}
	}
}

func TestTally_KeepsLatenciesThatAreOutOfRange(t *testing.T) {
	now := time.Now()
	tally := newTally(1)
	tally.record(0, []request{
		{status: 202, start: now, done: now.Add(-time.Second)},
		{status: 202, start: now, done: now.Add(time.Hour)},
		{status: 202, start: now, done: now.Add(time.Millisecond)},
	})
	if n := tally.latency.TotalCount(); n != 3 {
		t.Errorf("%d latencies", n)
	}
	if p50 := microseconds(tally.latency.ValueAtPercentile(50)); p50 < 999 || p50 > 1001 {
		t.Errorf("p50 %v µs", p50)
	}
}

func TestLedger_BoundsASumFromBothSides(t *testing.T) {
	l := newLedger(2)
	l.record([]request{{key: 0, status: 202}, {key: 0, status: 202}, {key: 0, status: 503}, {key: 0, status: 504}})
	l.doubt([]request{{key: 0}})
	if low, high := l.interval(0, 3); low != 6 || high != 12 {
		t.Errorf("%d to %d", low, high)
	}
	if low, high := l.interval(0, -3); low != -12 || high != -6 {
		t.Errorf("negative: %d to %d", low, high)
	}
	if low, high := l.interval(1, 3); low != 0 || high != 0 {
		t.Errorf("untouched: %d to %d", low, high)
	}
}

func TestComplaints_KeepAFewDifferentOnes(t *testing.T) {
	var c complaints
	for i := range 100 {
		c.add("error %d", i%10)
	}
	if got := c.list(); len(got) != maxComplaints || got[0] != "error 0" || got[4] != "error 4" {
		t.Errorf("%q", got)
	}
}

func TestCollector_CountsEachLatencyOnceHoweverOftenItLooks(t *testing.T) {
	o := DefaultOptions()
	o.Connections = 2
	l := newLoad(o)
	now := time.Now()
	c := newCollector(l, now)
	for i, w := range l.workers {
		w.tally.record(0, []request{{status: 202, start: now, done: now.Add(time.Duration(i+1) * time.Second)}})
	}
	c.collect()
	if c.window.TotalCount() != 2 || c.counts.answered != 2 {
		t.Errorf("first look: %d latencies, %d answered", c.window.TotalCount(), c.counts.answered)
	}
	l.workers[0].tally.record(0, []request{{status: 202, start: now, done: now}, {status: 503, start: now, done: now}})
	c.collect()
	if c.window.TotalCount() != 2 || c.total.TotalCount() != 4 || c.counts.answered != 3 || c.counts.refused != 1 || c.byTarget[0] != 3 {
		t.Errorf("second look: %d new, %d in all, %d answered", c.window.TotalCount(), c.total.TotalCount(), c.counts.answered)
	}
}
