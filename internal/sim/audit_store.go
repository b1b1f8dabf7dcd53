package sim

import (
	"slices"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// flushed checks a statement that the store has just applied. before are the owners as they stood until then.
func (a *auditor) flushed(n *node, batches []*pendingBatch, before []ownership) {
	for _, b := range batches {
		row := before[b.Partition]
		a.w.mustBe(row.owner == n.id && row.epoch == b.Epoch, "R5", "%s flushed partition %d at epoch %d, which was %s's at epoch %d",
			n.name, b.Partition, b.Epoch, a.w.name(row.owner), row.epoch)
		t := a.tenures[tenureKey{n.id, b.Partition, b.Epoch}]
		a.w.mustBe(t != nil, "R5", "%s flushed partition %d at epoch %d, and was never its owner", n.name, b.Partition, b.Epoch)
		t.flushed(b)
	}
}

// flushed checks that the batch adds exactly the operations that its ledger moves stand for (R3), and that the counters are
// their sums (R4).
func (t *tenure) flushed(b *pendingBatch) {
	a, w := t.a, t.a.w
	due := make([]wide, len(a.sum))
	ids := 0
	for _, m := range b.Moves {
		s, r := a.stream(b.Partition, m.Origin), t.run(m.Origin)
		w.mustBe(m.From == s.persisted && m.From >= r.base && m.To <= r.mark() && m.To > m.From, "R3",
			"the ledger of %s moves from %d to %d; the store has %d, the owner %d to %d",
			w.name(m.Origin), m.From, m.To, s.persisted, r.base, r.mark())
		for n := m.From + 1; n <= m.To; n++ {
			rec, i := s.op(n), n-r.base-1
			due[rec.key] = due[rec.key].plus(r.values[i])
			rec.counts = r.counts[i]
			if n > s.once {
				rec.storedAt = w.now
			}
			if rec.counts && rec.id != "" {
				ids++
				a.stored(b, rec)
			}
		}
		s.persisted = m.To
		s.once = max(s.once, m.To)
	}
	w.mustBe(ids == len(b.IDs), "R9", "a batch has %d idempotency keys, its operations %d", len(b.IDs), ids)
	for _, d := range b.Deltas {
		key := slices.Index(w.keys, d.Key)
		got := due[key]
		w.mustBe(got == wide{}.plus(d.Delta), "R3", "a batch adds %d to %s, its operations %v", d.Delta, d.Key, got)
		due[key] = wide{}
		if slices.Contains(b.aside, d.Key) {
			w.mark(markQuarantine)
			a.aside[key] = a.aside[key].plus(d.Delta)
			t.aside[key] = wide{}.plus(d.Delta)
			continue
		}
		a.sum[key] = a.sum[key].plus(d.Delta)
		v, fits := a.sum[key].int64()
		w.mustBe(fits && w.store.counters[d.Key] == v, "R4", "%s is %d in the store, its operations add up to %d", d.Key, w.store.counters[d.Key], v)
	}
	for key, rest := range due {
		w.mustBe(rest == wide{}, "R3", "a batch leaves out %v of %s", rest, w.keys[key])
	}
	t.undone = b.Moves
	if b.NewOwner != (counter.Origin{}) {
		t.handed()
		a.handed[b.Partition] = b.Epoch + 1
	}
}

// handed checks that a hand-over leaves nothing behind.
func (t *tenure) handed() {
	for origin, r := range t.runs {
		s := t.a.stream(t.p.id, origin)
		t.a.w.mustBe(r.mark() <= s.once, "R6", "%s hands partition %d over with %d of %s applied, the store has %d",
			t.p.n.name, t.p.id, r.mark(), t.a.w.name(origin), s.persisted)
	}
}

// compare is the last check, with everything at rest (R12): the store, the owners' memories and what the clients were told.
func (a *auditor) compare() {
	w := a.w
	for i, k := range w.keys {
		v, fits := a.sum[i].int64()
		w.mustBe(fits && w.store.counters[k] == v, "R12", "%s is %d in the store, it should be %d", k, w.store.counters[k], v)
	}
	for _, n := range w.slots {
		for _, p := range partsOf(n) {
			if p.Phase() == counter.Owning {
				a.compareMemory(p)
			}
		}
	}
	for partition, streams := range a.streams {
		for origin, s := range streams {
			a.compareStream(uint32(partition), origin, s)
		}
	}
}

func partsOf(n *node) []*part {
	if n == nil {
		return nil
	}
	return n.parts
}

// compareMemory reads every counter at its owner.
func (a *auditor) compareMemory(p *part) {
	w := a.w
	for origin, s := range a.streams[p.id] {
		if s.persisted < s.once && !w.byID[origin].alive {
			return // known limit: it closed before anybody noticed that the store had lost something of it
		}
		w.mustBe(p.tenure.run(origin).mark() == s.persisted, "R12", "%s has %d of %s, the store %d",
			p.n.name, p.tenure.run(origin).mark(), w.name(origin), s.persisted)
	}
	for _, origin := range p.Origins() { // as its next round will: until then the rows of who has just closed may be missed
		if row := w.store.byID[origin]; row == nil || row.closed {
			p.RemoveOrigin(origin)
		}
	}
	for i, k := range w.keys {
		if w.partitionOf(i) != p.id {
			continue
		}
		v, state := p.Total(w.hashes[i], k)
		if state == counter.ReadMissing {
			t, _ := p.BeginLoad()
			s := w.store.read([]string{k}, nil, []uint32{p.id})
			w.mustBe(p.Loaded(t, &counter.Snapshot{Wanted: counter.Wanted{Keys: []string{k}}, Values: s.values, Ledger: s.ledger[p.id]}), "R12", "%s cannot read %s at rest", p.n.name, k)
			v, state = p.Total(w.hashes[i], k)
		}
		w.mustBe(state == counter.Read && v == w.store.counters[k], "R12", "%s reads %s = %d (%d), the store has %d",
			p.n.name, k, v, state, w.store.counters[k])
	}
}

// compareStream checks what clients were told of each operation against what became of it.
func (a *auditor) compareStream(partition uint32, origin counter.Origin, s *stream) {
	w := a.w
	n := w.byID[origin]
	w.mustBe(s.persisted == s.last() || !n.alive, "R12", "%s accepted %d operations of partition %d, the store has %d",
		n.name, s.last(), partition, s.persisted)
	a.resentAll(origin, partition, s)
	w.mustBe(s.persisted >= s.logged || s.logLost(), "R6", "%s had %d operations of partition %d in its log, the store has %d",
		n.name, s.logged, partition, s.persisted)
	if s.lost {
		a.survives(partition, origin, s)
	}
	w.marks[markLostByCrash] += int(s.last() - s.persisted)
	for number, r := range s.ops {
		if uint64(number) >= s.persisted {
			continue // lost with the only processes that held it
		}
		told := r.counted()
		for _, sh := range r.shares {
			w.mustBe(sh.fate != fateOpen, "R12", "%s: nobody answered operation %d", n.name, number+1)
			if sh.fate == fateRefused && r.counts && r.handed {
				w.mark(markRefusedReplayed) // known limit: neither the log nor a holder of copies knows that it was refused
				continue
			}
			w.mustBe(sh.fate != fateRefused || !r.counts, "R12", "%s: operation %d was refused, and counts", n.name, number+1)
		}
		switch {
		case r.counts || told == 0:
		case r.id != "" && a.countedOnce(r):
		case r.resolved:
			w.mustBe(told == r.setAside || !n.alive, "R12", "%s: operation %d is refused, callers were told that %d counts, %d is set aside",
				n.name, number+1, told, r.setAside)
		default:
			// Known limit: the refusal never reached its origin, and then the owner changed, or the origin crashed, or who resent it was told.
			w.mark(markOutOfRangeUnheard)
			w.mustBe(w.store.owners[partition].epoch > r.refused || !n.alive || r.unheard, "R7", "%s: operation %d counts for its caller, its owner refused it",
				n.name, number+1)
		}
	}
}
