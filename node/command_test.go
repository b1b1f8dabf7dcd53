package node

import (
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/internal/pgtest"
)

// upTo adds value to key, no further than to highest.
func upTo(key string, value, highest int64) Change {
	return Change{Key: []byte(key), Command: counter.Command{Value: value, Min: math.MinInt64, Max: highest}}
}

func setTo(key string, value int64) Change {
	return Change{Key: []byte(key), Command: counter.Command{Set: true, Value: value}}
}

// changes carries out a change, and fails the test unless it leads from before by delta.
func (i *instance) changes(c Change, before, delta int64) {
	i.t.Helper()
	if r, err := i.Change(c); err != nil || r.Before != before || r.Delta != delta || r.Replayed {
		i.t.Errorf("%s: %+v: %+v, %v; want a change by %d from %d", i.cfg.Name, c.Command, r, err, delta, before)
	}
}

func TestCluster_CarriesOutCommandsAtAnyNode(t *testing.T) {
	t.Parallel()
	// No flush comes between: what is counted after one must fit in 64 bits by itself, and these steps from end to end would not.
	c := newCluster(t, 3, func(cfg *Config) { cfg.FlushInterval = 10 * time.Second })
	key := c.nodes[0].keyOf("k", 0)
	for _, i := range c.nodes {
		i.changes(setTo(key, 7), i.total(key), 7-i.total(key))
		i.changes(upTo(key, 3, 10), 7, 3)
		if r, err := i.Change(upTo(key, 1, 10)); !errors.Is(err, ErrOutOfBounds) || r.Before != 10 {
			t.Errorf("%s: beyond the bound: %+v, %v", i.cfg.Name, r, err)
		}
		fits := upTo(key, 5, 12)
		fits.Saturate = true
		i.changes(fits, 10, 2)
		i.changes(setTo(key, math.MinInt64+12), 12, math.MinInt64)
		if _, err := i.Change(setTo(key, math.MaxInt64)); !errors.Is(err, ErrTooFar) {
			t.Errorf("%s: from end to end: %v", i.cfg.Name, err)
		}
		i.changes(setTo(key, 0), math.MinInt64+12, math.MaxInt64-11)
		i.changes(upTo(key, math.MaxInt64, math.MaxInt64), 0, math.MaxInt64)
		if _, err := i.Change(upTo(key, 1, math.MaxInt64)); !errors.Is(err, ErrOutOfRange) {
			t.Errorf("%s: beyond the range: %v", i.cfg.Name, err)
		}
		i.changes(setTo(key, 5), math.MaxInt64, 5-math.MaxInt64)
	}
	c.nodes[0].flusher.Kick()
	c.exact(map[string]int64{key: 5})
}

// R7: what was answered at a durability is there, at the owner that carried it out.
func TestCluster_AnswersCommandsAtTheirDurability(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, withLogs(t, func(cfg *Config) { cfg.FlushInterval = 10 * time.Second }))
	key := c.nodes[0].keyOf("k", 0)
	for n, d := range []Durability{DefaultDurability, Memory, Disk, Replica, Database} {
		for _, i := range c.nodes {
			s := setTo(key, i.total(key)+1)
			s.Durability = d
			i.changes(s, s.Value-1, 1)
		}
		if stored := c.stored(key)[key]; (stored != 0) != (d == Database) {
			t.Errorf("durability %d: the store has %d", n, stored)
		}
	}
	for _, i := range c.nodes {
		if _, err := i.Change(Change{Key: []byte(key), Durability: Database + 1}); !errors.Is(err, ErrDurabilityUnavailable) {
			t.Errorf("%s: a durability that there is not: %v", i.cfg.Name, err)
		}
	}
	c.exact(map[string]int64{key: 15})
}

// office sells tickets: its clients add to one counter, bounded, until all are sold.
type office struct {
	key                   string
	tickets               int64
	mu                    sync.Mutex
	sold, doubts, refused int64
	totals                map[int64]int // how often a total was answered
}

// sell sells one ticket, and says whether there may be more. What is not available is tried again; what is in doubt is not.
func (o *office) sell(t *testing.T, i *instance, d Durability) bool {
	c := upTo(o.key, 1, o.tickets)
	c.Durability = d
	r, err := i.Change(c)
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err == nil:
		o.sold++
		o.totals[r.Before+r.Delta]++
	case errors.Is(err, ErrOutOfBounds):
		o.refused++
		return false
	case errors.Is(err, ErrInDoubt):
		o.doubts++
	case errors.Is(err, ErrUnreachable), errors.Is(err, ErrNotReady):
	default:
		t.Errorf("%s: %v", i.cfg.Name, err)
		return false
	}
	return true
}

func newOffice(key string, tickets int64) *office {
	return &office{key: key, tickets: tickets, totals: make(map[int64]int)}
}

// open lets clients sell at the nodes that pick gives them until nothing is left, and returns what waits for that.
func (o *office) open(t *testing.T, clients int, d Durability, pick func(int) (*instance, func())) (wait func()) {
	var all sync.WaitGroup
	for client := range clients {
		all.Go(func() {
			for n, more := client, true; more; n += clients {
				i, release := pick(n)
				more = o.sell(t, i, d)
				release()
			}
		})
	}
	t.Cleanup(all.Wait)
	return all.Wait
}

// eachOnce requires that every ticket was sold once, by the totals that were told.
func (o *office) eachOnce(t *testing.T) {
	t.Helper()
	if o.sold != o.tickets || o.doubts != 0 {
		t.Errorf("%d of %d tickets are sold, %d in doubt", o.sold, o.tickets, o.doubts)
	}
	for n := int64(1); n <= o.tickets; n++ {
		if o.totals[n] != 1 {
			t.Errorf("ticket %d was sold %d times", n, o.totals[n])
		}
	}
}

func TestCluster_SellsEachTicketOnceWhenAllNodesSell(t *testing.T) {
	t.Parallel()
	pg := pgtest.Start(t)
	c := newClusterOn(t, openStore(t, pg.URL(pg.NewDatabase(t))), 3, nil)
	for d, key := range map[Durability]string{Memory: c.nodes[0].keyOf("k", 0), Database: c.nodes[1].keyOf("k", 1)} {
		o := newOffice(key, 100)
		o.open(t, 12, d, always(c.nodes...))()
		o.eachOnce(t)
		c.exact(map[string]int64{key: 100})
	}
}

// Partitions move to a new node and from one that leaves, while tickets are sold.
func TestCluster_SellsEachTicketOnceWhilePartitionsMove(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	r := newRotation(c.nodes...)
	o := newOffice(c.nodes[1].keyOf("k", 0), 4000)
	wait := o.open(t, 3, Memory, r.pick)
	o.past(t, 200)
	r.put(c.start("n4"))
	c.agree()
	o.past(t, 200)
	r.retire(c.nodes[1]) // the key's owner, or its last one
	c.agree()
	wait()
	o.eachOnce(t)
	c.exact(map[string]int64{o.key: 4000})
}

// past waits until more tickets are sold.
func (o *office) past(t *testing.T, more int64) {
	t.Helper()
	sold := func() int64 {
		o.mu.Lock()
		defer o.mu.Unlock()
		return o.sold
	}
	to := sold() + more
	eventually(t, func() error {
		if sold() < min(to, o.tickets) {
			return errors.New("too few are sold")
		}
		return nil
	})
}

// Every increment, and what each set took away, is in the final total: sets and increments have one order.
func TestCluster_SetsExactlyWhileIncrementsRun(t *testing.T) {
	t.Parallel()
	pg := pgtest.Start(t)
	c := newClusterOn(t, openStore(t, pg.URL(pg.NewDatabase(t))), 3, nil)
	const keys = 3
	l := c.newLoad(6, keys, always(c.nodes...))
	taken := make(map[string]int64)
	for n := range 60 {
		key, i := []string{"k0", "k1", "k2"}[n%keys], c.nodes[n%len(c.nodes)]
		l.advance(t, 10)
		r, err := i.Change(setTo(key, int64(n)))
		if err != nil || r.Before+r.Delta != int64(n) {
			t.Errorf("%s: %+v, %v", i.cfg.Name, r, err)
		}
		taken[key] += r.Delta
	}
	l.stop()
	if l.errors.Load() != 0 {
		t.Errorf("%d errors; the first: %v", l.errors.Load(), l.fault)
	}
	want := l.sums.copy()
	for key, delta := range taken {
		want[key] += delta
	}
	c.exact(want)
}

// R9: a repeat is told what the first one did, at any node, before and after the store has it.
func TestCluster_RepeatsACommandWithItsIdempotencyKeyOnce(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	key := c.nodes[0].keyOf("k", 0)
	c.nodes[0].add(key, 8)
	fits := upTo(key, 5, 10)
	fits.Saturate, fits.ID = true, []byte("order")
	repeat := func(replayed bool) {
		for n, i := range c.nodes {
			r, err := i.Change(fits)
			if err != nil || r.Before != 8 || r.Delta != 2 || r.Replayed != (replayed || n > 0) {
				t.Errorf("%s: %+v, %v", i.cfg.Name, r, err)
			}
			for _, other := range []struct {
				Change
				want error
			}{{upTo(key, 3, 100), ErrIDReused}, {setTo(key, 3), ErrInDoubt}} { // by a later owner, a set may have led to any total
				other.ID = fits.ID
				if _, err := i.Change(other.Change); !errors.Is(err, other.want) {
					t.Errorf("%s: %+v: %v, want %v", i.cfg.Name, other.Command, err, other.want)
				}
			}
		}
	}
	repeat(false)
	c.nodes[0].add(key, -4)
	repeat(true)
	c.exact(map[string]int64{key: 6})
	repeat(true)
	c.exact(map[string]int64{key: 6})
}
