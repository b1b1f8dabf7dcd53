package sim

import "github.com/pinocchio-nose/pinocchio/counter"

// toLog checks what goes to the log against what was accepted: from here on its content is fixed (R1).
func (a *auditor) toLog(p *part, first uint64, ops []counter.Op) {
	st := a.stream(p.id, p.n.id)
	for i := range ops {
		r := st.op(first + uint64(i))
		a.same(first+uint64(i), r, &ops[i])
		r.outside, r.handed = true, true
	}
}

// logged notes that a log holds everything up to n.
func (a *auditor) logged(p *part, n uint64) {
	st := a.stream(p.id, p.n.id)
	st.logged = max(st.logged, n)
}

// recovered checks what a log gives back after a crash: all that it ever confirmed and the store lacks (R6), as it was (R1).
func (a *auditor) recovered(partition uint32, origin counter.Origin, first uint64, ops []counter.Op) {
	st := a.stream(partition, origin)
	last := first + uint64(len(ops)) - 1
	a.w.mustBe(first-1 <= st.persisted, "R6", "the log of %s begins with %d, the store has %d", a.w.name(origin), first, st.persisted)
	a.w.mustBe(max(last, st.persisted) >= st.logged, "R6", "the log of %s ends with %d, it had confirmed %d", a.w.name(origin), last, st.logged)
	if last > st.logged && len(ops) > 0 {
		a.w.mark(markLogMore) // maybe not durable even now: the next crash may take it
	}
	for i := range ops {
		a.sameLog(first+uint64(i), st.op(first+uint64(i)), &ops[i])
	}
}

// resent checks a section of a log.
func (a *auditor) resent(origin counter.Origin, s *counter.Section) {
	st := a.stream(s.Partition, origin)
	for i := range s.Ops {
		r := st.op(s.First + uint64(i))
		a.sameLog(s.First+uint64(i), r, &s.Ops[i])
		if r.applied != 0 {
			a.w.mark(markLogDuplicate)
		}
	}
}

// sameLog checks the content of an operation that comes from a log, which may know it as it was before it was refused.
func (a *auditor) sameLog(n uint64, r *record, op *counter.Op) {
	void := r.refused != 0 && op.Delta == 0 && op.ID == ""
	if a.w.keys[r.key] != op.Key || !void && (r.delta != op.Delta || r.id != op.ID) {
		a.w.broken("R1", "operation %d is %s %+d (%s), and was %s %+d (%s)", n, op.Key, op.Delta, op.ID, a.w.keys[r.key], r.delta, r.id)
	}
}
