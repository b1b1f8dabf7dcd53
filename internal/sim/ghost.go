package sim

import (
	"slices"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/journal"
)

// ghost stands for a past process: it resends what that one left in its log, under its old numbers, until the store has it.
type ghost struct {
	n      *node
	origin counter.Origin
	old    *journal.Old // nil: these are copies of what another host may still have
	parts  []*ghostPart
}

type ghostPart struct {
	*counter.Partition
	sending bool
	done    bool
}

// round sends each partition's next section to whoever owns it now, and comes again until all is done.
func (g *ghost) round() {
	n := g.n
	if !slices.ContainsFunc(g.parts, func(p *ghostPart) bool { return !p.done }) {
		g.finish()
		return
	}
	s, known := n.view.find(g.origin)
	switch {
	case g.old == nil && (!known || s.leaseLeft > 0): // closed, so that the store has everything; or back
		g.leave()
		return
	case !known:
		n.w.broken("R6", "%s has the log of %s, which the store does not know", n.name, n.w.name(g.origin))
	}
	for _, p := range g.parts {
		if p.done || p.sending {
			continue
		}
		p.Learn(n.parts[p.ID()].Owner())
		p.Hello()
		if owner, _ := p.Owner(); owner != (counter.Origin{}) {
			g.send(p, n.w.byID[owner])
		}
	}
	n.after(n.w.between(10, 40), g.round)
}

func (g *ghost) send(p *ghostPart, to *node) {
	n, w := g.n, g.n.w
	_, epoch := p.Owner()
	s, ok := p.Next(w.cfg.maxOps)
	if !ok {
		return
	}
	s.Ops = slices.Clone(s.Ops)
	w.audit.resent(g.origin, &s)
	if to == n {
		a := n.parts[p.ID()].handle(g.origin, s, true)
		n.urgent = true
		g.take(p, epoch, &a)
		return
	}
	p.sending = true
	call(n, to, func() (counter.Answer, bool) { return to.parts[p.ID()].handle(g.origin, s, true), true },
		func(a counter.Answer, ok bool) {
			p.sending = false
			if !ok {
				p.Retry(epoch)
				return
			}
			g.take(p, epoch, &a)
		})
}

func (g *ghost) take(p *ghostPart, epoch uint64, a *counter.Answer) {
	w := g.n.w
	if w.tracing() {
		w.logf("ghost of %s <- p%d e%d code %d applied %d persisted %d", w.name(g.origin), p.ID(), a.Epoch, a.Code, a.Applied, a.Persisted)
	}
	switch p.Take(epoch, a) {
	case counter.Diverge:
		w.broken("R4", "the owner of partition %d has less of %s than the store once had", p.ID(), w.name(g.origin))
	case counter.Lookup, counter.Later:
		g.n.wanted = true
	}
	p.Refused() // what was answered is never refused; and whoever waited has gone with the process
	p.done = a.Code == counter.OK && p.Pending() == 0 && a.Applied == a.Persisted
}

// finish forgets the past process: first its log, then its row, since the row without the log harms nobody.
func (g *ghost) finish() {
	n, w := g.n, g.n.w
	w.logf("%s has resent what %s left", n.name, w.name(g.origin))
	g.leave()
	if g.old == nil {
		n.resentCopies(g)
		return
	}
	w.mark(markGhostDone)
	err := g.old.Remove()
	w.mustBe(err == nil, "R6", "%s cannot remove a log: %v", n.name, err)
	if w.cfg.copies {
		return // another process may hold what never reached the log, and an owner may have it from there: the row expires by itself
	}
	ask(n, func() bool { w.store.close(g.origin); return true }, func(bool, outcome) {})
}

// leave forgets the ghost: nobody awaits the log any more. Of what was resent from copies, the next round decides: its origin
// may be back.
func (g *ghost) leave() {
	n := g.n
	n.ghosts = slices.DeleteFunc(n.ghosts, func(x *ghost) bool { return x == g })
	if g.old == nil {
		return
	}
	for _, p := range n.parts {
		p.StopAwaiting(g.origin)
	}
}

// haunted says whether a ghost here still resends what origin left.
func (n *node) haunted(origin counter.Origin) bool {
	return slices.ContainsFunc(n.ghosts, func(g *ghost) bool { return g.origin == origin })
}
