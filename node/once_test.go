package node

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

func (i *instance) once(key, id string, delta int64) (Result, error) {
	return i.Increment(Increment{Key: []byte(key), Delta: delta, ID: []byte(id), Return: true})
}

// R9: a key counts once, whoever is asked, at once or one after another; another body is refused; another counter has keys of its own.
func TestCluster_CountsAnIdempotencyKeyOnce(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	key, other := c.nodes[0].keyOf("k", 0), c.nodes[0].keyOf("k", 1)
	c.nodes[0].add(key, 100)
	var all sync.WaitGroup
	var mu sync.Mutex
	fresh := 0
	for n := range 12 {
		all.Go(func() {
			r, err := c.nodes[n%3].once(key, "order-1", 7)
			if err != nil || r.Total != 107 {
				t.Errorf("%+v, %v", r, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if !r.Replayed {
				fresh++
			}
		})
	}
	all.Wait()
	if fresh != 1 {
		t.Errorf("%d answers say that they counted", fresh)
	}
	for _, i := range c.nodes {
		if _, err := i.once(key, "order-1", 8); !errors.Is(err, ErrIDReused) {
			t.Errorf("another body: %v", err)
		}
		if r, err := i.once(other, "order-1", 1); err != nil || r.Total != 1 {
			t.Errorf("another counter: %+v, %v", r, err)
		}
	}
	c.exact(map[string]int64{key: 107, other: 1})
	for _, i := range c.nodes { // from the store
		if r, err := i.once(key, "order-1", 7); err != nil || !r.Replayed || r.Total != 107 {
			t.Errorf("%+v, %v", r, err)
		}
	}
	c.exact(map[string]int64{key: 107, other: 1})
}

// R9 across crashes: what was answered is remembered by whoever owns the counter next, and what the log brings back counts once,
// though its client has repeated it elsewhere meanwhile.
func TestCluster_CountsAnIdempotencyKeyOnceAcrossCrashesAndReplays(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, withLogs(t, func(cfg *Config) { shortLeases(cfg); cfg.FlushInterval = 5 * time.Second }))
	victim := c.nodes[0]
	want := make(map[string]int64)
	for k := range 10 {
		key := victim.keyOf("k", k)
		if r, err := victim.once(key, "a", 3); err != nil || r.Replayed {
			t.Fatalf("%+v, %v", r, err)
		}
		want[key] = 3
	}
	victim.crash() // the owner, with everything in its log alone
	<-victim.done
	c.agree()
	for k := range 5 { // clients do not know, and ask another node
		key := victim.keyOf("k", k)
		eventually(t, func() error {
			_, err := c.nodes[1].once(key, "a", 3)
			return err
		})
	}
	c.start(victim.cfg.Name)
	c.agree()
	c.exact(want)
	for k := range 10 {
		if r, err := c.nodes[2].once(victim.keyOf("k", k), "a", 3); err != nil || !r.Replayed {
			t.Errorf("%+v, %v", r, err)
		}
	}
	c.exact(want)
}

// An operation whose key cannot be looked up is not accepted: nothing is counted, and nothing is held up behind it.
func TestNode_RefusesAnIdempotencyKeyWhileTheStoreIsAway(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, func(cfg *Config) { cfg.OwnerTimeout = 100 * time.Millisecond })
	n := c.nodes[0]
	away := n.faults.add(refuse(errCrashed))
	if _, err := n.once("k", "a", 1); !errors.Is(err, ErrUnreachable) {
		t.Errorf("answered %v", err)
	}
	if _, err := n.Increment(Increment{Key: []byte("k"), Delta: 1}); err != nil {
		t.Errorf("without a key: %v", err)
	}
	_ = away
	n.faults.heal()
	c.exact(map[string]int64{"k": 1})
}

func TestNode_AnswersManyInTheirOrder(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, nil)
	var in []Increment
	for k := range 100 {
		in = append(in, Increment{Key: fmt.Appendf(nil, "k%d", k%10), Delta: 1, Return: true})
	}
	in = append(in, Increment{Key: []byte("k0"), Delta: 1, Durability: Database + 1})
	out := make([]Outcome, len(in))
	c.nodes[0].IncrementMany(in, out)
	for k := range 100 {
		if o := out[k]; o.Err != nil || o.Result.HasTotal && o.Result.Total != int64(k/10+1) {
			t.Errorf("%d: %+v", k, o)
		}
	}
	if !errors.Is(out[100].Err, ErrDurabilityUnavailable) {
		t.Errorf("the bad one: %+v", out[100])
	}
	want := make(map[string]int64)
	for k := range 10 {
		want[fmt.Sprintf("k%d", k)] = 10
	}
	c.exact(want)
}
