package node

import (
	"errors"
	"fmt"
	"sync"
	"time"
	"unsafe"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// request is one increment on its way: accepted, and maybe waiting for evidence.
type request struct {
	in     Increment
	sl     *slot
	added  counter.Added
	ticket *counter.Ticket // nil: done already, result holds the answer
	result Result
	flush  bool // the store is waited for, and this node flushes the partition
}

// Increment adds to a counter. It returns when the asked durability is reached (R7), or says in the Result that the
// increment will be counted later. Errors mean that it was not accepted, but for ErrDurabilityTimeout.
func (n *Node) Increment(in Increment) (Result, error) {
	var c request
	if err := n.begin(&c, in, time.Time{}); err != nil {
		return Result{}, err
	}
	if c.ticket == nil {
		return c.result, nil
	}
	if c.flush {
		n.flusher.Kick()
	}
	timer := getTimer(n.patience(&c))
	defer putTimer(timer)
	return n.await(&c, timer)
}

// IncrementMany adds to many counters: out[i] is what became of in[i]. One that is refused does not spoil the others. They
// are accepted in their order, and waited for together.
func (n *Node) IncrementMany(in []Increment, out []Outcome) {
	requests := getRequests(len(in))
	defer putRequests(requests)
	flush := false
	until := n.askAhead(in) // one patience for all: an owner that cannot be reached is waited for once
	for i := range in {
		c := &(*requests)[i]
		*c = request{}
		if out[i].Err = n.begin(c, in[i], until); out[i].Err == nil {
			out[i].Result = c.result
			flush = flush || c.flush
		}
	}
	if flush {
		n.flusher.Kick()
	}
	began := time.Now()
	for i := range in {
		if c := &(*requests)[i]; c.ticket != nil {
			timer := getTimer(n.patience(c) - time.Since(began))
			out[i].Result, out[i].Err = n.await(c, timer)
			putTimer(timer)
		}
	}
}

// begin accepts an increment, or says why not. It asks the owner or the store until then, where it must: zero stands for the
// owner timeout from now.
func (n *Node) begin(c *request, in Increment, until time.Time) error {
	level, err := n.level(in.Durability)
	if err != nil {
		return err
	}
	if !n.accepting.Load() {
		return ErrNotReady
	}
	if n.full() { // R10: before acceptance, never after
		n.count.overloaded.Inc()
		return ErrOverloaded
	}
	c.in = in
	// The core keeps no key that it is given: it clones what it must hold.
	key := unsafe.String(unsafe.SliceData(in.Key), len(in.Key))
	hash := counter.Hash(key)
	c.sl = n.slots.of(hash)
	if until.IsZero() && (in.ID != nil || in.Return) {
		until = time.Now().Add(n.cfg.OwnerTimeout)
	}
	if in.ID != nil {
		return n.beginOnce(c, hash, counter.IDRef{Key: key, ID: string(in.ID)}, level, until)
	}
	if in.Return {
		n.warm(c.sl, hash, key, until)
	}
	c.sl.mu.Lock()
	defer c.sl.mu.Unlock()
	if err := n.stillGood(level); err != nil {
		return err
	}
	if c.added, err = c.sl.p.Add(hash, key, in.Delta); err != nil {
		n.count.outOfRange.Inc()
		return ErrOutOfRange
	}
	n.accepted(c, level, counter.OpBytes+len(key))
	return nil
}

// accepted sees to it that what was just added gets where the level wants it. The slot's lock is held.
func (n *Node) accepted(c *request, level Durability, weight int) {
	sl := c.sl
	sl.accepted++
	if sampled(sl.accepted) {
		n.live.sample(c.in.Key)
	}
	if c.added.Fresh {
		n.slots.pending.Add(1)
		n.slots.bytes.Add(int64(weight))
	}
	if n.scribe != nil {
		n.scribe.note(sl, level != Memory)
	}
	if c.added.Applied {
		c.result = n.applied(c)
		if level == Memory {
			if c.result.Later {
				n.count.later.Inc()
			}
			return
		}
	}
	c.ticket = getTicket(level)
	sl.p.Wait(c.added.Number, c.ticket, c.in.Return || c.in.ID != nil)
	c.flush = c.added.Applied && level == Database
	if level == Replica {
		n.copier.used.Store(true)
		if sl.p.Phase() == counter.Owning {
			n.copier.note(sl)
		}
	}
	sl.urgent = sl.urgent || c.flush
	n.enqueue(sl)
}

// stillGood looks again, under the slot's lock, at what may have changed since the request was let in: see leave and scribe.fail.
func (n *Node) stillGood(level Durability) error {
	if !n.accepting.Load() {
		return ErrNotReady
	}
	if (level == Disk || level == Replica) && n.scribe.fault() != nil {
		return errLogFailed
	}
	return nil
}

var errLogFailed = fmt.Errorf("%w: %w; use another node, or ask for memory or database", ErrDurabilityUnavailable, ErrLogFailed)

// full says that no more can be held for the store.
func (n *Node) full() bool {
	return n.slots.pending.Load() >= int64(n.cfg.MaxPending) || n.slots.bytes.Load() >= int64(n.cfg.MaxPendingBytes)
}

// level finds the durability that is asked for, and whether this node can give it now.
func (n *Node) level(d Durability) (Durability, error) {
	if d == DefaultDurability {
		d = n.cfg.Durability
	}
	switch d {
	case Memory, Database:
		return d, nil
	case Disk:
		if n.scribe == nil {
			return d, fmt.Errorf("%w: it keeps no log on disk (start it with --data)", ErrDurabilityUnavailable)
		}
	case Replica:
		if n.secondNode(counter.Origin{}) == (counter.Origin{}) {
			return d, ErrTooFewNodes
		}
	default:
		return d, ErrDurabilityUnavailable
	}
	if n.scribe.fault() != nil {
		return d, errLogFailed
	}
	return d, nil
}

// applied answers an increment of a partition that this node owns.
func (n *Node) applied(c *request) Result {
	if !n.lease.probably() {
		return Result{Later: true}
	}
	return Result{Total: c.added.Total, HasTotal: c.in.Return && c.added.HasTotal, Replayed: c.added.Replayed}
}

// patience is how long a call may wait for its evidence: for a node, or for a disk or the store.
func (n *Node) patience(c *request) time.Duration {
	if c.ticket.Level == counter.Applied || c.in.Durability == DefaultDurability && c.ticket.Level != counter.Persisted {
		return n.cfg.OwnerTimeout
	}
	return n.cfg.StoreTimeout
}

// await waits for the evidence that the ticket asks for.
func (n *Node) await(c *request, timer *time.Timer) (Result, error) {
	t := c.ticket
	select {
	case <-t.Done:
	case <-timer.C:
		return n.expired(c)
	}
	defer putTicket(t)
	return n.outcome(c)
}

// outcome is what a finished ticket says.
func (n *Node) outcome(c *request) (Result, error) {
	t := c.ticket
	if t.Err != nil {
		return Result{}, n.refusal(t.Err)
	}
	// With a lease in doubt, then or now, the next owner might not wait for what this node holds (R8).
	doubt := t.Doubt || c.result.Later || !n.lease.probably()
	if doubt && t.Level != counter.Persisted {
		n.count.later.Inc()
		return Result{Later: true}, nil
	}
	r := Result{Total: t.Total, HasTotal: c.in.Return && t.HasTotal, Replayed: t.Replayed}
	if c.added.Applied && !t.Moved {
		r = Result{Total: c.added.Total, HasTotal: c.in.Return && c.added.HasTotal, Replayed: c.added.Replayed}
	}
	return r, nil
}

// refusal translates what a ticket was told.
func (n *Node) refusal(err error) error {
	switch {
	case errors.Is(err, counter.ErrIDReused):
		return ErrIDReused
	case errors.Is(err, counter.ErrNotLogged):
		n.count.durabilityTimeouts.Inc()
		return ErrDurabilityTimeout
	}
	n.count.outOfRange.Inc()
	return ErrOutOfRange
}

// expired gives up waiting. The answer may have come in this very moment: then it counts.
func (n *Node) expired(c *request) (Result, error) {
	c.sl.mu.Lock()
	defer c.sl.mu.Unlock()
	t := c.ticket
	select {
	case <-t.Done:
		return n.outcome(c)
	default:
	}
	c.sl.p.Forget(t) // it stays in the outbox, which may still finish it: never used again
	// A plain increment is held as the server's default promises, and only its owner is missing.
	if t.Level == counter.Applied || c.in.Durability == DefaultDurability && t.LacksOwner() {
		n.count.later.Inc()
		return Result{Later: true}, nil
	}
	n.count.durabilityTimeouts.Inc()
	return Result{}, ErrDurabilityTimeout
}

// warm reads the counter from the store, if this node owns it and does not know its total yet, so that the increment
// can return one. Without success the increment is counted all the same.
func (n *Node) warm(sl *slot, hash uint64, key string, until time.Time) {
	sl.mu.Lock()
	phase := sl.p.Phase()
	_, state := sl.p.Total(hash, key)
	sl.mu.Unlock()
	if phase == counter.Owning && state != counter.Read {
		_, _ = n.readHere(sl, hash, key, until)
	}
}

var tickets = sync.Pool{New: func() any { return &counter.Ticket{Done: make(chan struct{}, 1)} }}

func getTicket(d Durability) *counter.Ticket {
	t := tickets.Get().(*counter.Ticket)
	done := t.Done
	*t = counter.Ticket{Done: done}
	t.Level = [...]counter.Level{Memory: counter.Applied, Disk: counter.Logged, Replica: counter.Held, Database: counter.Persisted}[d]
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

var requestSlices = sync.Pool{New: func() any { return new([]request) }}

func getRequests(count int) *[]request {
	c := requestSlices.Get().(*[]request)
	if cap(*c) < count {
		*c = make([]request, count)
	}
	*c = (*c)[:count]
	return c
}

// putRequests forgets the requests' bytes, which are their servers' again.
func putRequests(c *[]request) {
	clear(*c)
	requestSlices.Put(c)
}
