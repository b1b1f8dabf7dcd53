package node

import (
	"sync"
	"time"
	"unsafe"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// Increment adds to a counter. It returns when the asked durability is reached (R7), or says in the Result that the
// increment will be counted later. Errors mean that it was not accepted, but for ErrDurabilityTimeout.
func (n *Node) Increment(in Increment) (Result, error) {
	level, err := n.level(in.Durability)
	if err != nil {
		return Result{}, err
	}
	if !n.accepting.Load() {
		return Result{}, ErrNotReady
	}
	if n.slots.pending.Load() >= int64(n.cfg.MaxPending) { // R10: before acceptance, never after
		n.count.overloaded.Inc()
		return Result{}, ErrOverloaded
	}
	// The core keeps no key that it is given: it clones what it must hold.
	key := unsafe.String(unsafe.SliceData(in.Key), len(in.Key))
	hash := counter.Hash(key)
	sl := n.slots.of(hash)
	if in.Return {
		n.warm(sl, hash, key)
	}

	sl.mu.Lock()
	if !n.accepting.Load() { // again, under the lock: see leave
		sl.mu.Unlock()
		return Result{}, ErrNotReady
	}
	a, err := sl.p.Add(hash, key, in.Delta)
	if err != nil {
		sl.mu.Unlock()
		n.count.outOfRange.Inc()
		return Result{}, ErrOutOfRange
	}
	sl.accepted++
	if a.Fresh {
		n.slots.pending.Add(1)
	}
	if a.Applied && level == Memory {
		sl.mu.Unlock()
		return n.applied(a, in.Return), nil
	}
	t := getTicket(level)
	sl.p.Wait(a.Number, t, in.Return)
	sl.urgent = sl.urgent || a.Applied
	n.enqueue(sl)
	sl.mu.Unlock()
	if a.Applied {
		n.flusher.Kick()
	}
	return n.await(sl, t, a, in.Return)
}

// IncrementMany adds to many counters: out[i] is what became of in[i]. One that is refused does not spoil the others.
func (n *Node) IncrementMany(in []Increment, out []Outcome) {
	for i := range in {
		out[i].Result, out[i].Err = n.Increment(in[i])
	}
}

func (n *Node) level(d Durability) (Durability, error) {
	if d == DefaultDurability {
		d = n.cfg.Durability
	}
	if d != Memory && d != Database {
		return d, ErrDurabilityUnavailable
	}
	return d, nil
}

// applied answers an increment of a partition that this node owns.
func (n *Node) applied(a counter.Added, want bool) Result {
	if !n.lease.probably() {
		n.count.later.Inc()
		return Result{Later: true}
	}
	return Result{Total: a.Total, HasTotal: want && a.HasTotal}
}

// await waits for the evidence that the ticket asks for.
func (n *Node) await(sl *slot, t *counter.Ticket, a counter.Added, want bool) (Result, error) {
	limit := n.cfg.OwnerTimeout
	if t.Level == counter.Persisted {
		limit = n.cfg.StoreTimeout
	}
	timer := getTimer(limit)
	defer putTimer(timer)
	select {
	case <-t.Done:
	case <-timer.C:
		return n.expired(sl, t)
	}
	defer putTicket(t)
	switch {
	case t.Err != nil:
		n.count.outOfRange.Inc()
		return Result{}, ErrOutOfRange
	case a.Applied:
		return Result{Total: a.Total, HasTotal: want && a.HasTotal}, nil
	case (t.Doubt || !n.lease.probably()) && t.Level == counter.Applied:
		// With this node's own lease in doubt, the next owner might not wait for what it holds (R8).
		n.count.later.Inc()
		return Result{Later: true}, nil
	}
	return Result{Total: t.Total, HasTotal: want && t.HasTotal}, nil
}

// expired gives up waiting. The answer may have come in this very moment: then it counts.
func (n *Node) expired(sl *slot, t *counter.Ticket) (Result, error) {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	select {
	case <-t.Done:
		if t.Err != nil {
			return Result{}, ErrOutOfRange
		}
		return Result{Later: t.Doubt && t.Level == counter.Applied}, nil
	default:
	}
	sl.p.Forget(t) // it stays in the outbox, which may still finish it: never used again
	if t.Level == counter.Persisted {
		n.count.durabilityTimeouts.Inc()
		return Result{}, ErrDurabilityTimeout
	}
	n.count.later.Inc()
	return Result{Later: true}, nil
}

// warm reads the counter from the store, if this node owns it and does not know its total yet, so that the increment
// can return one. Without success the increment is counted all the same.
func (n *Node) warm(sl *slot, hash uint64, key string) {
	sl.mu.Lock()
	phase := sl.p.Phase()
	_, state := sl.p.Total(hash, key)
	sl.mu.Unlock()
	if phase == counter.Owning && state != counter.Read {
		_, _ = n.readHere(sl, hash, key, time.Now().Add(n.cfg.OwnerTimeout))
	}
}

var tickets = sync.Pool{New: func() any { return &counter.Ticket{Done: make(chan struct{}, 1)} }}

func getTicket(d Durability) *counter.Ticket {
	t := tickets.Get().(*counter.Ticket)
	done := t.Done
	*t = counter.Ticket{Done: done}
	if d == Database {
		t.Level = counter.Persisted
	}
	return t
}

// putTicket takes back a ticket whose Done was received: nobody else holds it any more.
func putTicket(t *counter.Ticket) { tickets.Put(t) }

var timers = sync.Pool{New: func() any { return time.NewTimer(time.Hour) }}

func getTimer(d time.Duration) *time.Timer {
	t := timers.Get().(*time.Timer)
	t.Reset(d)
	return t
}

func putTimer(t *time.Timer) {
	t.Stop()
	timers.Put(t)
}
