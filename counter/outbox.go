package counter

import "strings"

// outbox holds an origin's operations of one partition that the store does not have yet (R6). The operation numbered
// n stands at ops[n-persisted-1].
//
//	persisted ≤ acked ≤ sealed ≤ last
//	persisted, logged ≤ logging ≤ sealed, persisted, held ≤ copying ≤ sealed (where the marks are behind persisted, they mean it)
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

	logging, logged uint64 // handed to the log on disk, and durable there
	copying, held   uint64 // sent to the node that holds a copy, and there
	hasLog          bool   // there is a log on disk

	// kept are the last operations that the store has, in case that it loses them: it came back from an older state (R6). The
	// last one of them is numbered persisted. keeps is set when they are to be kept.
	kept  []Op
	keeps bool
	bytes int // what ops weigh, about
	extra int // what kept weighs

	// open finds the open operation of a key while another node owns the partition. While this node owns it, the
	// cell's record does (see cells.go), and open is empty.
	open map[string]uint64

	// refused collects what an owner refused as out of range after its caller had been answered or had gone.
	refused []Refusal
}

func (o *outbox) last() uint64 { return o.persisted + uint64(len(o.ops)) }

// at returns the operation numbered n, persisted < n <= last.
func (o *outbox) at(n uint64) *Op { return &o.ops[n-o.persisted-1] }

// append numbers a new operation (R1: the number is given here, once).
func (o *outbox) append(op Op) uint64 {
	o.ops = append(o.ops, op)
	o.bytes += op.weight()
	return o.last()
}

// OpBytes is about what an operation takes in memory besides its strings.
const OpBytes = 96

func weigh(ops []Op) (sum int) {
	for i := range ops {
		sum += ops[i].weight()
	}
	return sum
}

func (op *Op) weight() int { return OpBytes + len(op.Key) + len(op.ID) }

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

// wait lets t wait for the operation numbered n, which still lacks what missing says.
func (o *outbox) wait(n uint64, t *Ticket, f Flags, missing evidence) {
	op := o.at(n)
	op.Flags |= f
	t.need = t.Level.needs() & missing
	if !o.hasLog {
		t.need &^= logged
	}
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
// results are in number order and cover operations whose total was wanted, or that were refused. got is the evidence that the
// acknowledgement is: that of another node says that two hold the operations.
func (o *outbox) ack(n uint64, results []OpResult, doubt bool, got evidence) {
	n = min(n, o.sealed)
	for i := o.acked + 1; i <= n; i++ {
		for len(results) > 0 && results[0].Number < i {
			results = results[1:]
		}
		var r *OpResult
		if len(results) > 0 && results[0].Number == i {
			r = &results[0]
		}
		o.applied(i, r, doubt, got)
	}
	o.acked = max(o.acked, n)
	o.answered = max(o.answered, o.acked)
}

// applied gives the result to those who wait and tells those for whom that is enough.
func (o *outbox) applied(n uint64, r *OpResult, doubt bool, got evidence) {
	op := o.at(n)
	untold := op.Delta
	for t := op.waiting; t != nil; t = t.next {
		if !t.gone {
			untold -= t.part
		}
		t.result(op, r)
		t.Doubt = doubt
	}
	op.got(got)
	if r != nil && (r.Code == OutOfRange || r.Code == IDReused) {
		// Once answered, the operation is resent as its resolved delta: nothing. The batch that carried the other
		// content is refused by its epoch wherever it may still arrive. What belongs to callers who were told otherwise,
		// or who have gone, is not dropped in silence, even when others of the same operation hear of it.
		if untold != 0 {
			o.refused = append(o.refused, Refusal{Number: n, Key: op.Key, Delta: untold})
		}
		o.bytes -= len(op.ID)
		op.Delta, op.ID = 0, "" // an idempotency key that it did not take stays free for who does
	}
}

// result takes over what the owner says of the operation.
func (t *Ticket) result(op *Op, r *OpResult) {
	if r == nil {
		return
	}
	switch r.Code {
	case OutOfRange:
		t.Err = ErrOutOfRange
	case IDReused:
		t.Err = ErrIDReused
	case Total:
		t.Total, t.HasTotal = r.Total-(op.Delta-t.prefix), true
	case Replayed:
		t.Total, t.HasTotal, t.Replayed = r.Total, r.Total != UnknownTotal, true
	}
}

// got tells the operation's callers of evidence, and lets go of those who wait for nothing more.
func (op *Op) got(e evidence) {
	link := &op.waiting
	for t := op.waiting; t != nil; {
		next := t.next // before finish: then the ticket is its caller's again, who may use it for another operation
		if t.need &^= e; t.need == 0 || t.Err != nil {
			t.finish()
		} else {
			*link, link = t, &t.next
		}
		t = next
	}
	*link = nil
}

// trim drops what the store has (R6: and nothing else), or keeps it for the case that the store comes back from an older state.
func (o *outbox) trim(n uint64) {
	if n <= o.persisted {
		return
	}
	must(n <= o.last(), "the store has operations that this origin never numbered")
	k := int(n - o.persisted)
	for i := range o.ops[:k] {
		o.ops[i].got(applied | logged | held | persisted)
		o.bytes -= o.ops[i].weight()
	}
	if o.keeps {
		o.kept = append(o.kept, o.ops[:k]...)
		o.extra += weigh(o.ops[:k])
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
// read that must not see less at the next owner (R8). Whoever still waits, for the log or for a copy, waits for the new owner too:
// when this origin was without a lease meanwhile, that one may not have awaited what the former owner had applied.
func (o *outbox) rewind() {
	o.acked = o.persisted
	o.answered = max(o.answered, o.sealed)
	for i := range o.ops {
		back := applied
		if o.persisted+uint64(i)+1 > o.held {
			back |= held // the former owner was the second node
		}
		for t := o.ops[i].waiting; t != nil; t = t.next {
			t.need |= t.Level.needs() & back
			t.Moved, t.HasTotal, t.Replayed = true, false, false // what the former owner said was of its order, which the next one need not keep
		}
	}
}

// restore takes back what the store has lost of operations behind n: it came back from an older state. False: some of them are
// not kept any more, and nothing is changed.
func (o *outbox) restore(n uint64) bool {
	if n >= o.persisted {
		return true
	}
	k := o.persisted - n
	if k > uint64(len(o.kept)) {
		return false
	}
	at := len(o.kept) - int(k)
	back := weigh(o.kept[at:])
	o.bytes += back
	o.extra -= back
	o.ops = append(append(make([]Op, 0, int(k)+len(o.ops)), o.kept[at:]...), o.ops...)
	clear(o.kept[at:])
	o.kept = o.kept[:at]
	o.persisted, o.heard = n, min(o.heard, n)
	o.copying, o.held = min(o.copying, n), min(o.held, n) // the holder of copies let go of what comes back
	o.rewind()
	return true
}

// letGo forgets what is kept of the operations up to n.
func (o *outbox) letGo(n uint64) {
	floor := o.persisted - uint64(len(o.kept))
	if n <= floor {
		return
	}
	k := int(min(n, o.persisted) - floor)
	o.extra -= weigh(o.kept[:k])
	rest := copy(o.kept, o.kept[k:])
	clear(o.kept[rest:])
	o.kept = o.kept[:rest]
}

// behind returns at most limit operations behind the mark, sealed, for another holder of them: the log, or a node.
func (o *outbox) behind(mark *uint64, limit int) (first uint64, ops []Op) {
	from := max(*mark, o.persisted)
	n := min(o.last(), from+uint64(limit))
	o.seal(n)
	*mark = n
	return from + 1, o.ops[from-o.persisted : n-o.persisted]
}

// safe notes that another holder has everything up to n, which moves its mark.
func (o *outbox) safe(mark *uint64, n uint64, e evidence) {
	for i := max(*mark, o.persisted) + 1; i <= n; i++ {
		o.at(i).got(e)
	}
	*mark = max(*mark, n)
}
