package node

import (
	"errors"
	"strings"
	"sync"

	"github.com/valyala/fasthttp"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/node/wire"
)

// copies are other nodes' operations of durability `replica` that this node holds for them, until the store has them. When such a
// node's lease has run out, this one resends them in its place.
type copies struct {
	mu    sync.Mutex
	of    map[counter.Origin]map[uint32]*stretch
	bytes int
	limit int

	rounds uint64                    // begun by the control loop
	born   map[counter.Origin]uint64 // in which round the first copy came
}

// stretch is a part of a stream without gaps: operations first, first+1, ...
type stretch struct {
	first uint64
	ops   []counter.Op
	torn  bool // the store lacks what comes before them, and nobody has sent it yet
}

func newCopies(limit int) *copies {
	return &copies{of: make(map[counter.Origin]map[uint32]*stretch), born: make(map[counter.Origin]uint64), limit: limit}
}

func (s *stretch) next() uint64 { return s.first + uint64(len(s.ops)) }

func weigh(ops []counter.Op) (sum int) {
	for i := range ops {
		sum += counter.OpBytes + len(ops[i].Key) + len(ops[i].ID)
	}
	return sum
}

// hold takes a copy, whose strings are not kept, and returns the highest number held behind which nothing is missing.
func (c *copies) hold(origin counter.Origin, in *wire.Copy) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	parts := c.of[origin]
	if parts == nil {
		parts = make(map[uint32]*stretch)
		c.of[origin] = parts
		c.born[origin] = c.rounds
	}
	s := parts[in.Partition]
	if s == nil {
		s = &stretch{first: in.Persisted + 1}
		parts[in.Partition] = s
	}
	c.trim(s, in.Persisted)
	s.torn = false
	if len(s.ops) == 0 {
		s.first = min(s.first, in.Persisted+1) // the store may have gone back
	}
	c.prepend(s, in)
	switch {
	case in.Persisted+1 < s.first:
		return in.Persisted // the store went back, and what it lost was let go here
	case in.First > s.next() || c.bytes > c.limit:
		return s.next() - 1 // something between is missing, or there is no room (R10)
	}
	if fresh := in.Ops[min(uint64(len(in.Ops)), s.next()-in.First):]; len(fresh) > 0 {
		c.bytes += weigh(fresh)
		s.ops = append(s.ops, cloned(fresh)...)
	}
	return s.next() - 1
}

// prepend takes operations before those that are held, when nothing is missing between: the origin sends them again after the store
// went back to before them. A late message may bring some that the store has, which the next one lets go.
func (c *copies) prepend(s *stretch, in *wire.Copy) {
	if in.First >= s.first || in.First+uint64(len(in.Ops)) < s.first || c.bytes > c.limit {
		return
	}
	front := cloned(in.Ops[:s.first-in.First])
	c.bytes += weigh(front)
	s.first, s.ops = in.First, append(front, s.ops...)
}

// cloned copies operations with their strings.
func cloned(ops []counter.Op) []counter.Op {
	out := make([]counter.Op, len(ops))
	for i, op := range ops {
		op.Key, op.ID = strings.Clone(op.Key), strings.Clone(op.ID)
		out[i] = op
	}
	return out
}

// trim lets go of what the store has.
func (c *copies) trim(s *stretch, persisted uint64) {
	if persisted < s.first {
		return
	}
	k := min(uint64(len(s.ops)), persisted-s.first+1)
	c.bytes -= weigh(s.ops[:k])
	s.ops = append([]counter.Op(nil), s.ops[k:]...)
	s.first = max(s.first+k, persisted+1)
}

// left returns what is held of a process.
func (c *copies) left(origin counter.Origin) map[uint32]stretch {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make(map[uint32]stretch)
	for id, s := range c.of[origin] {
		if len(s.ops) > 0 {
			out[id] = stretch{s.first, append([]counter.Op(nil), s.ops...), s.torn}
		}
	}
	return out
}

// waits says that something is held of a process which can be counted.
func (c *copies) waits(origin counter.Origin) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.of[origin] {
		if len(s.ops) > 0 && !s.torn {
			return true
		}
	}
	return false
}

// settle lets go of what a ghost saw in the store; what came meanwhile, from a process that was not dead, stays.
func (c *copies) settle(origin counter.Origin, parts []*ghostPart) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range parts {
		s := c.of[origin][p.ID()]
		switch {
		case s == nil:
		case p.gap:
			s.torn = true // until the process' log, or another holder, has brought what is missing
		default:
			c.trim(s, p.Persisted())
		}
	}
}

// round notes that the control loop is about to ask the store who is there.
func (c *copies) round() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rounds++
}

// forget drops everything of a process that is not in the store's view: the store has it, or will never take it. But a view
// that was asked for before the first copy came may be older than the process.
func (c *copies) forget(origin counter.Origin) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.born[origin] >= c.rounds {
		return
	}
	delete(c.born, origin)
	for _, s := range c.of[origin] {
		c.bytes -= weigh(s.ops)
	}
	delete(c.of, origin)
}

func (c *copies) origins() (out []counter.Origin) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for o := range c.of {
		out = append(out, o)
	}
	return out
}

func (c *copies) weight() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bytes
}

func (n *Node) serveCopies(ctx *fasthttp.RequestCtx, sender counter.Origin, rest []byte) {
	all, err := wire.DecodeCopies(rest)
	if err != nil {
		n.count.mangled.Inc()
		ctx.Error(err.Error(), fasthttp.StatusBadRequest)
		return
	}
	held := make([]uint64, len(all))
	for i := range all {
		if int(all[i].Partition) < len(n.slots.all) {
			held[i] = n.copies.hold(sender, &all[i])
		}
	}
	ctx.Response.SetBodyRaw(wire.AppendHeld(nil, held))
}

// standIn resends the copies of processes that have lost their lease and are not seen any more. It comes before this node
// takes over what they owned, so that it awaits their operations (R8).
func (n *Node) standIn(w *world) {
	for _, origin := range n.copies.origins() {
		m := w.members[origin]
		switch {
		case m == nil:
			n.copies.forget(origin)
			continue
		case m.LeaseLeft > 0 || m.alive || n.haunted(origin):
			continue
		}
		left := n.copies.left(origin)
		if len(left) == 0 {
			continue
		}
		g := &ghost{node: n, origin: origin, sure: true, close: func() error { return nil }}
		for id, s := range left {
			g.add(counter.Restore(id, origin, s.first, s.ops))
			g.parts[len(g.parts)-1].gap = s.torn
		}
		g.remove = func() error { n.copies.settle(origin, g.parts); return nil }
		n.haunting.Store(origin, struct{}{})
		n.closing.Go(func() {
			err := g.run(n.background)
			n.haunting.Delete(origin) // not ghostDone: who is back must be awaited
			if err != nil && !errors.Is(err, errBack) {
				n.log.Error("copies of a node that vanished cannot be resent", "origin", origin, "error", err)
			}
		})
	}
}
