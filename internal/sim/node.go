package sim

import (
	"fmt"
	"slices"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// node is one process. It drives the core the way package node does, without goroutines: whatever waits there is an
// event here.
type node struct {
	w    *world
	id   counter.Origin
	name string
	slot int

	alive   bool
	ready   bool // takes increments
	paused  bool
	leaving bool
	closing bool
	parked  []func() // what happens to it while it is paused

	parts      []*part
	view       view
	trustUntil ticks // the lease, as the node itself trusts it
	opinion    []int // which host it believes the ring gives each partition to

	// The control loop is one goroutine in package node: a round at a time, hand-overs in between.
	controlling bool
	wanted      bool
	nextRound   ticks
	handed      []ownership

	flights  int // statements of the flusher under way
	nextSync ticks
	urgent   bool

	loading     bool
	loadFailing bool

	rounds int // begun; viewOf is the one that view is of
	viewOf int
	born   map[counter.Origin]int // in which round the first copy came

	callers []*caller
	copier  copier
	held    copies
	scribe  *scribe  // nil: no log on disk
	ghosts  []*ghost // past processes of this host, whose logs are resent
	rewind  rewinding
}

// part is one partition at a node.
type part struct {
	*counter.Partition
	n       *node
	id      uint32
	retryAt ticks
	tenure  *tenure // the auditor's books of this ownership, while it lasts

	missing    []int // keys to read from the store
	missingIDs []counter.IDRef
}

// start runs a new process at a host that has none.
func (w *world) start(slot int) {
	if w.slots[slot] != nil {
		return
	}
	w.starts[slot]++
	n := &node{w: w, slot: slot, alive: true, name: fmt.Sprintf("n%d%c", slot, 'a'+w.starts[slot]-1)}
	n.id[0], n.id[15] = byte(slot+1), byte(w.starts[slot])
	for p := range w.cfg.partitions {
		n.parts = append(n.parts, &part{Partition: counter.New(uint32(p), n.id).With(counter.Holders{Log: w.cfg.logs, Keep: w.cfg.keep > 0}), n: n, id: uint32(p)})
		n.opinion = append(n.opinion, w.wish(p))
	}
	n.rewind.afresh, n.rewind.stored = make(map[uint32]uint64), make([][]kept, w.cfg.partitions)
	n.rewind.lastRound, n.rewind.lastVerify = w.now, w.now
	w.slots[slot], w.byID[n.id] = n, n
	w.logf("%s starts", n.name)
	n.openLog()
	n.register()
}

// register goes on until the store has the process.
func (n *node) register() {
	sent := n.w.now
	ask(n, func() view { return n.w.store.register(n.id, n.w.now) }, func(v view, o outcome) {
		if o != answered {
			n.after(tickEvery, n.register)
			return
		}
		n.heed(v)
		n.trustUntil = sent + leaseTrust
		n.ready = true
		for _, g := range slices.Clone(n.ghosts) {
			if g.round(); !n.alive {
				return // it stops: the store does not know the process of a log
			}
		}
		n.tick()
	})
}

// after schedules something at this process.
func (n *node) after(d ticks, do func()) { n.w.at(d, func() { n.run(do) }) }

// run lets something happen at this process: not at all when it is dead, and when it is paused, later.
func (n *node) run(do func()) {
	switch {
	case !n.alive:
	case n.paused:
		n.parked = append(n.parked, do)
	default:
		do()
		if n.alive {
			n.settleCallers()
			n.w.audit.outboxes(n)
		}
	}
}

// tick does what is due. In package node events trigger most of it; the order among them is as free.
func (n *node) tick() {
	n.after(tickEvery+n.w.between(0, 4), n.tick)
	n.control()
	for _, p := range n.parts {
		p.send()
	}
	n.flush()
	n.load()
	n.scribe.write()
	n.copy()
	if n.w.chance(20) {
		for _, p := range n.parts {
			before, _ := p.Counters()
			p.Shrink(n.w.cfg.limits)
			if after, _ := p.Counters(); after < before {
				n.w.mark(markEvicted)
			}
			p.Poll()
		}
	}
	n.leave()
}

// trusted says whether this process surely still holds its lease.
func (n *node) trusted() bool { return n.w.now < n.trustUntil }

// crash ends the process with everything that only it had.
func (n *node) crash() {
	n.w.logf("%s crashes", n.name)
	n.end()
	n.powerOff()
	n.w.mark(markCrash)
	for _, c := range n.callers {
		if !c.stopped {
			c.share.fate = fateUnknown
		}
	}
}

func (n *node) end() {
	n.alive, n.parked = false, nil
	n.w.slots[n.slot] = nil
	for _, p := range n.parts {
		p.tenure = nil
	}
}

// resume continues a paused process: everything that came meanwhile happens now.
func (n *node) resume() {
	n.paused = false
	n.w.logf("%s resumes with %d events", n.name, len(n.parked))
	parked := n.parked
	n.parked = nil
	for i, do := range parked {
		if n.paused {
			n.parked = append(n.parked, parked[i:]...)
			return
		}
		n.run(do)
	}
}

// leave closes the process when it is to leave, nobody is there to take what it owns, and the store has all that it accepted.
func (n *node) leave() {
	if !n.leaving || n.closing {
		return
	}
	for _, p := range n.parts {
		if p.Pending() > 0 || p.Phase() != counter.Following && n.successors() {
			return
		}
	}
	n.closing = true
	n.removeLog()
	n.w.audit.logGone(n.id)
	n.trustUntil = 0 // from here on, others may take what it owns at any moment
	ask(n, func() bool { n.w.store.close(n.id); return true }, func(_ bool, o outcome) {
		n.w.logf("%s has left (%d)", n.name, o) // without an answer its lease will run out, or it is closed all the same
		n.w.mark(markLeave)
		n.end()
		n.closeGhosts()
		n.w.at(n.w.between(5, leaseTTL), func() { n.w.start(n.slot) })
	})
}

// successors says whether another process could take this one's partitions.
func (n *node) successors() bool {
	return slices.ContainsFunc(n.view.processes, func(s seen) bool { return s.id != n.id && s.leaseLeft > 0 && !s.draining })
}

// watch runs what may end the ownership, and keeps the auditor's books in step.
func (p *part) watch(do func()) {
	do()
	if p.Phase() == counter.Following {
		p.tenure = nil
	}
}

// sorted returns ids in a fixed order, whatever the order in which the core iterated.
func sorted(ids []counter.Origin) []counter.Origin {
	slices.SortFunc(ids, compareOrigins)
	return ids
}

func compareOrigins(a, b counter.Origin) int { return slices.Compare(a[:], b[:]) }
