package bench

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestBudget_GivesOutExactlyWhatThereIsWhenManyTake(t *testing.T) {
	b := newBudget(10_007)
	var taken atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for n := 1; n > 0; {
				n = b.take(16)
				taken.Add(int64(n))
			}
		})
	}
	all.Wait()
	if taken.Load() != 10_007 || b.rest() != 0 {
		t.Errorf("taken %d, rest %d", taken.Load(), b.rest())
	}
}

func TestSchedule_SpreadsTheRateEvenlyOverTheWorkers(t *testing.T) {
	o := DefaultOptions()
	o.Connections, o.Rate, o.Requests = 4, 1000, 10
	begin := time.Now()
	starts := map[time.Duration]int{}
	var quota int64
	for w := range o.Connections {
		s := newSchedule(o, newBudget(o.Requests), w, begin)
		quota += s.quota
		for i := range s.quota {
			starts[s.due(i).Sub(begin)]++
		}
	}
	if quota != o.Requests {
		t.Errorf("quotas add up to %d", quota)
	}
	for i := range 10 {
		if starts[time.Duration(i)*time.Millisecond] != 1 {
			t.Errorf("starts %v", starts)
		}
	}
}

func TestSchedule_GivesWhatIsDueAndNoMore(t *testing.T) {
	o := DefaultOptions()
	o.Connections, o.Rate = 1, 1000
	begin := time.Now().Add(-4500 * time.Microsecond).Add(-time.Hour) // due: 3600 s and 4.5 ms worth
	s := newSchedule(o, newBudget(0), 0, begin)
	s.taken = 3_600_000
	got := s.next(t.Context(), nil, 3, true)
	if len(got) != 3 || !got[0].start.Equal(begin.Add(time.Hour)) || !got[2].start.Equal(begin.Add(time.Hour+2*time.Millisecond)) {
		t.Errorf("%+v", got)
	}
	s.first = time.Now().Add(time.Hour)
	s.taken = 0
	if got := s.next(t.Context(), nil, 3, false); len(got) != 0 {
		t.Errorf("not due: %+v", got)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if got := s.next(ended, nil, 3, true); len(got) != 0 {
		t.Errorf("after the end: %+v", got)
	}
	s.first = time.Now().Add(20 * time.Millisecond)
	if got := s.next(t.Context(), nil, 3, true); len(got) == 0 || !got[0].start.Equal(s.first) || time.Now().Before(s.first) {
		t.Errorf("did not wait: %+v", got)
	}
}

func TestSchedule_EndsAfterItsQuotaWithoutWaiting(t *testing.T) {
	o := DefaultOptions()
	o.Connections, o.Rate, o.Requests = 2, 0.001, 3
	s := newSchedule(o, newBudget(3), 1, time.Now())
	s.taken = s.quota
	if got := s.next(t.Context(), nil, 1, true); s.quota != 1 || len(got) != 0 {
		t.Errorf("quota %d, %+v", s.quota, got)
	}
}

func TestSchedule_HasNothingDueFromItsEndOn(t *testing.T) {
	o := DefaultOptions()
	o.Connections, o.Rate, o.Duration = 1, 1000, 10*time.Millisecond
	s := newSchedule(o, newBudget(0), 0, time.Now().Add(-time.Hour))
	if got := s.next(t.Context(), nil, 100, true); len(got) != 10 || s.untaken(s.end) != 0 {
		t.Errorf("took %d, untaken %d", len(got), s.untaken(s.end))
	}
	if got := s.next(t.Context(), nil, 100, true); len(got) != 0 {
		t.Errorf("took %d more", len(got))
	}
}

func TestSchedule_TellsWhatWasAskedForAndNotTaken(t *testing.T) {
	o := DefaultOptions()
	o.Connections, o.Rate = 1, 100
	begin := time.Now()
	s := newSchedule(o, newBudget(0), 0, begin)
	for _, c := range []struct {
		after time.Duration
		taken int64
		want  int64
	}{{-time.Second, 0, 0}, {0, 0, 0}, {1, 0, 1}, {10 * time.Millisecond, 1, 0}, {10*time.Millisecond + 1, 1, 1}, {time.Second, 40, 60}} {
		s.taken = c.taken
		if got := s.untaken(begin.Add(c.after)); got != c.want {
			t.Errorf("after %v with %d taken: %d, want %d", c.after, c.taken, got, c.want)
		}
	}
	o.Requests = 50
	s = newSchedule(o, newBudget(50), 0, begin)
	s.taken = 20
	if got := s.untaken(begin); got != 30 {
		t.Errorf("of a quota: %d", got)
	}
	o.Rate = 0
	if got := newSchedule(o, newBudget(50), 0, begin).untaken(begin.Add(time.Hour)); got != 0 {
		t.Errorf("closed loop: %d", got)
	}
}
