package counter

import "strings"

// outbox holds an origin's operations of one partition that the store does not have yet (R6). The operation numbered
// n stands at ops[n-persisted-1].
//
//	persisted ≤ acked ≤ sealed ≤ last
//
// Operations up to sealed have left the origin's lock and never change (R1); those behind it are open: further
// increments of the same key may be combined into them. acked is what the owner of the present epoch has applied; a new
// owner starts again from persisted. answered is the highest number that any earlier owner may have applied, and the present
// one has: callers may have been told, or have read totals with it, so a new owner must have these before it answers
// totals (R8).
type outbox struct {
	ops       []Op
	persisted uint64
	acked     uint64
	sealed    uint64
	answered  uint64
	heard     uint64 // the store has everything up to here, though the owner's answer may still be under way

	// open finds the open operation of a key while another node owns the partition. While this node owns it, the
	// cell's record does (see cells.go), and open is empty.
	open map[string]uint64

	// refused collects what an owner refused as out of range after its caller had been answered or had gone.
	refused []Delta
}

func (o *outbox) last() uint64 { return o.persisted + uint64(len(o.ops)) }

// at returns the operation numbered n, persisted < n <= last.
func (o *outbox) at(n uint64) *Op { return &o.ops[n-o.persisted-1] }

// append numbers a new operation (R1: the number is given here, once).
func (o *outbox) append(op Op) uint64 {
	o.ops = append(o.ops, op)
	return o.last()
}

// combine adds delta to the open operation numbered n, if it may still change; it reports whether it did.
func (o *outbox) combine(n uint64, delta int64) bool {
	if n <= o.sealed {
		return false // R1: it has left the lock
	}
	op := o.at(n)
	if !combinable(op.Delta, delta) {
		return false
	}
	op.Delta += delta
	return true
}

// add takes an increment while another node owns the partition.
func (o *outbox) add(key string, delta int64) uint64 {
	if n, ok := o.open[key]; ok && o.combine(n, delta) {
		return n
	}
	if o.open == nil {
		o.open = make(map[string]uint64)
	}
	k := strings.Clone(key)
	n := o.append(Op{Key: k, Delta: delta})
	o.open[k] = n
	return n
}

// wait lets t wait for the operation numbered n.
func (o *outbox) wait(n uint64, t *Ticket, f Flags) {
	op := o.at(n)
	op.Flags |= f
	t.prefix, t.part, t.next = op.Delta, op.Delta, op.waiting
	if op.waiting != nil {
		t.part -= op.waiting.prefix
	}
	op.waiting = t
}

// seal fixes the content of all operations up to n: they are about to leave the lock (R1).
func (o *outbox) seal(n uint64) {
	if n <= o.sealed {
		return
	}
	o.sealed = n
	if n == o.last() {
		clear(o.open)
	}
}

// ack notes that the present owner has applied everything up to n and tells the callers that waited for it.
// results are in number order and cover operations whose total was wanted, or that were refused.
func (o *outbox) ack(n uint64, results []OpResult, doubt bool) {
	n = min(n, o.sealed)
	for i := o.acked + 1; i <= n; i++ {
		for len(results) > 0 && results[0].Number < i {
			results = results[1:]
		}
		var r *OpResult
		if len(results) > 0 && results[0].Number == i {
			r = &results[0]
		}
		o.applied(o.at(i), r, doubt)
	}
	o.acked = max(o.acked, n)
	o.answered = max(o.answered, o.acked)
}

// applied gives the result to those who wait and tells those for whom that is enough.
func (o *outbox) applied(op *Op, r *OpResult, doubt bool) {
	rest, untold := (*Ticket)(nil), op.Delta
	for t := op.waiting; t != nil; {
		next := t.next // before finish: then the ticket is its caller's again
		if !t.gone {
			untold -= t.part
		}
		switch {
		case r != nil && r.Code == OutOfRange:
			t.Err = ErrOutOfRange
		case r != nil && r.Code == Total:
			t.Total, t.HasTotal = r.Total-(op.Delta-t.prefix), true
		}
		t.Doubt = doubt
		if t.Level == Applied || t.Err != nil {
			t.finish()
		} else {
			t.next, rest = rest, t
		}
		t = next
	}
	op.waiting = rest
	if r != nil && r.Code == OutOfRange {
		// Once answered, the operation is resent as its resolved delta: nothing. The batch that carried the other
		// content is refused by its epoch wherever it may still arrive. What belongs to callers who were told otherwise,
		// or who have gone, is not dropped in silence, even when others of the same operation hear of it.
		if untold != 0 {
			o.refused = append(o.refused, Delta{Key: op.Key, Delta: untold})
		}
		op.Delta = 0
	}
}

// trim drops what the store has (R6: and nothing else).
func (o *outbox) trim(n uint64) {
	if n <= o.persisted {
		return
	}
	must(n <= o.last(), "the store has operations that this origin never numbered")
	k := int(n - o.persisted)
	for i := range o.ops[:k] {
		for t := o.ops[i].waiting; t != nil; {
			next := t.next // before finish: then the ticket is its caller's again, who may use it for another operation
			t.finish()
			t = next
		}
	}
	rest := copy(o.ops, o.ops[k:])
	clear(o.ops[rest:])
	o.ops = o.ops[:rest]
	o.persisted = n
	o.acked = max(o.acked, n)
	o.sealed = max(o.sealed, n)
	o.answered = max(o.answered, n)
}

// rewind makes everything that the store lacks wait for a new owner, unchanged (R1). Whatever has left the lock counts as
// answered from now on: even when no answer came, the former owner may have applied it and shown it in a total, and who
// read that must not see less at the next owner (R8).
func (o *outbox) rewind() {
	o.acked = o.persisted
	o.answered = max(o.answered, o.sealed)
}
