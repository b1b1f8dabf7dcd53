package sim

import (
	"maps"
	"math"
	"slices"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// tenureKey names an ownership: a process acts as the owner of a partition at an epoch once.
type tenureKey struct {
	node      counter.Origin
	partition uint32
	epoch     uint64
}

// tenure is the auditor's copy of what an owner has in memory.
type tenure struct {
	a     *auditor
	p     *part
	epoch uint64
	open  *opening
	runs  map[counter.Origin]*run
	sum   []wide // of each key: the total
	ids   map[counter.IDRef]idRow

	// A batch that the store has applied and the core does not know of yet; and what of it was set aside.
	undone []counter.Move
	aside  map[int]wide
}

// run is what an owner has applied of one stream: its numbers base+1, base+2, ...
type run struct {
	base   uint64
	values []int64 // what each added
	counts []bool  // valid: neither refused nor a repeat
}

// opening is the state of the store that an owner starts from, as the auditor knows it.
type opening struct {
	timeline  int
	persisted map[counter.Origin]uint64
	sum       []wide
	ids       map[counter.IDRef]idRow
}

func (a *auditor) opening(take []ownership) map[uint32]*opening {
	out := make(map[uint32]*opening)
	for _, o := range take {
		op := &opening{timeline: a.w.store.timeline, persisted: make(map[counter.Origin]uint64), sum: slices.Clone(a.sum), ids: maps.Clone(a.ids)}
		if a.w.store.owners[o.partition] != o { // it was, before the store came back from an older state
			op.timeline = -1
		}
		for id, s := range a.streams[o.partition] {
			op.persisted[id] = s.persisted
		}
		out[o.partition] = op
	}
	return out
}

// begin opens the books of an ownership.
func (a *auditor) begin(p *part, epoch uint64, open *opening) *tenure {
	key := tenureKey{p.n.id, p.id, epoch}
	a.w.mustBe(a.tenures[key] == nil, "R5", "%s acquires partition %d twice at epoch %d", p.n.name, p.id, epoch)
	t := &tenure{
		a: a, p: p, epoch: epoch, open: open, runs: make(map[counter.Origin]*run),
		sum: slices.Clone(open.sum), ids: maps.Clone(open.ids), aside: make(map[int]wide),
	}
	a.tenures[key] = t
	return t
}

func (t *tenure) run(origin counter.Origin) *run {
	r := t.runs[origin]
	if r == nil {
		r = &run{base: t.open.persisted[origin]}
		t.runs[origin] = r
	}
	return r
}

func (r *run) mark() uint64 { return r.base + uint64(len(r.values)) }

// apply notes that the owner has applied the next operation of a stream.
func (t *tenure) apply(r *run, rec *record, v int64, how counter.ResultCode) {
	counts := how == counter.Total || how == counter.NoTotal
	if how == counter.OutOfRange || how == counter.IDReused {
		rec.refused = max(rec.refused, t.epoch)
	}
	if !counts {
		v = 0
	}
	r.values, r.counts = append(r.values, v), append(r.counts, counts)
	t.sum[rec.key] = t.sum[rec.key].plus(v)
	rec.applied = max(rec.applied, t.epoch)
}

// ownOutbox notes that Acquire has applied what this node had accepted before.
func (a *auditor) ownOutbox(p *part) {
	st := a.stream(p.id, p.n.id)
	r := p.tenure.run(p.n.id)
	var numbers []uint64
	for n := r.mark() + 1; n <= st.last() && !a.held(p, st.op(n)); n++ {
		numbers = append(numbers, n)
	}
	refused := a.refusals(p, numbers)
	for _, n := range numbers {
		rec := st.op(n)
		rec.outside = true
		p.tenure.applyOwn(r, rec, slices.Contains(refused, n))
	}
}

// added notes an increment that its owner took itself.
func (t *tenure) added(added counter.Added, rec *record, delta int64) {
	w := t.a.w
	r := t.run(t.p.n.id)
	if added.Fresh {
		w.mustBe(added.Number == r.mark()+1, "R2", "%s applies its operation %d after %d", t.p.n.name, added.Number, r.mark())
		t.apply(r, rec, delta, counter.NoTotal)
	} else {
		r.values[added.Number-r.base-1] += delta
		t.sum[rec.key] = t.sum[rec.key].plus(delta)
	}
	if added.HasTotal {
		t.total(rec.key, added.Total)
	}
}

// handled checks an answer against the section (R2), and what it says of totals (R8).
func (a *auditor) handled(p *part, origin counter.Origin, s *counter.Section, ans *counter.Answer, resent bool) {
	w, t := a.w, p.tenure
	st, r := a.stream(p.id, origin), p.tenure.run(origin)
	before := r.mark()
	end := s.First + uint64(len(s.Ops)) - 1
	if ans.Applied > before && ans.Applied < end { // what must be read for the rest is more than it may remember
		w.mark(markInPart)
		end = ans.Applied
	}
	w.mustBe(s.Epoch == t.epoch, "R5", "%s applied a section of epoch %d at epoch %d", p.n.name, s.Epoch, t.epoch)
	w.mustBe(s.First <= before+1, "R2", "%s has %d of %s and applied a section from %d", p.n.name, before, w.name(origin), s.First)
	w.mustBe(ans.Applied == max(before, end), "R2", "%s had %d of %s, got %d to %d, and answered %d",
		p.n.name, before, w.name(origin), s.First, end, ans.Applied)
	switch {
	case len(s.Ops) > 0 && end <= before:
		w.mark(markDuplicate)
	case s.First <= before:
		w.mark(markOverlap)
	}
	for n := before + 1; n <= end; n++ {
		rec := st.op(n)
		op := &s.Ops[n-s.First]
		// A former owner who does not know it yet may get what was sent before a later owner refused it. It will never flush it.
		late := t.epoch < rec.refused && op.Delta == rec.delta
		switch {
		case late:
		case resent:
			a.sameLog(n, rec, op)
		default:
			a.same(n, rec, op)
		}
		i := slices.IndexFunc(ans.Results, func(x counter.OpResult) bool { return x.Number == n })
		how := counter.NoTotal
		var total int64 = counter.UnknownTotal
		if i >= 0 {
			if how = ans.Results[i].Code; how != counter.NoTotal {
				total = ans.Results[i].Total
			}
		}
		if void := op.Delta == 0 && op.ID == "" && (rec.delta != 0 || rec.id != ""); void {
			how = counter.OutOfRange
		} else {
			t.once(rec, how, total)
		}
		t.apply(r, rec, op.Delta, how)
		rec.away, rec.unheard = true, rec.unheard || resent && how == counter.OutOfRange
		if _, fits := t.sum[rec.key].int64(); !fits {
			w.mark(markPromised)
		}
		if i >= 0 && ans.Results[i].Code == counter.Total {
			w.mustBe(op.Flags&counter.Want != 0 || op.ID != "", "R8", "%s tells a total that nobody wanted", p.n.name)
			t.total(rec.key, ans.Results[i].Total)
			rec.totals = append(rec.totals, ans.Results[i].Total)
		} else if op.Flags&counter.Want != 0 && p.n.loadFailing {
			w.mark(markNoLoad)
		}
	}
}

// total checks a total that an owner tells. Without a lease that it can trust, it may be wrong: the answer says so.
func (t *tenure) total(key int, v int64) {
	if t.p.n.trusted() {
		t.a.served(t.p, key, v)
	}
}

// served checks a total under a valid lease (R8): it is what the store has and what the owner has applied on top, and it
// contains whatever was shown to somebody before. It returns what it contains.
func (a *auditor) served(p *part, key int, v int64) []streamMark {
	w, t := a.w, p.tenure
	if !t.current() {
		return nil // it mixes two states of the store, until it finds out
	}
	row := w.store.owners[p.id]
	if w.store.timeline > 0 && row.epoch > t.epoch {
		return nil // somebody who knew a later epoch than the restored store has taken it back, and this owner has not heard yet (known limit)
	}
	w.mustBe(row.owner == p.n.id && row.epoch == t.epoch, "R8", "%s serves a total of partition %d at epoch %d, which is %s's at epoch %d",
		p.n.name, p.id, t.epoch, w.name(row.owner), row.epoch)
	t.exact(key, v)
	marks := make([]streamMark, 0, len(a.streams[p.id]))
	for origin := range a.streams[p.id] {
		has, shown := t.run(origin).mark(), a.shownTo[p.id][origin]
		// A store that went back may bring leases back with it, and with them owners who showed what only its origin, or the log of
		// one that died meanwhile, can send again: it is missing until then (known limit).
		gone := w.store.timeline > 0 && (!w.byID[origin].alive || a.streams[p.id][origin].rewound)
		w.mustBe(has >= shown || gone, "R8", "%s serves %s with %d of %s's operations in it, %d were shown before",
			p.n.name, w.keys[key], has, w.name(origin), shown)
		marks = append(marks, streamMark{origin, has})
	}
	return marks
}

// exact compares a total with the books. Between the store's setting something aside and the owner's hearing of it, both
// values are right.
func (t *tenure) exact(key int, v int64) {
	want, fits := t.sum[key].int64()
	less, lessFits := t.sum[key].minus(t.aside[key]).int64()
	if !fits || !lessFits { // on its way to quarantine: until then the counter stands at the end of its range
		t.a.w.mustBe(v == math.MaxInt64 || v == math.MinInt64 || (lessFits && v == less) || (fits && v == want), "R8",
			"%s serves %s = %d, which is beyond its range", t.p.n.name, t.a.w.keys[key], v)
		return
	}
	t.a.w.mustBe(v == want || v == less, "R8", "%s serves %s = %d, it should be %d", t.p.n.name, t.a.w.keys[key], v, want)
}

// loaded checks the counters that were just read from the store.
func (a *auditor) loaded(p *part, keys []string, s *snapshot) {
	t := p.tenure
	included := slices.ContainsFunc(t.undone, func(m counter.Move) bool { return s.ledger[p.id][m.Origin] == m.To })
	if included {
		a.w.mark(markLoadIncluded)
		if len(t.aside) > 0 {
			a.w.mark(markQuarantineLoad)
		}
	}
	for _, k := range keys {
		i := slices.Index(a.w.keys, k)
		if v, state := p.Total(a.w.hashes[i], k); state == counter.Read {
			t.total(i, v)
		}
	}
}

// excuse notes that what only that process may hold is not awaited.
func (t *tenure) excuse(origin counter.Origin) {
	a := t.a
	has := t.run(origin).mark()
	seen := a.shownTo[t.p.id]
	if seen[origin] > has {
		seen[origin] = has
	}
	a.excuses = append(a.excuses, excuse{partition: t.p.id, origin: origin, at: a.w.now, cap: has})
}

// lostWith notes that what a batch has of dead processes beyond what the store has is lost with them. A total may have shown it, though
// nobody had an answer (known limit).
func (a *auditor) lostWith(b *pendingBatch) {
	seen := a.shownTo[b.Partition]
	for _, m := range b.Moves {
		if !a.w.byID[m.Origin].alive {
			has := a.stream(b.Partition, m.Origin).persisted
			seen[m.Origin] = min(seen[m.Origin], has)
			a.excuses = append(a.excuses, excuse{partition: b.Partition, origin: m.Origin, at: a.w.now, cap: has})
		}
	}
}

// frozen checks that a batch takes everything that its owner has applied, and fixes the content of the owner's own operations.
func (a *auditor) frozen(p *part, b *counter.Batch) {
	for id, r := range p.tenure.runs {
		i := slices.IndexFunc(b.Moves, func(m counter.Move) bool { return m.Origin == id })
		if i < 0 {
			continue
		}
		a.w.mustBe(b.Moves[i].To == r.mark(), "R2", "%s flushes %d of %s, and has applied %d", p.n.name, b.Moves[i].To, a.w.name(id), r.mark())
	}
	for n := uint64(1); n <= p.tenure.run(p.n.id).mark(); n++ {
		a.stream(p.id, p.n.id).op(n).outside = true
	}
}

// ending notes that the core hears of a batch's end.
func (a *auditor) ending(p *part, epoch uint64, aside []counter.Delta) {
	t := p.tenure
	if t == nil || t.epoch != epoch {
		return
	}
	t.undone = nil
	clear(t.aside)
	for _, d := range aside {
		i := slices.Index(a.w.keys, d.Key)
		t.sum[i] = t.sum[i].minus(wide{}.plus(d.Delta))
	}
}
