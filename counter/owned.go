package counter

// owned is the state of a partition's owner.
type owned struct {
	epoch   uint64
	streams map[Origin]*stream // of other origins; this node's own stream is its outbox
	cells   cells
	ids     ids

	// self is this node's own operations: those up to selfApplied are applied, those up to selfFrozen are in the batch under
	// way. While Owning, those behind selfApplied wait for the store to say whether an idempotency key was counted.
	selfFrozen  uint64
	selfApplied uint64
	selfSum     sums
	behind      bool // some of them were answered under an earlier owner, and are not applied yet (R8)

	frozen   bool   // a batch is under way
	handing  bool   // and it hands the partition over
	flushed  uint64 // count of batches that ended: a read from before one of them is too old (R8)
	newOwner Origin // while Releasing
	leaving  bool   // newOwner is set

	// settling holds the origins that may hold operations which an earlier owner had answered (R8).
	settling map[Origin]struct{}

	// leftover holds closed processes whose ledger rows stand all the same: somebody closed them by hand. See Older.
	leftover map[Origin]struct{}
}

// stream is an owner's high-water mark of one origin.
type stream struct {
	applied   uint64 // in memory
	frozen    uint64 // in the batch under way
	persisted uint64 // in the store
	sum       sums
	results   []OpResult // of operations that the origin may send again
}

// sums are what a stream's operations add up to, modulo 2^64: those in the batch under way, and those behind.
type sums struct{ sent, pend int64 }

func (s *sums) freeze() int64 {
	s.sent, s.pend = s.pend, 0
	return s.sent
}

// apply adds delta to the counter. It reports whether there was room; without room nothing changed. A promised delta has been
// answered before, under an earlier owner, and is taken also when the total has no room: the store will set it aside.
func (w *owned) apply(hash uint64, key string, delta int64, promised bool) (place uint32, ok bool) {
	place = w.cells.place(hash, key)
	if v, _, _ := w.cells.total(place); addOverflows(v, delta) && !promised {
		return place, false
	}
	r := w.cells.record(place)
	if addOverflows(r.pend, delta) {
		return place, false
	}
	r.pend += delta
	r.touched = true
	return place, true
}

// freeze collects what is to be flushed; nil when there is nothing.
func (w *owned) freeze(self Origin, out *outbox) (moves []Move, deltas []Delta) {
	if w.selfApplied > out.persisted {
		w.selfFrozen = w.selfApplied
		moves = append(moves, Move{Origin: self, From: out.persisted, To: w.selfApplied, Sum: w.selfSum.freeze()})
	}
	for id, s := range w.streams {
		if s.frozen = s.applied; s.applied > s.persisted {
			moves = append(moves, Move{Origin: id, From: s.persisted, To: s.applied, Sum: s.sum.freeze()})
		}
	}
	for i := range w.cells.dirty {
		r := &w.cells.dirty[i]
		if !r.touched {
			continue
		}
		must(!r.frozen, "a counter is frozen twice")
		deltas = append(deltas, Delta{Key: w.cells.cell[r.cell].key, Delta: r.pend})
		r.sent, r.pend, r.touched, r.frozen = r.pend, 0, false, true
	}
	must(len(deltas) == 0 || len(moves) > 0, "deltas without a ledger move")
	return moves, deltas
}

// committed moves the frozen part of every counter into its base, and every stream's mark.
func (w *owned) committed(values []Value, quarantined []Delta) (progress []Progress) {
	for _, q := range quarantined { // not in the counters: set aside by the store
		if i, ok := w.cells.find(Hash(q.Key), q.Key); ok && w.cells.cell[i].record() != 0 {
			w.cells.record(i).sent = 0
			// A read of the store may have taken the ledger's word that it contains what was sent (see Loaded): read again.
			w.cells.cell[i].forgetBase()
		}
	}
	for i := len(w.cells.dirty) - 1; i >= 0; i-- {
		r := &w.cells.dirty[i]
		if !r.frozen {
			continue
		}
		w.cells.cell[r.cell].base += r.sent
		r.sent, r.frozen = 0, false
		if !r.touched {
			w.cells.release(i)
		}
	}
	for _, v := range values { // the store's word stands, also where base was unknown
		if i, ok := w.cells.find(Hash(v.Key), v.Key); ok {
			w.cells.cell[i].setBase(v.Value)
		}
	}
	for id, s := range w.streams {
		if s.frozen > s.persisted {
			s.persisted = s.frozen
			progress = append(progress, Progress{Origin: id, Persisted: s.persisted})
		}
	}
	w.ids.committed()
	return progress
}
