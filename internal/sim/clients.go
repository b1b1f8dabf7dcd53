package sim

import (
	"errors"
	"math"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// fate is what a client was told of its increment.
type fate uint8

const (
	fateOpen    fate = iota // still waiting
	fateCounted             // accepted: it counts once
	fateRefused             // out of range: it does not count
	fateUnknown             // the process that took it crashed before it answered: either
)

// caller is a client that waits for its increment.
type caller struct {
	n       *node
	p       *part
	number  uint64
	share   *share
	ticket  *counter.Ticket
	stopped bool
	request *request // nil: without an idempotency key
}

// planClients spreads increments and reads over the history.
func (w *world) planClients() {
	for range w.cfg.adds {
		w.at(w.between(1, w.cfg.until), w.increments)
	}
	w.planKeyed()
	w.planCommands()
	for range w.cfg.reads {
		w.at(w.between(1, w.cfg.until), w.read)
	}
}

// someone returns a process that clients reach, or nil.
func (w *world) someone() *node {
	n := w.slots[w.rng.IntN(len(w.slots))]
	if n == nil || !n.ready || n.paused || n.leaving {
		return nil
	}
	return n
}

// increments is one client request, or some at the same moment.
func (w *world) increments() {
	n := w.someone()
	if n == nil {
		return
	}
	key := w.rng.IntN(len(w.keys))
	times := 1
	if w.chance(w.cfg.burst) {
		times += w.rng.IntN(4)
	}
	n.run(func() {
		for range times {
			n.increment(key, w.delta())
		}
	})
}

func (w *world) delta() int64 {
	switch {
	case w.cfg.extreme && w.chance(20):
		d := math.MaxInt64>>(1+w.rng.IntN(3)) - w.rng.IntN(1<<30) // no two alike: what is named as refused is found again by it
		if w.chance(40) {
			return int64(-d)
		}
		return int64(d)
	case w.chance(5):
		return 0
	case w.chance(15):
		return -w.rng.Int64N(20)
	}
	return 1 + w.rng.Int64N(9)
}

func (n *node) increment(key int, delta int64) {
	w := n.w
	p := n.parts[w.partitionOf(key)]
	want := w.chance(w.cfg.want)
	if want && p.Phase() == counter.Owning {
		if _, state := p.Total(w.hashes[key], w.keys[key]); state == counter.ReadMissing {
			p.want(key)
		}
	}
	a, err := p.Add(w.hashes[key], w.keys[key], delta)
	if w.tracing() {
		w.logf("client: %s adds %d to %s: %+v %v", n.name, delta, w.keys[key], a, err)
	}
	if errors.Is(err, counter.ErrOutOfRange) {
		w.mark(markOutOfRangeHere)
		return
	}
	n.follow(p, a, w.audit.accepted(p, a, key, delta), nil, want)
}

// level draws the durability that a client asks for.
func (n *node) level() counter.Level {
	switch w := n.w; {
	case w.chance(w.cfg.durable):
		w.mark(markDatabase)
		n.urgent = true
		return counter.Persisted
	case w.cfg.copies && n.copier.holder != nil && (n.keepsLog() || !w.cfg.logs) && w.chance(w.cfg.heldBy):
		return counter.Held
	case n.keepsLog() && w.chance(w.cfg.logged):
		return counter.Logged
	}
	return counter.Applied
}

// follow waits for the evidence that the client of an accepted increment asks for.
func (n *node) follow(p *part, a counter.Added, sh *share, r *request, want bool) {
	w := n.w
	c := &caller{n: n, p: p, number: a.Number, share: sh, request: r}
	level := n.level()
	if a.Applied && level == counter.Applied {
		sh.fate = fateCounted
		if r != nil {
			r.over = true
		}
		if n.trusted() {
			w.audit.answered(p, a.Number)
		}
		return
	}
	c.ticket = &counter.Ticket{Done: make(chan struct{}, 1), Level: level}
	sh.ticket = c.ticket
	p.Wait(a.Number, c.ticket, want || r != nil)
	n.callers = append(n.callers, c)
	if w.chance(15) {
		n.after(w.between(1, 150), c.stop)
	}
}

// stop is a client's patience ending: its increment is accepted all the same, and counts later.
func (c *caller) stop() {
	if c.share.fate == fateOpen {
		c.n.w.mark(markForgotten)
		c.p.Forget(c.ticket)
		c.stopped = true
		c.share.fate = fateCounted
		if c.request != nil {
			c.request.again()
		}
	}
}

// settleCallers takes the tickets that are done, and checks their evidence (R7).
func (n *node) settleCallers() {
	open := n.callers[:0]
	for _, c := range n.callers {
		select {
		case <-c.ticket.Done:
			if !c.stopped {
				c.done()
			}
			c.share.ticket = nil
		default:
			open = append(open, c)
		}
	}
	n.callers = open
}

func (c *caller) done() {
	w, t := c.n.w, c.ticket
	if c.request != nil {
		c.request.over = true
	}
	switch {
	case errors.Is(t.Err, counter.ErrIDReused):
		w.mark(markIDReusedThere)
		c.share.fate = fateRefused
		w.audit.reusedTo(c)
		return
	case errors.Is(t.Err, counter.ErrNotLogged):
		w.mark(markNotLogged)
		c.share.fate = fateCounted
		return // it counts all the same, as far as it is anywhere
	case errors.Is(t.Err, counter.ErrOutOfRange):
		w.mark(markOutOfRangeThere)
		c.share.fate = fateRefused
		w.audit.refusedTo(c)
		return
	}
	c.share.fate = fateCounted
	c.share.level = t.Level
	w.audit.evidence(c)
	// The lease that matters is the origin's own: while it lasts, every new owner awaits what this origin has sent.
	if t.Level == counter.Persisted || c.n.trusted() {
		w.audit.answered(c.p, c.number)
	}
}

// read is one client that reads a counter at some process, and tries again for a while.
func (w *world) read() {
	n := w.someone()
	if n == nil {
		return
	}
	key := w.rng.IntN(len(w.keys))
	n.run(func() { n.readAt(key, 12) })
}

// sight is a total as its owner saw it.
type sight struct {
	code  readCode
	at    ticks
	marks []streamMark // what it contains
}

type readCode uint8

const (
	readValue readCode = iota
	readDoubtful
	readAgain
	readMoved
)

func (n *node) readAt(key, tries int) {
	w := n.w
	p := n.parts[w.partitionOf(key)]
	again := func() {
		if tries > 1 {
			n.after(w.between(2, 12), func() { n.readAt(key, tries-1) })
		}
	}
	finish := func(s sight) {
		switch s.code {
		case readValue:
			w.audit.shown(p.id, s)
		case readDoubtful:
		default:
			again()
		}
	}
	owner, _ := p.Owner()
	to := w.byID[owner]
	switch {
	case p.Phase() == counter.Owning:
		finish(p.serveRead(key))
	case p.Phase() == counter.Following && to != nil && to != n:
		call(n, to, func() (sight, bool) { return to.parts[p.id].serveRead(key), true }, func(s sight, ok bool) {
			if !ok {
				s.code = readAgain
			}
			finish(s)
		})
	default:
		again()
	}
}

// serveRead reads a total as the owner. The lease is looked at after the total was read (R8).
func (p *part) serveRead(key int) sight {
	n, w := p.n, p.n.w
	v, state := p.Total(w.hashes[key], w.keys[key])
	switch state {
	case counter.ReadMoved:
		w.mark(markReadMoved)
		return sight{code: readMoved}
	case counter.ReadSettle:
		w.mark(markReadSettle)
		return sight{code: readAgain}
	case counter.ReadMissing:
		p.want(key)
		return sight{code: readAgain}
	}
	if !n.trusted() {
		return sight{code: readDoubtful}
	}
	if w.tracing() {
		w.logf("%s serves %s = %d", n.name, w.keys[key], v)
	}
	return sight{code: readValue, at: w.now, marks: w.audit.served(p, key, v)}
}
