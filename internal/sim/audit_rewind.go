package sim

import (
	"maps"
	"slices"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// books are what the auditor knows to be in the store at a moment.
type books struct {
	sum       []wide
	ids       map[counter.IDRef]idRow
	persisted []map[counter.Origin]uint64
}

func (a *auditor) image() *books {
	b := &books{sum: slices.Clone(a.sum), ids: maps.Clone(a.ids)}
	for _, streams := range a.streams {
		rows := make(map[counter.Origin]uint64)
		for id, s := range streams {
			rows[id] = s.persisted
		}
		b.persisted = append(b.persisted, rows)
	}
	return b
}

// restore takes the books back with the store. What was shown of the operations that it lost may be missing until they are
// sent again (R8).
func (a *auditor) restore(b *books) {
	for ref := range a.ids {
		if _, still := b.ids[ref]; !still {
			a.lostIDs[ref] = true
		}
	}
	a.sum, a.ids = slices.Clone(b.sum), maps.Clone(b.ids)
	for partition, streams := range a.streams {
		clear(a.shownTo[partition])
		for id, s := range streams {
			has := b.persisted[partition][id]
			if has < s.persisted {
				s.rewound = true
			}
			s.persisted = has
			a.excuses = append(a.excuses, excuse{partition: uint32(partition), origin: id, at: a.w.now, cap: 0})
		}
	}
}

// current says that what an owner tells is of the store as it is now, and that its lease is.
func (t *tenure) current() bool { return t.open.timeline == t.a.w.store.timeline && t.p.n.leased() }

// leased says that this process renewed its lease since the store came back.
func (n *node) leased() bool { return n.rewind.timeline == n.w.store.timeline }

// letGo checks that operations are kept for long enough after the store got them.
func (a *auditor) letGo(p *part, number uint64) {
	st := a.stream(p.id, p.n.id)
	for n := st.gone + 1; n <= number; n++ {
		age := a.w.now - st.op(n).storedAt
		a.w.mustBe(age >= a.w.cfg.keep, "R6", "%s lets go of operation %d of partition %d, %d after the store got it", p.n.name, n, p.id, age)
	}
	st.gone = max(st.gone, number)
}

// diverged checks that a process which stops since the store lacks its operations has let go of one of them in good order.
func (a *auditor) diverged(partition uint32, origin counter.Origin, has uint64) {
	st := a.stream(partition, origin)
	a.w.mustBe(st.rewound && st.gone > has, "R6", "%s stops since partition %d has %d of its operations; it was to keep those behind %d",
		a.w.name(origin), partition, has, st.gone)
}

// logGone notes that the log of a process was removed.
func (a *auditor) logGone(origin counter.Origin) {
	for _, streams := range a.streams {
		if s := streams[origin]; s != nil {
			s.logRemoved = true
		}
	}
}

// givenUp notes that the operator removes a log which the store does not match.
func (a *auditor) givenUp(origin counter.Origin) {
	a.logGone(origin)
	for _, streams := range a.streams {
		if s := streams[origin]; s != nil {
			s.givenUp = true
		}
	}
}

// logLost says that the log of a stream had to go although the store lacks something of it.
func (s *stream) logLost() bool {
	return s.givenUp || s.rewound && (s.logRemoved || s.gone > s.persisted)
}

// resentAll checks what became of a stream of which the store has lost something (R6).
func (a *auditor) resentAll(origin counter.Origin, partition uint32, s *stream) {
	w, n := a.w, a.w.byID[origin]
	w.mustBe(s.persisted >= s.once || s.rewound, "R6", "the store has %d of %s in partition %d, and once had %d",
		s.persisted, n.name, partition, s.once)
	switch {
	case s.persisted >= s.once && s.rewound:
		w.mark(markRestored)
	case s.persisted < s.once:
		w.mustBe(!n.alive, "R6", "%s lives, and partition %d has %d of its operations in the store, which once had %d", n.name, partition, s.persisted, s.once)
		w.mark(markLostByRollback)
	}
}
