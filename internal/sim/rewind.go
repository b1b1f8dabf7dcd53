package sim

import (
	"slices"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// The store may come back from an older state. This is how a process finds out, and what it does then, as package node does.

// rewinding is what a process needs for it.
type rewinding struct {
	known      []uint64          // epochs that it knew before it asked for the view
	afresh     map[uint32]uint64 // partitions to start again, and the epoch at which they were dropped
	stored     [][]kept          // by partition: what is kept although the store has it
	clock      ticks             // advances only while the store answers: in an outage nothing is let go
	lastRound  ticks
	lastVerify ticks
	timeline   int  // of the store, when it last renewed the lease
	verified   int  // the same, when it last compared the ledger
	forgotten  bool // the store came back from before this process: no owner can tell what it lost of this one
}

// kept says that the store had everything up to number at that moment of the clock.
type kept struct {
	number uint64
	at     ticks
}

// rewound says that the store has come back from an older state in this history.
func (w *world) rewound() bool { return w.store.timeline > 0 }

// rewindStore lets the store fall back to what it is now, at a later moment.
func (w *world) rewindStore() {
	image := w.store.image()
	books := w.audit.image()
	depth := w.between(1, w.cfg.window)
	w.at(depth, func() {
		if w.calm || w.store.timeline != image.timeline {
			return
		}
		w.mark(markRollback)
		w.logf("store comes back as it was %d ago", depth)
		w.store.restore(image.clone())
		w.audit.restore(books)
	})
}

// epochs are those that this process has heard of.
func (n *node) epochs() (known []uint64) {
	for _, p := range n.parts {
		_, epoch := p.Owner()
		known = append(known, epoch)
	}
	return known
}

// reregister makes this process known again to a store that went back to before it came.
func (n *node) reregister() {
	w := n.w
	w.mustBe(w.rewound(), "R12", "%s is not known to the store", n.name)
	w.mark(markReregister)
	n.rewind.forgotten = true
	ask(n, func() view { return w.store.register(n.id, w.now) }, func(_ view, o outcome) {
		n.wanted = o == answered
		n.nextRound = w.now + roundEvery/2
		n.controlled()
	})
}

// conflict starts a partition afresh whose ledger is not where this owner left it: what is in memory is dropped, the origins
// send it again under a new epoch.
func (n *node) conflict(partition uint32, epoch uint64) {
	n.w.mark(markConflict)
	n.w.logf("%s starts partition %d afresh after epoch %d", n.name, partition, epoch)
	p := n.parts[partition]
	n.rewind.afresh[partition] = max(epoch, n.rewind.afresh[partition])
	p.watch(func() {
		if _, now := p.Owner(); now == epoch {
			p.Drop()
		}
	})
}

// startAfresh gives the partitions of conflict a new epoch, and acquires them from what the store has.
func (n *node) startAfresh(then func()) {
	w := n.w
	if len(n.rewind.afresh) == 0 {
		then()
		return
	}
	var take []ownership
	for id := range n.parts {
		if epoch, ok := n.rewind.afresh[uint32(id)]; ok {
			take = append(take, ownership{uint32(id), n.id, epoch})
		}
	}
	ask(n, func() []ownership { return w.store.afresh(take) }, func(won []ownership, o outcome) {
		if o != answered {
			then()
			return
		}
		clear(n.rewind.afresh) // what was not won has a later epoch, by an earlier try or by another owner: the next view says which
		n.adopt(won, true, then)
	})
}

// reclaim takes over partitions whose epoch in the store is older than one known before the view was asked for: whoever knows does,
// for whom the ring wants may not know; and hands it over then. A process that the store had forgotten takes all that it ever sent
// something for: their owners took it for closed, and what they have of it in memory is not in the store.
func (n *node) reclaim(then func()) {
	w := n.w
	var want []reclaimed
	for _, o := range n.view.owners {
		known := n.rewind.known[o.partition]
		if p := n.parts[o.partition]; n.rewind.forgotten && p.Phase() == counter.Following && p.Last() > 0 {
			known = max(known, o.epoch+1)
		}
		if known > o.epoch {
			want = append(want, reclaimed{o, known})
		}
	}
	if len(want) == 0 {
		n.rewind.forgotten = false
		then()
		return
	}
	w.logf("%s reclaims %v", n.name, want)
	for _, r := range want {
		p := n.parts[r.partition]
		p.watch(func() { p.Drop() })
	}
	ask(n, func() []ownership { return w.store.reclaim(n.id, want, w.now) }, func(won []ownership, o outcome) {
		if o != answered {
			then()
			return
		}
		n.rewind.forgotten = false
		w.marks[markReclaim] += len(won)
		n.adopt(won, true, then)
	})
}

// verify compares the ledger with what this owner knows to be in it.
func (n *node) verify(then func()) {
	w := n.w
	if w.now-n.rewind.lastVerify < w.cfg.keep/4 || w.cfg.keep == 0 {
		then()
		return
	}
	n.rewind.lastVerify = w.now
	has, epochs := make(map[uint32]map[counter.Origin]uint64), make(map[uint32]uint64)
	var ids []ownership
	for _, p := range n.parts {
		if marks := p.Marks(); marks != nil {
			has[p.id] = marks
			_, epochs[p.id] = p.Owner()
			ids = append(ids, ownership{partition: p.id})
		}
	}
	timeline := 0
	ask(n, func() adoption { timeline = w.store.timeline; return w.store.adopt(ids, w.now) }, func(a adoption, o outcome) {
		if o == answered {
			n.rewind.verified = timeline
			for _, own := range ids {
				n.compareMarks(own.partition, epochs[own.partition], has[own.partition], &a)
			}
		}
		then()
	})
}

func (n *node) compareMarks(partition uint32, epoch uint64, has map[counter.Origin]uint64, a *adoption) {
	p := n.parts[partition]
	if _, now := p.Owner(); now == epoch && p.Phase() == counter.Owning && p.Newer(a.ledger[partition]) {
		n.conflict(partition, epoch)
		return
	}
	for _, s := range a.processes {
		if a.ledger[partition][s.id] < has[s.id] {
			n.w.mark(markVerified)
			n.w.mustBe(n.w.rewound(), "R3", "%s has %d of %s in the store, the ledger has %d", n.name, has[s.id], n.w.name(s.id), a.ledger[partition][s.id])
			n.conflict(partition, epoch)
			return
		}
	}
}

// storeAnswered moves the clock by which what is kept grows old.
func (n *node) storeAnswered() {
	r := &n.rewind
	r.clock += min(n.w.now-r.lastRound, leaseTTL)
	r.lastRound = n.w.now
}

// letGo forgets what the store has had for long enough.
func (n *node) letGo() {
	if n.w.cfg.keep == 0 {
		return
	}
	r := &n.rewind
	now := r.clock + n.w.now - r.lastRound
	for _, p := range n.parts {
		marks := r.stored[p.id]
		old := 0
		for ; old < len(marks) && r.clock-marks[old].at >= n.w.cfg.keep; old++ {
			n.w.audit.letGo(p, marks[old].number)
			p.LetGo(marks[old].number)
		}
		marks = slices.Delete(marks, 0, old)
		if has := p.Persisted(); has > p.Kept() {
			marks = append(marks, kept{has, now})
		}
		r.stored[p.id] = marks
	}
}

// tooOld ends a process: the store lacks operations that are not kept any more.
func (n *node) tooOld(p *part, has uint64) {
	n.w.audit.diverged(p.id, n.id, has)
	n.w.mark(markBeyond)
	n.w.logf("%s stops: partition %d has %d of its operations in the store, and had %d", n.name, p.id, has, p.Persisted())
	n.stop()
}

// giveUp is what is done with a log that the store came back without: its process stops, and the operator removes it.
func (g *ghost) giveUp() {
	n, w := g.n, g.n.w
	w.mark(markLogBeyond)
	w.audit.givenUp(g.origin)
	err := g.old.Remove()
	w.mustBe(err == nil, "R6", "%s cannot remove a log: %v", n.name, err)
	n.ghosts = slices.DeleteFunc(n.ghosts, func(x *ghost) bool { return x == g })
	n.stop()
}

// diverged is the end of a process whose log has less than the store lost. What the log had resent itself is read again by the next one.
func (g *ghost) diverged(p *ghostPart, has uint64) {
	n, w := g.n, g.n.w
	st := w.audit.stream(p.ID(), g.origin)
	if has < p.base { // let go of, or never logged since the store had it first
		g.giveUp()
		return
	}
	w.mustBe(st.rewound, "R4", "the owner of partition %d has less of %s than the store once had", p.ID(), w.name(g.origin))
	w.mark(markGhostAgain)
	n.stop()
}

// stop ends a process for good reason; its supervisor starts another one.
func (n *node) stop() {
	if !n.alive {
		return
	}
	n.crash()
	n.w.at(n.w.between(5, leaseTTL), func() { n.w.start(n.slot) })
}
