package sim

import (
	"slices"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// copier sends what this process accepted for partitions of its own to one other process, which holds it (R7, level Held).
type copier struct {
	holder *node
	busy   []bool // by partition: a section is under way
}

// copyRun is what a holder has of one stream: operations first, first+1, ...
type copyRun struct {
	first uint64
	ops   []counter.Op
}

func (r *copyRun) last() uint64 { return r.first + uint64(len(r.ops)) - 1 }

// copies is what a process holds for others, by origin and partition.
type copies map[counter.Origin][]copyRun

// copy sends to the holder what it lacks.
func (n *node) copy() {
	if !n.w.cfg.copies || n.leaving {
		return
	}
	n.chooseHolder()
	if n.copier.holder == nil {
		return
	}
	for _, p := range n.parts {
		if p.Phase() == counter.Owning && p.HasToCopy() && !n.copier.busy[p.id] {
			n.sendCopy(p)
		}
	}
}

// chooseHolder keeps the holder while it has a lease, and then takes another one.
func (n *node) chooseHolder() {
	c := &n.copier
	if c.holder != nil {
		if s, there := n.view.find(c.holder.id); there && s.leaseLeft > 0 {
			return
		}
		n.w.mark(markHolderChanged)
	}
	c.holder, c.busy = nil, make([]bool, len(n.parts))
	for _, p := range n.parts {
		p.CopyAfresh()
	}
	for _, s := range n.view.processes {
		if s.id != n.id && s.leaseLeft > 0 && !s.draining {
			c.holder = n.w.byID[s.id]
		}
	}
}

func (n *node) sendCopy(p *part) {
	w := n.w
	c, to := n.copier, n.copier.holder
	first, ops := p.ToCopy(w.cfg.logOps)
	ops = slices.Clone(ops)
	last := first + uint64(len(ops)) - 1
	w.audit.toLog(p, first, ops)
	c.busy[p.id] = true
	persisted := p.Persisted()
	call(n, to, func() (uint64, bool) { return to.hold(n.id, p.id, persisted, first, ops), true }, func(has uint64, ok bool) {
		c.busy[p.id] = false
		switch {
		case n.copier.holder != to: // its word counts no more
		case !ok || has < last:
			w.mark(markCopyAgain)
			p.CopyAfresh()
		default:
			w.audit.copied(p, to, last)
			p.Copied(last)
		}
	})
}

// hold keeps copies for another process, and answers up to where it has them.
func (n *node) hold(origin counter.Origin, partition uint32, persisted, first uint64, ops []counter.Op) uint64 {
	if n.held == nil {
		n.held, n.born = make(copies), make(map[counter.Origin]int)
	}
	runs := n.held[origin]
	if runs == nil {
		runs = make([]copyRun, len(n.parts))
		for i := range runs {
			runs[i].first = 1
		}
		n.held[origin] = runs
		n.born[origin] = n.rounds
	}
	r := &runs[partition]
	r.drop(persisted)
	if first <= r.last()+1 {
		if seen := r.last() + 1 - first; seen < uint64(len(ops)) {
			r.ops = append(r.ops, ops[seen:]...)
		}
	}
	return r.last()
}

// drop forgets what the store has.
func (r *copyRun) drop(persisted uint64) {
	switch {
	case persisted < r.first:
	case persisted >= r.last():
		r.first, r.ops = persisted+1, nil
	default:
		r.ops = slices.Clone(r.ops[persisted+1-r.first:])
		r.first = persisted + 1
	}
}

// resendCopies stands for origins without a lease: they may be gone, with their disk.
func (n *node) resendCopies() {
	for _, origin := range n.holding() {
		s, there := n.view.find(origin)
		if !there {
			if n.born[origin] < n.viewOf { // else the view may be older than the process
				delete(n.held, origin) // closed: the store has everything
			}
			continue
		}
		if s.leaseLeft > 0 || n.haunted(origin) {
			continue
		}
		g := &ghost{n: n, origin: origin}
		for id, r := range n.held[origin] {
			if len(r.ops) > 0 {
				g.parts = append(g.parts, &ghostPart{Partition: counter.Restore(uint32(id), origin, r.first, slices.Clone(r.ops))})
			}
		}
		if len(g.parts) > 0 {
			n.w.mark(markCopyResent)
			n.w.logf("%s resends its copies of %s", n.name, n.w.name(origin))
			n.ghosts = append(n.ghosts, g)
			g.round()
		}
	}
}

// holding returns the origins that this process holds copies of, in a fixed order.
func (n *node) holding() (origins []counter.Origin) {
	for id := range n.held {
		origins = append(origins, id)
	}
	return sorted(origins)
}

// holdsForTheDead says that copies are still to be resent.
func (n *node) holdsForTheDead() bool {
	for origin, runs := range n.held {
		if !n.w.byID[origin].alive && slices.ContainsFunc(runs, func(r copyRun) bool { return len(r.ops) > 0 }) {
			return true
		}
	}
	return false
}

// resentCopies forgets copies that the store has.
func (n *node) resentCopies(g *ghost) {
	runs := n.held[g.origin]
	for _, p := range g.parts {
		if runs != nil {
			runs[p.ID()].drop(p.Persisted())
		}
	}
}

// loseHost takes a host away for good, with its disk; a new one comes in its place.
func (w *world) loseHost() {
	n := w.victim()
	if n == nil || !n.ready {
		return
	}
	w.mark(markHostLost)
	w.logf("%s is lost with its disk", n.name)
	n.crash()
	w.hosts[n.slot] = host{}
	w.audit.hostLost(n)
	w.at(w.between(5, 2*leaseTTL), func() { w.start(n.slot) })
}
