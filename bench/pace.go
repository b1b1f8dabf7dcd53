package bench

import (
	"context"
	"sync/atomic"
	"time"
)

// budget is how many requests the closed loop may still start. Safe for concurrent use.
type budget struct {
	limited bool
	left    atomic.Int64
}

func newBudget(requests int64) *budget {
	b := &budget{limited: requests > 0}
	b.left.Store(requests)
	return b
}

// take returns how many of want requests may start.
func (b *budget) take(want int) int {
	if !b.limited {
		return want
	}
	left := b.left.Add(-int64(want))
	return want - int(min(max(-left, 0), int64(want)))
}

// rest returns how many requests were never taken.
func (b *budget) rest() int64 { return max(b.left.Load(), 0) }

// schedule gives one worker its requests. With a zero interval it is the closed loop: whenever the worker asks it gets as
// many as it wants, until the common budget is used up. Otherwise it is the open loop: request i of this worker is due
// at first + i*interval, whether or not earlier ones are answered, and the worker has a quota of its own, so that it
// knows after its last request that it is done.
type schedule struct {
	budget   *budget
	interval time.Duration
	first    time.Time
	end      time.Time // nothing is due from here on; zero: no end
	quota    int64     // negative: none
	taken    int64
}

// newSchedule starts at begin. In the open loop the workers' requests interleave evenly: request n of the run goes to
// worker n % Connections.
func newSchedule(o Options, b *budget, worker int, begin time.Time) *schedule {
	s := &schedule{budget: b, first: begin, quota: -1}
	if o.Rate <= 0 {
		return s
	}
	workers := int64(o.Connections)
	perRequest := float64(time.Second) / o.Rate
	s.interval = max(time.Duration(perRequest*float64(workers)), 1)
	s.first = begin.Add(time.Duration(perRequest * float64(worker)))
	if o.Duration > 0 {
		s.end = begin.Add(o.Duration)
	}
	if o.Requests > 0 {
		s.quota = (o.Requests - int64(worker) + workers - 1) / workers
	}
	return s
}

func (s *schedule) open() bool { return s.interval > 0 }

// over tells that the open loop has no request left for this worker.
func (s *schedule) over() bool {
	return s.taken == s.quota || !s.end.IsZero() && !s.due(s.taken).Before(s.end)
}

// due returns the intended start of request i of this worker, counted from 0.
func (s *schedule) due(i int64) time.Time { return s.first.Add(time.Duration(i) * s.interval) }

// next appends up to want requests that may be sent now to flight. In the open loop it waits until the first one is due, if
// wait allows. Nothing is appended when the run is over or, without wait, nothing is due.
func (s *schedule) next(ctx context.Context, flight []request, want int, wait bool) []request {
	if !s.open() {
		for range s.budget.take(want) {
			flight = append(flight, request{fresh: true})
		}
		return flight
	}
	if s.over() {
		return flight
	}
	now := time.Now()
	if start := s.due(s.taken); start.After(now) {
		if !wait || !sleep(ctx, start.Sub(now)) {
			return flight
		}
		now = time.Now()
	}
	for range want {
		start := s.due(s.taken)
		if s.over() || start.After(now) {
			break
		}
		s.taken++
		flight = append(flight, request{fresh: true, start: start})
	}
	return flight
}

// untaken returns how many requests of the open loop were asked for and not taken, when the load stopped at stop.
func (s *schedule) untaken(stop time.Time) int64 {
	switch {
	case !s.open():
		return 0
	case s.quota >= 0:
		return s.quota - s.taken
	case !stop.After(s.first):
		return 0
	default:
		due := int64((stop.Sub(s.first)-1)/s.interval) + 1 // those before stop
		return max(due-s.taken, 0)
	}
}

// sleep waits for d and tells whether ctx lasted as long.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
