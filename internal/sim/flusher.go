package sim

import (
	"fmt"
	"slices"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// pendingBatch is a frozen batch until it is resolved. Its content never changes; what is set aside is the store's affair.
type pendingBatch struct {
	counter.Batch
	aside   []string // keys that the database refuses
	unknown bool     // a try had an unknown outcome
}

// maxFlights is how many statements may be under way at a time.
const maxFlights = 3

// flush freezes what has changed, and sends it in one statement, or in two that run side by side. A batch of an earlier
// ownership may still be under way then.
func (n *node) flush() {
	if n.flights >= maxFlights-1 {
		return
	}
	handing := slices.ContainsFunc(n.parts, func(p *part) bool { return p.Phase() == counter.Releasing })
	if !handing && !n.urgent && !n.leaving && n.w.now < n.nextSync {
		return
	}
	n.urgent, n.nextSync = false, n.w.now+n.w.cfg.flushEvery
	var batches []*pendingBatch
	for _, p := range n.parts {
		b, ok := p.Freeze()
		if !ok {
			continue
		}
		// The core's order of moves is that of a map; the history must not depend on it.
		slices.SortFunc(b.Moves, func(a, b counter.Move) int { return compareOrigins(a.Origin, b.Origin) })
		n.w.audit.frozen(p, &b)
		batches = append(batches, &pendingBatch{Batch: b})
	}
	if len(batches) == 0 {
		return
	}
	split := n.w.rng.IntN(len(batches) + 1)
	for _, some := range [][]*pendingBatch{batches[:split], batches[split:]} {
		if len(some) > 0 {
			n.flights++
			n.try(some)
		}
	}
}

// try sends batches until the store has said how each ended.
func (n *node) try(batches []*pendingBatch) {
	w := n.w
	st := statement{node: n.id, batches: copyBatches(batches)}
	ask(n, func() result {
		before := slices.Clone(w.store.owners)
		r := w.store.flush(st)
		if w.tracing() {
			w.logf("store: flush of %s: %+v of %s", n.name, r, describe(st.batches))
		}
		if r.applied {
			w.audit.flushed(n, st.batches, before)
		}
		return r
	}, func(r result, o outcome) { n.tried(batches, &r, o) })
}

// tried handles the end of one try. What is not resolved is sent again, unchanged.
func (n *node) tried(batches []*pendingBatch, r *result, o outcome) {
	switch {
	case o == unknown:
		for _, b := range batches {
			b.unknown = true
		}
		n.again(n.w.between(1, 30), batches)
	case o == nothing:
		n.again(n.w.between(5, 40), batches)
	case r.refused != nil:
		for _, b := range batches {
			b.setAside(r.refused)
		}
		n.again(1, batches)
	case r.applied:
		n.flights--
		for i, b := range batches {
			n.committed(b, r.values[i])
		}
	default:
		n.sortOut(batches, r)
	}
}

func (n *node) again(d ticks, batches []*pendingBatch) { n.after(d, func() { n.try(batches) }) }

// setAside has the deltas of refused keys go to quarantine.
func (b *pendingBatch) setAside(refused []string) {
	for _, d := range b.Deltas {
		if slices.Contains(refused, d.Key) {
			b.aside = append(b.aside, d.Key)
		}
	}
}

func describe(batches []*pendingBatch) (text string) {
	for _, b := range batches {
		text += fmt.Sprintf("%+v ", *b)
	}
	return text
}

// copyBatches makes a statement of its own: what is on its way to the store does not learn what its sender sets aside later.
func copyBatches(batches []*pendingBatch) []*pendingBatch {
	out := make([]*pendingBatch, len(batches))
	for i, b := range batches {
		c := *b
		c.aside = slices.Clone(b.aside)
		out[i] = &c
	}
	return out
}

// sortOut resolves the batches that did not match, and sends the others without them.
func (n *node) sortOut(batches []*pendingBatch, r *result) {
	var innocent []*pendingBatch
	for _, b := range batches {
		owner, moved := r.owners[b.Partition]
		exact, past := b.stands(r.ledger[b.Partition])
		switch {
		case moved && b.handedOver(owner) && past:
			n.committed(b, nil) // the new owner may have gone further
		case moved:
			n.notOwner(b, owner)
		case slices.Contains(r.taken, b.Partition) && n.w.rewound():
			n.conflict(b.Partition, b.Epoch)
		case slices.Contains(r.taken, b.Partition):
			n.w.broken("R9", "%s: batch %+v counts a key that is stored", n.name, b.Batch)
		case len(r.ledger[b.Partition]) == 0:
			innocent = append(innocent, b)
		case exact && b.NewOwner == (counter.Origin{}):
			n.committed(b, nil)
		case n.w.rewound():
			n.conflict(b.Partition, b.Epoch)
		case n.w.ended(b, r.ledger[b.Partition]):
			n.w.audit.lostWith(b)
			n.conflict(b.Partition, b.Epoch)
		default:
			n.w.broken("R3", "%s: batch %+v stands neither before nor after: %v", n.name, b.Batch, r.ledger[b.Partition])
		}
	}
	if len(innocent) == 0 {
		n.flights--
		return
	}
	n.again(0, innocent)
}

// stands says whether all ledger rows are at the ends of the batch's moves, or there or beyond.
func (b *pendingBatch) stands(off []mismatch) (exact, past bool) {
	exact, past = true, true
	for _, m := range b.Moves {
		i := slices.IndexFunc(off, func(x mismatch) bool { return x.origin == m.Origin })
		if i < 0 {
			return false, false
		}
		exact = exact && off[i].number == m.To
		past = past && off[i].number >= m.To
	}
	return exact, past
}

// ended says that the rows which do not match are of dead processes that a ghost has closed meanwhile: a late message of theirs was
// applied, of which nobody had been told.
func (w *world) ended(b *pendingBatch, off []mismatch) bool {
	for _, m := range b.Moves {
		i := slices.IndexFunc(off, func(x mismatch) bool { return x.origin == m.Origin })
		if i >= 0 && off[i].number != m.To && (w.byID[m.Origin].alive || !w.store.byID[m.Origin].closed) {
			return false
		}
	}
	return true
}

// handedOver says whether the partition stands where the batch's hand-over leaves it.
func (b *pendingBatch) handedOver(o ownership) bool {
	return b.NewOwner != counter.Origin{} && o.owner == b.NewOwner && o.epoch == b.Epoch+1
}

// committed tells the core that the batch is in the store, and the origins how far the store has what they sent.
func (n *node) committed(b *pendingBatch, values []counter.Value) {
	w, p := n.w, n.parts[b.Partition]
	if values == nil && b.unknown {
		w.mark(markResolved)
	}
	var aside []counter.Delta
	for _, d := range b.Deltas {
		if slices.Contains(b.aside, d.Key) {
			aside = append(aside, d)
		}
	}
	if p.tenure == nil || p.tenure.epoch != b.Epoch {
		w.mark(markIgnoredDone)
	}
	var progress []counter.Progress
	var handed bool
	w.audit.ending(p, b.Epoch, aside)
	if w.tracing() {
		w.logf("%s: batch of partition %d is in the store, values %v, aside %v", n.name, b.Partition, values, aside)
	}
	p.watch(func() { progress, handed = p.Done(b.Epoch, values, aside) })
	slices.SortFunc(progress, func(a, b counter.Progress) int { return compareOrigins(a.Origin, b.Origin) })
	for _, pr := range progress {
		n.notify(p.id, pr)
	}
	if handed {
		w.mark(markHandOver)
		own := ownership{b.Partition, b.NewOwner, b.Epoch + 1}
		for _, peer := range w.slots {
			n.tell(peer, own, true)
		}
	}
}

// notify tells an origin how far the store has its operations; it may be lost.
func (n *node) notify(partition uint32, pr counter.Progress) {
	to := n.w.byID[pr.Origin]
	call(n, to, func() (bool, bool) {
		p := to.parts[partition]
		p.Persist(pr.Persisted)
		if p.Phase() == counter.Following && p.Persisted() < pr.Persisted {
			n.w.mark(markOvertaken)
		}
		return true, true
	}, func(bool, bool) {})
}

// notOwner gives up a partition that the store says belongs to somebody else (R5).
func (n *node) notOwner(b *pendingBatch, now ownership) {
	p := n.parts[b.Partition]
	n.w.mark(markNotOwner)
	p.learnStored(now)
	if owner, epoch := p.Owner(); owner == n.id && epoch == b.Epoch {
		if n.w.rewound() { // the store names no later epoch: it came back from an older state
			p.watch(func() { p.Drop() })
			n.wanted = true
			return
		}
		n.w.broken("R5", "%s: the store refuses its owner at epoch %d and names no later one: %v", n.name, b.Epoch, now)
	}
	n.wanted = true
}
