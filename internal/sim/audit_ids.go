package sim

import (
	"slices"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// idRow is an idempotency key that was counted: the increment that it stands for, and the total just after it.
type idRow struct {
	delta int64
	total int64
	known bool // total is: UnknownTotal, or as it was told
}

func (a *auditor) refOf(r *record) counter.IDRef {
	return counter.IDRef{Key: a.w.keys[r.key], ID: r.id}
}

// requested notes what clients use an idempotency key for.
func (a *auditor) requested(ref counter.IDRef, delta int64) {
	if first, known := a.asked[ref]; known && first != delta {
		a.ambiguous[ref] = true
		return
	}
	a.asked[ref] = delta
}

// acceptedOnce notes an increment with an idempotency key that AddID took.
func (a *auditor) acceptedOnce(p *part, added counter.Added, q *request) *share {
	s := a.stream(p.id, p.n.id)
	a.w.mustBe(added.Fresh && added.Number == s.last()+1, "R1", "%s: number %d given after %d", p.n.name, added.Number, s.last())
	rec := &record{key: q.key, delta: q.delta, id: q.ref.ID}
	sh := &share{delta: q.delta, prefix: q.delta}
	rec.shares = append(rec.shares, sh)
	s.ops = append(s.ops, rec)
	if !added.Applied {
		a.w.mustBe(p.Phase() != counter.Owning || p.tenure.run(p.n.id).mark() < added.Number-1, "R2", "%s: not applied in phase %d", p.n.name, p.Phase())
		return sh
	}
	how := counter.NoTotal
	var total int64 = counter.UnknownTotal
	if added.HasTotal {
		how, total = counter.Total, added.Total
	}
	if added.Replayed {
		how = counter.Replayed
		a.w.mark(markIDReplayed)
	}
	t := p.tenure
	t.once(rec, how, total)
	t.apply(t.run(p.n.id), rec, q.delta, how)
	if how == counter.Total {
		t.total(q.key, total)
	}
	return sh
}

// once checks what an owner makes of an operation with an idempotency key (R9).
func (t *tenure) once(rec *record, how counter.ResultCode, total int64) {
	if rec.id == "" {
		return
	}
	w := t.a.w
	ref := t.a.refOf(rec)
	row, counted := t.ids[ref]
	switch {
	case !t.current(): // it mixes two states of the store, until it finds out; its next flush does not match
		if how == counter.Total || how == counter.NoTotal {
			t.ids[ref] = idRow{delta: rec.delta, total: total, known: true}
		}
	case !counted:
		w.mustBe(how != counter.Replayed && how != counter.IDReused, "R9", "%s takes %v for counted, which was not", t.p.n.name, ref)
		if how != counter.OutOfRange {
			t.ids[ref] = idRow{delta: rec.delta, total: total, known: true}
		}
	case row.delta != rec.delta:
		w.mark(markIDReused)
		w.mustBe(how == counter.IDReused, "R9", "%s takes %v for new, which stands for %d and not %d", t.p.n.name, ref, row.delta, rec.delta)
	default:
		w.mustBe(how == counter.Replayed, "R9", "%s counts %v again", t.p.n.name, ref)
		w.mustBe(!row.known || row.total == total, "R9", "%s answers %v with %d, the first answer was %d", t.p.n.name, ref, total, row.total)
		if !w.byID[t.p.n.id].alive {
			return
		}
		w.mark(markIDReplayed)
	}
}

// applyOwn notes that an owner has applied an operation of its own that had waited.
func (t *tenure) applyOwn(r *run, rec *record, refused bool) {
	how := counter.NoTotal
	switch row, counted := t.ids[t.a.refOf(rec)]; {
	case refused, rec.resolved:
		how = counter.OutOfRange
	case rec.id == "":
	case counted && row.delta == rec.delta:
		how = counter.Replayed
	case counted:
		how = counter.IDReused
	default:
		t.ids[t.a.refOf(rec)] = idRow{delta: rec.delta}
	}
	t.apply(r, rec, rec.content(), how)
	if v, fits := t.sum[rec.key].int64(); fits {
		rec.totals = append(rec.totals, v)
	}
	if v, fits := t.sum[rec.key].minus(t.aside[rec.key]).int64(); fits {
		rec.totals = append(rec.totals, v)
	}
}

// held says that an owner's own operation, the next one to apply, waits for the store to tell of its idempotency key.
func (a *auditor) held(p *part, rec *record) bool {
	want := p.Wanted()
	return len(want.IDs) > 0 && rec.id != "" && !rec.resolved && want.IDs[0] == a.refOf(rec)
}

// stored notes that an operation with an idempotency key is counted in the store, and that its row came with it (R9).
func (a *auditor) stored(b *pendingBatch, rec *record) {
	ref := a.refOf(rec)
	i := slices.IndexFunc(b.IDs, func(row counter.IDRow) bool { return row.IDRef == ref })
	a.w.mustBe(i >= 0, "R9", "a batch counts %v without its row", ref)
	before, twice := a.ids[ref]
	a.w.mustBe(!twice, "R9", "%v is counted twice: %v before", ref, before)
	a.w.mustBe(b.IDs[i].Fingerprint == counter.Fingerprint(rec.delta), "R9", "the row of %v is that of another increment", ref)
	a.ids[ref] = idRow{delta: rec.delta, total: b.IDs[i].Total, known: true}
	if a.lostIDs[ref] {
		a.w.mark(markIDLost)
		a.lostIDs[ref] = false
	}
}

// countedOnce says that an increment which did not count itself stands for one that did.
func (a *auditor) countedOnce(r *record) bool {
	ref := a.refOf(r)
	row, counted := a.ids[ref]
	if counted && row.delta == r.delta {
		return true
	}
	if a.ambiguous[ref] && counted { // known limit: two increments with one key, and then a crash before the store had either
		a.w.mark(markIDAmbiguous)
		return true
	}
	return false
}

// answeredByStore checks an answer that a key's row gave.
func (a *auditor) answeredByStore(row *counter.IDRow, delta int64) {
	a.w.mark(markIDStored)
	if _, lost := a.lostIDs[row.IDRef]; lost {
		return // it was stored, and is sent again
	}
	have, counted := a.ids[row.IDRef]
	a.w.mustBe(counted && have.delta == delta, "R9", "%v is answered as stored, and is not", row.IDRef)
	a.w.mustBe(have.total == row.Total, "R9", "%v is answered with %d, the first answer was %d", row.IDRef, row.Total, have.total)
}

// reused checks that a key was used for two increments.
func (a *auditor) reused(ref counter.IDRef, delta int64) {
	a.w.mark(markIDReusedHere)
	a.w.mustBe(a.ambiguous[ref], "R9", "%v %+d is refused as another increment's, and is the only one", ref, delta)
}

func (a *auditor) reusedTo(c *caller) {
	a.refusedTo(c)
	rec := a.stream(c.p.id, c.n.id).op(c.number)
	a.w.mustBe(a.ambiguous[a.refOf(rec)], "R9", "%v is refused as another increment's, and is the only one", a.refOf(rec))
}
