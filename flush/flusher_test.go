package flush_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pinocchio-nose/pinocchio/flush"
)

func TestFlusher_GivesEachBatchItsValuesWhenApplied(t *testing.T) {
	inBubble(t, flush.FlusherOptions{}, func(b *bench) {
		b.source.add(1, "a", 1)
		b.source.add(1, "b", 2)
		b.source.add(2, "c", 3)
		b.flush()
		b.source.add(1, "b", 5)
		b.flush()
		if n := len(b.store.requests()); n != 2 {
			t.Errorf("%d statements", n)
		}
		want := [][]flush.KeyValue{{{Key: "a", Value: 1}, {Key: "b", Value: 2}}, {{Key: "b", Value: 7}}}
		for i, e := range b.source.doneOf(1) {
			if diff := cmp.Diff(want[i], e.Values); diff != "" || e.Verdict != flush.Committed {
				t.Errorf("verdict %d; %s", e.Verdict, diff)
			}
		}
		if diff := cmp.Diff([]flush.KeyValue{{Key: "c", Value: 3}}, b.verdict(2, flush.Committed).Values); diff != "" {
			t.Error(diff)
		}
	})
}

func TestFlusher_GroupsWholeBatchesUpToMaxKeys(t *testing.T) {
	inBubble(t, flush.FlusherOptions{MaxKeys: 5, Concurrency: 1}, func(b *bench) {
		sizes := []int{2, 3, 1, 9, 1, 1}
		for p, size := range sizes {
			for k := range size {
				b.source.add(uint32(p), fmt.Sprint(p, k), 1)
			}
		}
		b.flush()
		var got [][]int
		for _, r := range b.store.requests() {
			var keys []int
			for _, batch := range r.Batches {
				keys = append(keys, len(batch.Deltas))
			}
			got = append(got, keys)
		}
		if diff := cmp.Diff([][]int{{2, 3}, {1}, {9}, {1, 1}}, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestFlusher_FlushesEachIntervalWithoutBeingAsked(t *testing.T) {
	inBubble(t, flush.FlusherOptions{Interval: 3 * time.Second}, func(b *bench) {
		start := time.Now()
		b.source.add(1, "a", 1)
		time.Sleep(10 * time.Second)
		b.stop()
		if took := b.store.times[0].Sub(start); took != 3*time.Second {
			t.Errorf("flushed after %v", took)
		}
		if b.source.freezes != 3 {
			t.Errorf("%d freezes in 10 s", b.source.freezes)
		}
	})
}

func TestFlusher_SharesOneStatementWhenKickedDuringAFlush(t *testing.T) {
	inBubble(t, flush.FlusherOptions{Concurrency: 1, Interval: time.Hour}, func(b *bench) {
		b.store.fault = func(context.Context, int, *flush.Request) (func() error, error) {
			time.Sleep(100 * time.Millisecond)
			return nil, nil
		}
		start := time.Now()
		b.source.add(1, "a", 1)
		b.flusher.Kick()
		synctest.Wait()
		for p := range uint32(20) {
			b.source.add(p+2, fmt.Sprint(p), 1)
			b.flusher.Kick()
			synctest.Wait()
		}
		time.Sleep(time.Second)
		if n := len(b.store.requests()); n != 2 || len(b.source.done()) != 21 {
			t.Errorf("%d statements, %d batches done", n, len(b.source.done()))
		}
		if second := b.store.times[1].Sub(start); second != 100*time.Millisecond {
			t.Errorf("the second flush began after %v: not when the first one ended", second)
		}
	})
}

func TestFlusher_ResolvesFromTheLedgerWhenTheReplyWasLost_R3(t *testing.T) {
	inBubble(t, flush.FlusherOptions{}, func(b *bench) {
		b.store.fault = func(_ context.Context, n int, _ *flush.Request) (func() error, error) {
			if n == 1 {
				return func() error { return errLost }, nil
			}
			return nil, nil
		}
		b.source.add(1, "a", 5)
		b.flush()
		if e := b.verdict(1, flush.Committed); e.Values != nil {
			t.Errorf("values %v of an answer that never came", e.Values)
		}
		b.stop()
		if b.store.counters["a"] != 5 {
			t.Errorf("counted %d", b.store.counters["a"])
		}
		if diff := cmp.Diff(counted{statements: 2, retried: 1, unknown: 1, resolved: 1}, b.hooks, cmp.AllowUnexported(counted{})); diff != "" {
			t.Error(diff)
		}
	})
}

func TestFlusher_CountsNoUnknownOutcomeWhenNothingWasWritten(t *testing.T) {
	inBubble(t, flush.FlusherOptions{}, func(b *bench) {
		b.store.fault = func(_ context.Context, n int, _ *flush.Request) (func() error, error) {
			if n < 4 {
				return nil, &flush.RetryError{Err: errLost}
			}
			return nil, nil
		}
		b.source.add(1, "a", 5)
		b.flush()
		b.verdict(1, flush.Committed)
		b.stop()
		if b.hooks.unknown != 0 || b.hooks.retried != 3 {
			t.Errorf("%+v", b.hooks)
		}
		for i, last := 1, time.Duration(0); i < 4; i++ {
			gap := b.store.times[i].Sub(b.store.times[i-1])
			if most := 50 * time.Millisecond << (i - 1); gap < most/2 || gap > most || gap < last/2 {
				t.Errorf("try %d came after %v, want between %v and %v", i+1, gap, most/2, most)
			}
			last = gap
		}
	})
}

func TestFlusher_SendsTheSameBatchForEverWhileTheStoreIsDown(t *testing.T) {
	inBubble(t, flush.FlusherOptions{Interval: time.Second}, func(b *bench) {
		up := time.Now().Add(2 * time.Minute)
		b.store.fault = func(context.Context, int, *flush.Request) (func() error, error) {
			if time.Now().Before(up) {
				return nil, errLost
			}
			return nil, nil
		}
		b.source.add(1, "a", 5)
		b.flusher.Kick()
		synctest.Wait()
		b.source.add(1, "a", 7) // belongs to a later batch
		b.flush()
		calls := b.store.requests()
		for _, r := range calls[:len(calls)-1] {
			if diff := cmp.Diff(calls[0].Batches, r.Batches); diff != "" {
				t.Fatal(diff)
			}
		}
		if n := len(calls); n < 120 || n > 250 {
			t.Errorf("%d tries in two minutes", n)
		}
		if b.store.counters["a"] != 12 {
			t.Errorf("counted %d", b.store.counters["a"])
		}
	})
}

func TestFlusher_LeavesOutWhatDoesNotMatchAndSendsTheOthersAtOnce(t *testing.T) {
	inBubble(t, flush.FlusherOptions{}, func(b *bench) {
		other := newID()
		b.store.owners[1] = owned(1, other, 2)
		b.store.ledger[row(2, b.source.origin)] = 77
		for p := range uint32(5) {
			b.source.add(p, fmt.Sprint("key", p), 1)
		}
		b.flush()
		if e := b.verdict(1, flush.NotOwner); e.Owner != owned(1, other, 2) {
			t.Errorf("%+v", e)
		}
		e := b.verdict(2, flush.Conflict)
		want := []flush.Mismatch{{Partition: 2, Origin: b.source.origin, Number: 77}}
		if diff := cmp.Diff(want, e.Ledger); diff != "" {
			t.Error(diff)
		}
		for _, p := range []uint32{0, 3, 4} {
			b.verdict(p, flush.Committed)
		}
		if gap := b.store.times[1].Sub(b.store.times[0]); gap != 0 || len(b.store.times) != 2 {
			t.Errorf("%d statements, the second after %v", len(b.store.times), gap)
		}
	})
}

func TestFlusher_ResolvesHandOversWhoseReplyWasLost(t *testing.T) {
	heir, other, origin := newID(), newID(), newID()
	lost := func(_ context.Context, n int, _ *flush.Request) (func() error, error) {
		if n == 1 {
			return func() error { return errLost }, nil
		}
		return nil, nil
	}
	for _, c := range []struct {
		name   string
		add    bool
		before func(*modelStore) // between the try and its repetition
		want   flush.Verdict
	}{
		{"applied", true, func(*modelStore) {}, flush.Committed},
		{"applied, of an idle partition", false, func(*modelStore) {}, flush.Committed},
		{"applied, and the heir went on", true, func(m *modelStore) { m.ledger[row(1, origin)] += 10 }, flush.Committed},
		{"applied, and handed on", false, func(m *modelStore) { m.owners[1] = owned(1, other, 3) }, flush.NotOwner},
		{"not applied, and claimed by another", true, func(m *modelStore) {
			m.owners[1] = owned(1, other, 2)
			m.ledger[row(1, origin)] = 0
		}, flush.NotOwner},
		{"not applied, and claimed by the heir", true, func(m *modelStore) { m.ledger[row(1, origin)] = 0 }, flush.NotOwner},
		{"moved without a hand-over", true, func(m *modelStore) { delete(m.owners, 1) }, flush.Conflict},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, flush.FlusherOptions{}, func(b *bench) {
				b.source.origin = origin
				b.store.fault = func(ctx context.Context, n int, r *flush.Request) (func() error, error) {
					if n == 2 {
						b.store.mu.Lock()
						c.before(b.store)
						b.store.mu.Unlock()
					}
					return lost(ctx, n, r)
				}
				if c.add {
					b.source.add(1, "a", 1)
				}
				b.source.handOver(1, heir)
				b.flush()
				b.verdict(1, c.want)
			})
		})
	}
}

func TestFlusher_HandsAnIdlePartitionOver(t *testing.T) {
	inBubble(t, flush.FlusherOptions{}, func(b *bench) {
		heir := newID()
		b.source.handOver(3, heir)
		b.flush()
		b.verdict(3, flush.Committed)
		if o := b.store.stands(3); o != owned(3, heir, 2) {
			t.Errorf("%+v", o)
		}
	})
}

func TestFlusher_WaitsForWhatWasUnderWayAndWhatCameMeanwhileWhenFlushed(t *testing.T) {
	inBubble(t, flush.FlusherOptions{Interval: time.Hour}, func(b *bench) {
		b.store.fault = func(_ context.Context, n int, _ *flush.Request) (func() error, error) {
			if n == 1 {
				time.Sleep(time.Second)
			}
			return nil, nil
		}
		b.source.add(1, "a", 1)
		b.flusher.Kick()
		synctest.Wait()
		b.source.add(1, "a", 2) // cannot be frozen yet
		b.source.add(2, "b", 3)
		b.flush()
		if b.store.counters["a"] != 3 || b.store.counters["b"] != 3 || len(b.source.done()) != 3 {
			t.Errorf("%v after %d ends", b.store.counters, len(b.source.done()))
		}
		b.flush() // nothing to do
	})
}

func TestFlusher_ReturnsFromFlushWhenTheContextEndsOrRunHasStopped(t *testing.T) {
	inBubble(t, flush.FlusherOptions{}, func(b *bench) {
		b.store.fault = func(context.Context, int, *flush.Request) (func() error, error) { return nil, errLost }
		b.source.add(1, "a", 1)
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Second)
		defer cancel()
		if err := b.flusher.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		waits := make(chan error)
		go func() { waits <- b.flusher.Flush(b.t.Context()) }()
		synctest.Wait()
		b.stop()
		if err := <-waits; !errors.Is(err, flush.ErrStopped) {
			t.Errorf("got %v", err)
		}
		if err := b.flusher.Flush(b.t.Context()); !errors.Is(err, flush.ErrStopped) {
			t.Errorf("got %v", err)
		}
		b.verdict(1, flush.Unresolved)
	})
	idle := flush.NewFlusher(newModelStore(), newID(), newTestSource(t), flush.FlusherOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := idle.Flush(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a flusher that never ran: got %v", err)
	}
}

func TestFlusher_LetsStatementsUnderWayEndWhenStopped(t *testing.T) {
	inBubble(t, flush.FlusherOptions{MaxKeys: 1, Concurrency: 2, StopTimeout: 5 * time.Second}, func(b *bench) {
		b.store.fault = func(ctx context.Context, _ int, r *flush.Request) (func() error, error) {
			wait := time.Second
			if r.Batches[0].Partition == 2 {
				wait = time.Hour // too long: cut off
			}
			select {
			case <-time.After(wait):
				return nil, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		for p := range uint32(3) {
			b.source.add(p+1, fmt.Sprint("key", p), 1)
		}
		b.flusher.Kick()
		synctest.Wait()
		start := time.Now()
		b.stop()
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("stopped after %v", took)
		}
		b.verdict(1, flush.Committed)
		b.verdict(2, flush.Unresolved)
		b.verdict(3, flush.Unresolved) // never sent
		if n := len(b.store.requests()); n != 2 {
			t.Errorf("%d statements", n)
		}
	})
}

func TestFlusher_PanicsWhenAPartitionIsFrozenTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newModelStore()
		store.fault = func(context.Context, int, *flush.Request) (func() error, error) { return nil, errLost }
		f := flush.NewFlusher(store, store.owner, twice{}, flush.FlusherOptions{})
		defer func() {
			if recover() == nil {
				t.Error("a batch under way was replaced")
			}
		}()
		_ = f.Run(t.Context())
	})
}

// twice freezes a partition that is under way.
type twice struct{}

func (twice) Freeze() []flush.Batch               { return []flush.Batch{{Partition: 1, Epoch: 1}} }
func (twice) Done(b flush.Batch, _ flush.Outcome) {}

// Random faults, many seeds: what the model has counted is exactly what was added, and every batch ends once.
func TestFlusher_CountsExactlyUnderRandomFaults_R3(t *testing.T) {
	for seed := range uint64(300) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) { randomFaults(t, seed) })
	}
}

func randomFaults(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	opt := flush.FlusherOptions{MaxKeys: 1 + r.IntN(8), Concurrency: 1 + r.IntN(3), Timeout: time.Second, Interval: 100 * time.Millisecond}
	inBubble(t, opt, func(b *bench) {
		faults := rand.New(rand.NewPCG(seed, 2))
		b.store.fault = func(ctx context.Context, _ int, _ *flush.Request) (func() error, error) {
			b.store.mu.Lock()
			kind, pause := faults.IntN(8), time.Duration(faults.IntN(1500))*time.Millisecond
			b.store.mu.Unlock()
			switch kind {
			case 0:
				return nil, &flush.RetryError{Err: errLost}
			case 1:
				return nil, errLost
			case 2:
				return func() error { return errLost }, nil
			case 3: // slow, perhaps past its deadline, but it happens
				time.Sleep(pause)
				return ctx.Err, nil
			}
			return nil, nil
		}
		want, wantAside := map[string]int64{}, map[string]int64{}
		for range 60 {
			p := uint32(r.IntN(6))
			key, delta := fmt.Sprint("key", p, r.IntN(5)), int64(r.IntN(100)-50)
			if r.IntN(12) == 0 {
				key = "poison" + key
				b.store.mu.Lock()
				b.store.poison[key] = true
				b.store.mu.Unlock()
				wantAside[key] += delta
			} else {
				want[key] += delta
			}
			b.source.add(p, key, delta)
			time.Sleep(time.Duration(r.IntN(50)) * time.Millisecond)
		}
		b.flush()
		b.stop()
		if diff := cmp.Diff(want, b.store.counters); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(wantAside, b.store.aside); diff != "" {
			t.Error(diff)
		}
		aside := map[string]int64{}
		for _, e := range b.source.done() {
			if e.Verdict != flush.Committed {
				t.Errorf("%+v", e)
			}
			for _, d := range e.Quarantined {
				aside[d.Key] += d.Delta
			}
		}
		if diff := cmp.Diff(wantAside, aside); diff != "" {
			t.Errorf("told the source: %s", diff)
		}
	})
}

func TestFlusher_ReportsAConflictWhenAnIDIsTaken_R9(t *testing.T) {
	inBubble(t, flush.FlusherOptions{KeepIDs: time.Hour}, func(b *bench) {
		b.source.withIDs = true
		b.source.add(1, "a", 1)
		b.source.add(1, "a", 2)
		b.source.add(2, "b", 3)
		taken := flush.IDRef{Key: "a", ID: "2"}
		b.store.taken[taken] = true
		b.flush()
		if e := b.verdict(1, flush.Conflict); !slices.Equal(e.Outcome.IDs, []flush.IDRef{taken}) || len(e.Ledger) != 0 {
			t.Errorf("%+v", e.Outcome)
		}
		b.verdict(2, flush.Committed)
		if got := b.store.counters["a"]; got != 0 {
			t.Errorf("%d was counted", got)
		}
		for _, r := range b.store.requests() {
			if r.KeepIDs != time.Hour {
				t.Errorf("ids are kept for %v", r.KeepIDs)
			}
		}
	})
}
