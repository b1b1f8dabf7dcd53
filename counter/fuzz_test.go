package counter

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// FuzzStoreAnswers lets the fuzzer choose what an owner hears of the store: ledgers at any number, reads of any moment or of none, values,
// deltas set aside, ends of batches of other epochs. Whatever it hears, a batch must have exactly the operations that its moves stand for;
// and where the store is honest, nothing is doubled or lost, and totals are right.
func FuzzStoreAnswers(f *testing.F) {
	for _, seed := range []string{
		"",
		"\x01\x01\x00\x02\x00\x96\x01\x78\x00\x02\x04\x00\x03\x01\x01\x05\x01\x00\x02\x00\x65\x00\x5a\x01\x02\x04\x00\x03", // lost and acquired between two flushes
		"\x01\x00\x00\x69\x02\x04\x03\x06\x07\x01\x03\x00",                                                                 // read while what was set aside is under way
		"\x01\x00\x00\x69\x02\x06\x07\x01\x04\x00\x03\x00",                                                                 // read before the batch under way
		"\x03\x00\x00\x69\x02\x04\x00\x06\x07\x01\x03\x00",                                                                 // read after it
		"\x01\x00\x00\x69\x02\x06\x04\x00\x03\x00\x07\x00",                                                                 // read across it
		"\x02\x00\x00\x69\x00\x01\x70\x02\x04\x00\x03\x00\x00\x08\x01\x00\x00\x02\x04\x00\x03\x00",                         // an older state, of which all is kept
		"\x00\x00\x00\x69\x02\x04\x00\x03\x00\x08\x00\x00\x00",                                                             // of which nothing is kept
		"\x00\x01\x01\x02\x00\x70\x01\x70\x00\x08\x00\x00\x03\x0a\x00\x02\x09\x05\x01\x00\x00",                             // rows of more than there is
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		w := newAnswered(t, data[:min(len(data), 400)])
		defer w.recoverDocumented()
		for !w.over && len(w.script) > 0 {
			w.step()
		}
		if w.honest && !w.over {
			w.drain()
		}
	})
}

// answered is an owner, the origins that send to it, and a store.
type answered struct {
	t      *testing.T
	script []byte
	honest bool
	over   bool // the partition said that it cannot go on
	p      *Partition
	epoch  uint64

	ops     map[Origin][]Op // by origin: all operations ever, number 1 first
	batch   *Batch          // under way
	stored  bool            // and the store has it
	refused []Delta         // what the store has set aside of it
	ledger  map[Origin]uint64
	values  map[string]int64
	aside   map[string]int64
	reading *reading
}

// reading is a read of the store that is under way.
type reading struct {
	token LoadToken
	read  Snapshot
}

func newAnswered(t *testing.T, script []byte) *answered {
	w := &answered{t: t, script: script, ops: map[Origin][]Op{}, ledger: map[Origin]uint64{}, values: map[string]int64{}, aside: map[string]int64{}}
	shape := w.next(4)
	w.honest = shape&1 != 0
	w.p = New(7, me).With(Holders{Keep: shape&2 != 0})
	w.acquire()
	return w
}

// next returns a number below n; 0 when the input has ended.
func (w *answered) next(n int) int {
	if len(w.script) == 0 {
		return 0
	}
	b := w.script[0]
	w.script = w.script[1:]
	return int(b) % n
}

// recoverDocumented lets the one panic pass that a lying store brings about: rows that this origin never numbered.
func (w *answered) recoverDocumented() {
	if r := recover(); r != nil && (w.honest || !strings.Contains(fmt.Sprint(r), "never numbered")) {
		panic(r)
	}
}

func (w *answered) step() {
	steps := 11
	if w.honest {
		steps = 8
	}
	switch w.next(steps) {
	case 0:
		w.add()
	case 1:
		w.receive([]Origin{other, third}[w.next(2)])
	case 2:
		w.freeze()
	case 3:
		w.end()
	case 4:
		w.store()
	case 5: // the partition is lost, and comes back
		w.lose(w.ledger)
	case 6:
		w.beginRead()
	case 7:
		w.endRead()
	case 8: // the store has anything
		w.lose(w.anyLedger())
	case 9: // so has a read
		if token, ok := w.p.BeginLoad(); ok {
			far := map[string]int64{"a": int64(w.next(256)) << 50, "b": -1 << 60}
			w.p.Loaded(token, &Snapshot{Wanted: Wanted{Keys: []string{"a", "b", "c"}}, Values: far, Ledger: w.anyLedger()})
		}
	case 10: // and a batch of another epoch ends
		if progress, handed := w.p.Done(w.epoch+1-2*uint64(w.next(2)), []Value{{"a", 1 << 60}}, []Delta{{"b", 1}}); progress != nil || handed {
			w.t.Fatal("the end of another epoch's batch was believed")
		}
	}
}

func (w *answered) key() string { return string(rune('a' + w.next(3))) }

// add accepts an increment at the owner, and notes what the operation of its number has become.
func (w *answered) add() {
	key, delta := w.key(), int64(w.next(256))-100
	a, err := w.p.Add(Hash(key), key, delta)
	if err != nil {
		w.t.Fatal(err)
	}
	mine := w.ops[me]
	if a.Fresh {
		mine = append(mine, Op{Key: key})
	}
	if a.Number == 0 || a.Number > uint64(len(mine)) || mine[a.Number-1].Key != key {
		w.t.Fatalf("operation %d, of %d", a.Number, len(mine))
	}
	mine[a.Number-1].Delta += delta
	w.ops[me] = mine
}

// receive takes a section of an origin: from what the owner has applied, and some more.
func (w *answered) receive(o Origin) {
	for range w.next(3) {
		w.ops[o] = append(w.ops[o], Op{Key: w.key(), Delta: int64(w.next(256)) - 100})
	}
	from := min(w.applied(o), uint64(len(w.ops[o])))
	from -= min(from, uint64(w.next(3))) // a part is sent again
	s := Section{Epoch: w.epoch, First: from + 1, Ops: w.ops[o][from:]}
	if a, _ := w.p.Handle(o, &s, free, true); a.Code == OK && a.Applied > uint64(len(w.ops[o])) {
		w.over = true // a lying store knows more of this origin than there is
	}
}

// lose gives the partition up and acquires it again, from a store with this ledger.
func (w *answered) lose(ledger map[Origin]uint64) {
	w.p.Drop()
	w.batch, w.stored, w.ledger = nil, false, ledger
	w.acquire()
}

func (w *answered) acquire() {
	w.epoch++
	if !w.p.Acquire(w.epoch, maps.Clone(w.ledger), []Origin{me, other, third}, nil) {
		w.over = true // what the store lost is not kept: the node stops
		if w.honest {
			w.t.Fatal("diverged from an honest store")
		}
	}
}

// anyLedger has rows at any number, a few beyond what there is.
func (w *answered) anyLedger() map[Origin]uint64 {
	ledger := map[Origin]uint64{}
	for _, o := range []Origin{me, other, third} {
		if n := w.next(len(w.ops[o]) + 3); n > 0 {
			ledger[o] = uint64(n)
		}
	}
	return ledger
}

// freeze takes the next batch and adds up the operations that its moves stand for.
func (w *answered) freeze() {
	b, ok := w.p.Freeze()
	if !ok {
		return
	}
	if w.batch != nil {
		w.t.Fatal("a second batch is under way")
	}
	want, got := map[string]int64{}, map[string]int64{}
	for _, m := range b.Moves {
		ops := w.ops[m.Origin]
		if m.From != w.ledger[m.Origin] || m.To <= m.From || m.To > uint64(len(ops)) {
			w.t.Fatalf("%+v, of %d operations, where the ledger stands at %d", m, len(ops), w.ledger[m.Origin])
		}
		sum := int64(0)
		for _, op := range ops[m.From:m.To] {
			want[op.Key] += op.Delta
			sum += op.Delta
		}
		if sum != m.Sum {
			w.t.Fatalf("%+v stands for %d", m, sum)
		}
	}
	for _, d := range b.Deltas {
		got[d.Key] += d.Delta
	}
	if !maps.Equal(want, got) || len(got) != len(b.Deltas) {
		w.t.Fatalf("deltas %v, of operations that add up to %v", b.Deltas, want)
	}
	w.batch, w.stored, w.refused = &b, false, nil
}

// store commits the batch, of which one delta may be set aside. Nobody has heard of it yet.
func (w *answered) store() {
	if w.batch == nil || w.stored {
		return
	}
	w.stored = true
	for _, m := range w.batch.Moves {
		w.ledger[m.Origin] = m.To
	}
	for i, d := range w.batch.Deltas {
		if i == 0 && w.next(4) == 3 {
			w.refused = []Delta{d}
			w.aside[d.Key] += d.Delta
			continue
		}
		w.values[d.Key] += d.Delta
	}
}

// end tells the owner that the store has the batch: with its values, or, after a lost reply, without.
func (w *answered) end() {
	if !w.stored {
		return
	}
	var values []Value
	for _, d := range w.batch.Deltas {
		if w.next(2) == 1 && !slices.Contains(w.refused, d) {
			values = append(values, Value{Key: d.Key, Value: w.values[d.Key]})
		}
	}
	if !w.honest && len(values) > 0 {
		values[0].Value = int64(w.next(256)) << 50
	}
	w.p.Done(w.epoch, values, w.refused)
	w.batch, w.stored = nil, false
	w.totals()
}

func (w *answered) beginRead() {
	if token, ok := w.p.BeginLoad(); ok {
		w.reading = &reading{token, w.snapshot()}
	}
}

// endRead hands in what was read when the read began, or just now.
func (w *answered) endRead() {
	if w.reading == nil {
		return
	}
	s := w.reading.read
	if w.next(2) == 1 {
		s = w.snapshot()
	}
	w.p.Loaded(w.reading.token, &s)
	w.reading = nil
	w.totals()
}

func (w *answered) snapshot() Snapshot {
	return Snapshot{Wanted: Wanted{Keys: []string{"a", "b", "c"}}, Values: maps.Clone(w.values), Ledger: maps.Clone(w.ledger)}
}

// totals compares what the owner tells with all that it has applied, less what was set aside.
func (w *answered) totals() {
	if !w.honest || w.batch != nil { // until its end is heard, the total has what was set aside of a batch
		return
	}
	want := map[string]int64{}
	for o := range w.ops {
		for _, op := range w.ops[o][:w.applied(o)] {
			want[op.Key] += op.Delta
		}
	}
	for _, key := range []string{"a", "b", "c"} {
		if v, state := w.p.Total(Hash(key), key); state == Read && v != want[key]-w.aside[key] {
			w.t.Fatalf("%s stands at %d, told %d", key, want[key]-w.aside[key], v)
		}
	}
}

// applied asks the owner how far it has an origin's operations.
func (w *answered) applied(o Origin) uint64 {
	if o == me {
		return uint64(len(w.ops[me]))
	}
	a, _ := w.p.Handle(o, &Section{Epoch: w.epoch, First: 1}, free, true)
	return a.Applied
}

// drain brings everything to an honest store, and compares.
func (w *answered) drain() {
	for _, o := range []Origin{other, third} {
		at := w.applied(o)
		w.p.Handle(o, &Section{Epoch: w.epoch, First: at + 1, Ops: w.ops[o][at:]}, free, true)
	}
	for range 2 { // what is under way, and the rest
		w.store()
		w.end()
		w.freeze()
	}
	w.store()
	w.end()
	want, got := map[string]int64{}, map[string]int64{}
	for o, ops := range w.ops {
		if w.ledger[o] != uint64(len(ops)) {
			w.t.Fatalf("the ledger stands at %d of %d", w.ledger[o], len(ops))
		}
		for _, op := range ops {
			want[op.Key] += op.Delta
		}
	}
	for _, part := range []map[string]int64{w.values, w.aside} {
		for key, v := range part {
			got[key] += v
		}
	}
	if !maps.Equal(want, got) {
		w.t.Fatalf("the store has %v of %v", got, want)
	}
}
