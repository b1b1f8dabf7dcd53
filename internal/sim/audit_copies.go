package sim

import "github.com/pinocchio-nose/pinocchio/counter"

// copied notes that another process holds everything up to n that the store lacks, and looks whether it does.
func (a *auditor) copied(p *part, holder *node, n uint64) {
	st := a.stream(p.id, p.n.id)
	if holder.alive {
		r := holder.held[p.n.id][p.id]
		a.w.mustBe(r.first-1 <= st.persisted && r.last() >= n, "R7", "%s holds %d to %d of %s, and said it had %d",
			holder.name, r.first, r.last(), p.n.name, n)
	}
	st.copied = max(st.copied, n)
}

// hostLost notes that a process and its disk are gone: what was answered on the strength of its log alone is lost.
func (a *auditor) hostLost(n *node) {
	for _, streams := range a.streams {
		if s := streams[n.id]; s != nil {
			s.logged, s.lost = 0, true
		}
	}
}

// survives checks that what was answered as held by two survived the loss of one of them (R6, R7).
func (a *auditor) survives(partition uint32, origin counter.Origin, s *stream) {
	for i := s.persisted; i < s.last(); i++ {
		for _, sh := range s.ops[i].shares {
			if sh.level != counter.Held && sh.level != counter.Persisted {
				continue
			}
			if s.copied <= i && s.ops[i].applied < a.w.store.owners[partition].epoch {
				a.w.mark(markHeldByLoser) // known limit: its owner lost the partition as well, before its next flush
				continue
			}
			a.w.broken("R7", "%s: operation %d of partition %d was answered at level %d, and is lost with one host", a.w.name(origin), i+1, partition, sh.level)
		}
	}
}
