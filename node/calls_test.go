package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// ownership returns what this node knows of a partition, and whether it acts as its owner.
func (i *instance) ownership(partition uint32) (owner counter.Origin, epoch uint64, owning bool) {
	sl := &i.slots.all[partition]
	sl.mu.Lock()
	defer sl.mu.Unlock()
	owner, epoch = sl.p.Owner()
	return owner, epoch, sl.p.Phase() == counter.Owning
}

// partitionOf returns the partition of a key.
func partitionOf(key string) uint32 {
	return uint32(counter.Hash(key) % uint64(testSettings().Partitions))
}

// keyOf returns the number-th key, starting with prefix, of a partition that this node owns.
func (i *instance) keyOf(prefix string, number int) string {
	i.t.Helper()
	for k := range 100_000 {
		key := fmt.Sprintf("%s%d", prefix, k)
		if _, _, owning := i.ownership(partitionOf(key)); owning {
			if number == 0 {
				return key
			}
			number--
		}
	}
	i.t.Fatalf("%s owns nothing", i.cfg.Name)
	return ""
}

// doubts says whether doubt in an answer is to be expected: with a short lease, a busy machine makes a node doubt its own.
func (i *instance) doubts() bool { return i.cfg.LeaseTTL <= shortLease }

// add increments, and fails the test unless it was counted at once.
func (i *instance) add(key string, delta int64) {
	i.t.Helper()
	r, err := i.Increment(Increment{Key: []byte(key), Delta: delta})
	if err != nil || (r.Later && !i.doubts()) {
		i.t.Errorf("%s: increment of %s: %+v, %v", i.cfg.Name, key, r, err)
	}
}

// addReturn increments and returns the total just after it.
func (i *instance) addReturn(key string, delta int64) int64 {
	i.t.Helper()
	r, err := i.Increment(Increment{Key: []byte(key), Delta: delta, Return: true})
	if err != nil || !r.HasTotal || r.Later {
		i.t.Errorf("%s: increment of %s: %+v, %v", i.cfg.Name, key, r, err)
	}
	return r.Total
}

// total reads, and fails the test without a current answer.
func (i *instance) total(key string) int64 {
	i.t.Helper()
	r, err := i.Total([]byte(key))
	if err != nil || (r.Stale && !i.doubts()) {
		i.t.Errorf("%s: total of %s: %+v, %v", i.cfg.Name, key, r, err)
	}
	return r.Value
}

// sums are what was accepted, by key. Several callers add at once.
type sums struct {
	mu sync.Mutex
	of map[string]int64
}

func (s *sums) add(key string, delta int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.of = make(map[string]int64)
	}
	s.of[key] += delta
}

func (s *sums) copy() map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]int64, len(s.of))
	for k, v := range s.of {
		out[k] = v
	}
	return out
}

// exact waits until nothing is pending (R12), then requires that every live node's totals and the store's values are
// exactly these sums (R4).
func (c *cluster) exact(want map[string]int64) {
	c.t.Helper()
	eventually(c.t, func() error { // what a past process left counts when it has been resent
		for _, i := range c.live() {
			if err := i.haunts(); err != nil {
				return err
			}
		}
		return nil
	})
	eventually(c.t, func() error {
		for _, i := range c.live() {
			if n := i.Cluster().Pending; n != 0 {
				return fmt.Errorf("%s: %d operations are pending", i.cfg.Name, n)
			}
		}
		return nil
	})
	keys := make([]string, 0, len(want))
	for k := range want {
		keys = append(keys, k)
	}
	stored := c.stored(keys...)
	for k, v := range want {
		if stored[k] != v {
			c.t.Errorf("the store has %d of %s, accepted were %d", stored[k], k, v)
		}
		for _, i := range c.live() {
			eventually(c.t, func() error {
				r, err := i.Total([]byte(k))
				if err == nil && r.Stale {
					err = errors.New("stale")
				}
				if err == nil && r.Value != v {
					c.t.Errorf("%s has %d of %s, accepted were %d", i.cfg.Name, r.Value, k, v)
				}
				return err
			})
		}
	}
}

// stored reads the values of keys in the store.
func (c *cluster) stored(keys ...string) map[string]int64 {
	c.t.Helper()
	s, err := c.store.Read(context.Background(), keys, nil, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	return s.Values
}

// pace is how often a client of a load calls at most, so that what the load is to disturb gets its share of the machine.
const pace = time.Millisecond

// load is clients that increment, one call after another, each at the nodes that it is given in turn, until stop.
type load struct {
	c      *cluster
	quit   chan struct{}
	done   sync.WaitGroup
	sums   sums
	errors atomic.Int64
	later  atomic.Int64
	count  atomic.Int64
	first  sync.Once
	fault  error // the first error
}

// newLoad starts clients over keys k0 to k<keys-1>. pick returns the node for a client's next call, and what to do after it.
func (c *cluster) newLoad(clients, keys int, pick func(n int) (*instance, func())) *load {
	l := &load{c: c, quit: make(chan struct{})}
	for client := range clients {
		l.done.Go(func() {
			tick := time.NewTicker(pace)
			defer tick.Stop()
			for n := client; ; n += clients {
				select {
				case <-l.quit:
					return
				case <-tick.C:
				}
				i, release := pick(n)
				l.call(i, fmt.Sprintf("k%d", n%keys), int64(n%7)+1)
				release()
			}
		})
	}
	c.t.Cleanup(l.stop)
	return l
}

func (l *load) call(i *instance, key string, delta int64) {
	r, err := i.Increment(Increment{Key: []byte(key), Delta: delta})
	l.count.Add(1)
	if err != nil {
		l.errors.Add(1)
		l.first.Do(func() { l.fault = fmt.Errorf("%s: %w", i.cfg.Name, err) })
		return
	}
	if r.Later {
		l.later.Add(1)
	}
	l.sums.add(key, delta)
}

// stop ends the clients. It may be called again.
func (l *load) stop() {
	select {
	case <-l.quit:
	default:
		close(l.quit)
	}
	l.done.Wait()
}

// advance waits until so many more calls have been answered.
func (l *load) advance(t *testing.T, calls int64) {
	t.Helper()
	to := l.count.Load() + calls
	eventually(t, func() error {
		if got := l.count.Load(); got < to {
			return fmt.Errorf("%d calls of %d", got, to)
		}
		return nil
	})
}

// always picks one of the nodes in turn.
func always(nodes ...*instance) func(int) (*instance, func()) {
	return func(n int) (*instance, func()) { return nodes[n%len(nodes)], func() {} }
}

// haunts returns an error while the node still resends what a past process left.
func (i *instance) haunts() (err error) {
	i.haunting.Range(func(origin, _ any) bool {
		err = fmt.Errorf("%s still resends what %v left", i.cfg.Name, origin)
		return false
	})
	return err
}
