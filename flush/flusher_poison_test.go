package flush_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pinocchio-nose/pinocchio/flush"
)

func TestFlusher_SetsOnlyThePoisonAsideWhenTheDatabaseRefusesIt(t *testing.T) {
	inBubble(t, flush.FlusherOptions{}, func(b *bench) {
		for p := range uint32(9) {
			for k := range 30 {
				b.source.add(p, fmt.Sprintf("%d-%02d", p, k), int64(k+1))
			}
		}
		b.store.poison = map[string]bool{"4-00": true, "4-17": true, "4-29": true, "7-03": true}
		b.flush()
		for p := range uint32(9) {
			e := b.verdict(p, flush.Committed)
			if len(e.Values)+len(e.Quarantined) != 30 {
				t.Errorf("partition %d: %d values, %d set aside", p, len(e.Values), len(e.Quarantined))
			}
		}
		want := []flush.Delta{{Key: "4-00", Delta: 1}, {Key: "4-17", Delta: 18}, {Key: "4-29", Delta: 30}}
		if diff := cmp.Diff(want, b.verdict(4, flush.Committed).Quarantined); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(map[string]int64{"4-00": 1, "4-17": 18, "4-29": 30, "7-03": 4}, b.store.aside); diff != "" {
			t.Error(diff)
		}
		if len(b.store.counters) != 9*30-4 {
			t.Errorf("%d counters", len(b.store.counters))
		}
		b.stop()
		if b.hooks.quarantined != 4 || b.hooks.unknown != 0 {
			t.Errorf("%+v", b.hooks)
		}
		for _, r := range b.store.requests() {
			for key, reason := range r.Quarantine {
				if reason != errRefusedByModel.Error() {
					t.Errorf("%s was set aside because of %q", key, reason)
				}
			}
		}
	})
}

func TestFlusher_SetsTheSameAsideWhenTheReplyWasLost(t *testing.T) {
	inBubble(t, flush.FlusherOptions{}, func(b *bench) {
		b.source.add(1, "bad", 5)
		b.source.add(1, "good", 6)
		b.store.poison["bad"] = true
		b.store.fault = func(_ context.Context, _ int, r *flush.Request) (func() error, error) {
			return func() error {
				if r.Quarantine != nil && !r.DryRun && len(b.store.aside) == 1 && len(b.store.requests()) == 4 {
					return errLost
				}
				return nil
			}, nil
		}
		b.flush()
		e := b.verdict(1, flush.Committed)
		if diff := cmp.Diff([]flush.Delta{{Key: "bad", Delta: 5}}, e.Quarantined); diff != "" || e.Values != nil {
			t.Errorf("values %v; %s", e.Values, diff)
		}
		if b.store.aside["bad"] != 5 || b.store.counters["good"] != 6 {
			t.Errorf("%v, %v", b.store.aside, b.store.counters)
		}
		b.stop()
		if b.hooks.resolved != 1 {
			t.Errorf("%+v", b.hooks)
		}
	})
}

func TestFlusher_SetsAllAsideWhenOnlyTheirCombinationIsRefused(t *testing.T) {
	inBubble(t, flush.FlusherOptions{}, func(b *bench) {
		b.source.add(1, "a", 1)
		b.source.add(1, "b", 2)
		b.source.add(2, "c", 3)
		b.store.fault = func(_ context.Context, _ int, r *flush.Request) (func() error, error) {
			for _, batch := range r.Batches {
				if len(batch.Deltas) == 2 && len(r.Quarantine) == 0 {
					return nil, errRefusedByModel
				}
			}
			return nil, nil
		}
		b.flush()
		if e := b.verdict(1, flush.Committed); len(e.Quarantined) != 2 {
			t.Errorf("%+v", e)
		}
		b.verdict(2, flush.Committed)
	})
}

func TestFlusher_SetsNothingAsideWhenTheReasonPassed(t *testing.T) {
	inBubble(t, flush.FlusherOptions{}, func(b *bench) {
		b.source.add(1, "a", 1)
		b.source.add(1, "b", 2)
		b.store.fault = func(_ context.Context, n int, r *flush.Request) (func() error, error) {
			if n == 1 {
				return nil, errRefusedByModel
			}
			return nil, nil
		}
		b.flush()
		if e := b.verdict(1, flush.Committed); len(e.Quarantined) != 0 || len(e.Values) != 2 {
			t.Errorf("%+v", e)
		}
	})
}

// Refused for good, and not for its counters: such a batch stays, visibly, and others pass.
func TestFlusher_KeepsTryingWithoutSpinningWhenNothingHelps(t *testing.T) {
	other := errors.New("a bug")
	for name, answer := range map[string]error{
		"data refused with all deltas set aside": errRefusedByModel,
		"malformed":                              fmt.Errorf("%w: %w", flush.ErrRequest, other),
		"no reason given":                        nil,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, flush.FlusherOptions{}, func(b *bench) {
				b.store.fault = func(_ context.Context, _ int, r *flush.Request) (func() error, error) {
					for _, batch := range r.Batches {
						if batch.Partition == 1 {
							return func() error { return nil }, answer
						}
					}
					return nil, nil
				}
				if answer == nil {
					b.store.fault = nil
				}
				store := flush.Store(b.store)
				if answer == nil {
					store = mute{b.store}
				}
				stuck := newTestSource(t)
				stuck.add(1, "a", 1)
				stuck.add(2, "b", 1)
				f := flush.NewFlusher(store, b.store.owner, stuck, flush.FlusherOptions{})
				ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
				defer cancel()
				must(t, f.Run(ctx))
				if n := len(b.store.requests()); n < 50 || n > 200 {
					t.Errorf("%d statements in a minute", n)
				}
				if e := stuck.doneOf(1); len(e) != 1 || e[0].Verdict != flush.Unresolved {
					t.Errorf("%+v", e)
				}
				if e := stuck.doneOf(2); answer != nil && (len(e) != 1 || e[0].Verdict != flush.Committed) {
					t.Errorf("%+v", e)
				}
			})
		})
	}
}

// mute refuses without saying what does not match.
type mute struct{ *modelStore }

func (m mute) Flush(ctx context.Context, r *flush.Request) (flush.Result, error) {
	_, err := m.modelStore.Flush(ctx, &flush.Request{Node: r.Node})
	return flush.Result{}, err
}

func TestFlusher_ResolvesTheBatchWhenItMovedDuringTheSearchForPoison(t *testing.T) {
	inBubble(t, flush.FlusherOptions{}, func(b *bench) {
		b.source.add(1, "a", 1)
		b.source.add(1, "bad", 2)
		b.store.poison["bad"] = true
		b.store.fault = func(_ context.Context, n int, r *flush.Request) (func() error, error) {
			if r.DryRun {
				b.store.mu.Lock()
				b.store.owners[1] = owned(1, newID(), 2)
				b.store.mu.Unlock()
			}
			return nil, nil
		}
		b.flush()
		b.verdict(1, flush.NotOwner)
	})
}

func TestFlusher_StartsTheSearchForPoisonAgainWhenTheStoreFailsInIt(t *testing.T) {
	inBubble(t, flush.FlusherOptions{}, func(b *bench) {
		for k := range 10 {
			b.source.add(1, fmt.Sprint(k), 1)
		}
		b.store.poison["7"] = true
		b.store.fault = func(_ context.Context, n int, r *flush.Request) (func() error, error) {
			if n < 20 && n%3 == 0 {
				return nil, errLost
			}
			return nil, nil
		}
		b.flush()
		e := b.verdict(1, flush.Committed)
		if len(e.Quarantined) != 1 || e.Quarantined[0].Key != "7" {
			t.Errorf("%+v", e.Quarantined)
		}
	})
}

// One partition's statement hangs, by a locked row, say: its deadline passes again and again. The others are flushed.
func TestFlusher_FlushesTheOthersWhenOneBatchHangs(t *testing.T) {
	opt := flush.FlusherOptions{Concurrency: 1, Timeout: time.Second, MaxKeys: 100}
	inBubble(t, opt, func(b *bench) {
		free := make(chan struct{})
		b.store.fault = func(ctx context.Context, _ int, r *flush.Request) (func() error, error) {
			for _, batch := range r.Batches {
				if batch.Partition == 3 {
					select {
					case <-free:
					case <-ctx.Done():
						return nil, ctx.Err()
					}
				}
			}
			return nil, nil
		}
		for p := range uint32(8) {
			b.source.add(p, fmt.Sprint("key", p), 1)
		}
		b.flusher.Kick()
		time.Sleep(10 * time.Second)
		for p := range uint32(8) {
			if n := len(b.source.doneOf(p)); (n == 1) != (p != 3) {
				t.Errorf("partition %d ended %d times", p, n)
			}
		}
		b.source.add(5, "later", 1)
		time.Sleep(40 * time.Second)
		if n := len(b.source.doneOf(5)); n != 2 {
			t.Errorf("partition 5 ended %d times", n)
		}
		close(free)
		b.flush()
		b.verdict(3, flush.Committed)
		longest := time.Duration(0)
		for i, r := range b.store.requests() {
			if i > 0 && len(r.Batches) == 1 && r.Batches[0].Partition == 5 {
				continue
			}
			if i > 0 {
				longest = max(longest, b.store.times[i].Sub(b.store.times[i-1]))
			}
		}
		if longest < 8*time.Second {
			t.Errorf("a batch that cannot be split should get more time with each try, but had at most %v", longest)
		}
		synctest.Wait()
	})
}
