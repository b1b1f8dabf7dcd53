package counter

// Dirty says that there is something to flush or to hand over, and that no batch is under way.
func (p *Partition) Dirty() bool {
	w := p.own
	if w == nil || w.frozen {
		return false
	}
	if w.leaving || w.selfApplied > p.out.persisted {
		return true
	}
	for _, s := range w.streams {
		if s.applied > s.persisted {
			return true
		}
	}
	return false
}

// Freeze returns the next batch: everything applied and not in the store. Its content is fixed (R1); the next Freeze waits
// until Done has said how it ended.
func (p *Partition) Freeze() (Batch, bool) {
	if !p.Dirty() {
		return Batch{}, false
	}
	w := p.own
	if p.Phase() == Owning {
		p.out.seal(p.out.last())
	}
	w.frozen, w.handing = true, w.leaving
	b := Batch{Partition: p.id, Epoch: w.epoch, NewOwner: w.newOwner}
	b.Moves, b.Deltas = w.freeze(p.self, &p.out)
	b.IDs = w.ids.freeze()
	return b, true
}

// Done notes that the batch of this epoch is in the store. It returns how far the store now has each other origin's
// operations, and whether the partition was handed over (then Owner is the new owner). A batch of another epoch is ignored: this
// node lost the partition meanwhile, and learns from the new owner what the store has.
func (p *Partition) Done(epoch uint64, values []Value, quarantined []Delta) (progress []Progress, handed bool) {
	w := p.own
	if w == nil || w.epoch != epoch || !w.frozen {
		return nil, false
	}
	progress = w.committed(values, quarantined)
	p.out.trim(w.selfFrozen)
	w.frozen = false
	w.flushed++
	if !w.handing {
		return progress, false
	}
	next := w.newOwner
	p.own = nil
	p.owner, p.epoch = next, epoch+1
	p.out.rewind()
	p.sending, p.hello = false, next != p.self
	return progress, true
}

// Shrink lets go of clean counters beyond the limit.
func (p *Partition) Shrink(lim Limits) {
	if p.own != nil {
		p.own.cells.evict(lim.MaxClean)
		p.own.ids.evict(lim.MaxIDs)
	}
}

// Counters returns the count of counters in memory and of those with unflushed changes, while this node is the owner.
func (p *Partition) Counters() (all, dirty int) {
	if p.own == nil {
		return 0, 0
	}
	return len(p.own.cells.cell), len(p.own.cells.dirty)
}
