package counter

// Limits of an owner.
type Limits struct {
	MaxDirty int // counters with unflushed changes; beyond it sections are refused as Busy (R10)
	MaxClean int // counters kept although the store has all of them, besides those with unflushed changes
	MaxIDs   int // idempotency keys remembered although the store has them, besides those that it lacks
}

// first returns how many of the operations are taken at a time when something must be read for them: what is wanted for these must be in memory
// all at once, or what is read last pushes out what was read first, for ever (R12). A quarter, so that a few origins do not push out each other's.
func (l Limits) first(ops []Op) int {
	totals, ids := max(1, l.MaxClean/4), max(1, l.MaxIDs/4)
	for i := range ops {
		if ops[i].ID != "" {
			ids--
		}
		if ops[i].ID != "" || ops[i].Flags&Want != 0 {
			totals--
		}
		if min(totals, ids) < 0 {
			return i
		}
	}
	return len(ops)
}

// Handle applies a section from origin in number order, each number once (R2), and returns the answer: when the store must be read for
// more than the limits let it remember, it applies the section's first part, and Answer.Applied says so. loading names the keys
// whose totals are wanted, and the idempotency keys, that must be read from the store first: then nothing was applied and the
// code is Loading. With noLoad, for a store that cannot be read, operations are applied without totals; not so
// those with an unknown idempotency key.
func (p *Partition) Handle(origin Origin, s *Section, lim Limits, noLoad bool) (a Answer, loading Wanted) {
	a = Answer{Partition: p.id, Code: Moved, Epoch: p.epoch, Owner: p.owner}
	w := p.own
	if p.Phase() != Owning || s.Epoch != w.epoch {
		if p.Phase() == Releasing || s.Epoch > p.epoch || (w == nil && p.owner == p.self) {
			a.Code = Busy // between two owners: soon one of them will know
		}
		return a, loading
	}
	st := w.streams[origin]
	if st == nil {
		a.Code = Unknown
		return a, loading
	}
	a.Applied, a.Persisted = st.applied, st.persisted
	if s.First > st.applied+1 {
		a.Code = Gap
		return a, loading
	}
	fresh := s.Ops[min(uint64(len(s.Ops)), st.applied+1-s.First):]
	if len(fresh) > 0 {
		if len(w.cells.dirty) > lim.MaxDirty {
			a.Code = Busy
			return a, loading
		}
		if loading = w.missing(fresh, noLoad); !loading.Empty() {
			fresh = fresh[:lim.first(fresh)]
			loading = w.missing(fresh, noLoad)
		}
		if !loading.Empty() {
			a.Code = Loading
			return a, loading
		}
	}
	w.advance(st, s, fresh)
	if s.Answered <= st.applied {
		delete(w.settling, origin)
	}
	a.Code, a.Applied, a.Results = OK, st.applied, st.results
	return a, loading
}

// settled returns a counter's total, known only when everything answered before is in it (R8).
func (w *owned) settled(i uint32) (v int64, known bool) {
	v, known, fits := w.cells.total(i)
	return v, known && fits && w.complete()
}

// complete says that everything which an earlier owner may have shown is applied (R8).
func (w *owned) complete() bool { return len(w.settling) == 0 && !w.behind }

// missing returns what must be read before the operations can be applied: totals that are wanted and not known, unless they
// cannot be told now anyway, and unknown idempotency keys.
func (w *owned) missing(ops []Op, noTotals bool) (want Wanted) {
	noTotals = noTotals || !w.complete() // the stream must go on for the settling to end
	for i := range ops {
		op := &ops[i]
		unknown := op.ID != "" && w.ids.find(op.ref()) == nil
		if unknown {
			want.IDs = append(want.IDs, op.ref())
		}
		if noTotals && !unknown || op.Flags&Want == 0 && op.ID == "" {
			continue
		}
		if c, ok := w.cells.find(Hash(op.Key), op.Key); !ok || !w.cells.cell[c].known() {
			want.Keys = append(want.Keys, op.Key)
		}
	}
	return want
}

// advance applies the operations that the stream has not seen. Results of earlier ones are kept until the origin
// stops sending them: it may have lost the answer.
func (w *owned) advance(st *stream, s *Section, fresh []Op) {
	for len(st.results) > 0 && st.results[0].Number < s.First {
		st.results = st.results[1:]
	}
	for i := range fresh {
		op := &fresh[i]
		st.applied++ // R2: in order, without gaps
		r, known := w.applyOp(op, st.applied, st.applied <= s.Answered, &st.sum)
		must(known, "an idempotency key is applied before it is known")
		if op.Flags&Want != 0 || op.ID != "" || r.Code == OutOfRange {
			st.results = append(st.results, r)
		}
	}
}

// applyOp applies an operation of a stream; known is false when the store must be asked about its idempotency key first, and then
// nothing has changed.
func (w *owned) applyOp(op *Op, number uint64, promised bool, sum *sums) (r OpResult, known bool) {
	hash := Hash(op.Key)
	if op.ID != "" {
		if r, known = w.applyID(hash, op, promised); !known {
			return r, false
		}
	} else {
		r = w.applyDelta(hash, op, promised)
	}
	if r.Code == Total || r.Code == NoTotal {
		sum.pend += op.Delta
	}
	r.Number = number
	return r, true
}

func (w *owned) applyDelta(hash uint64, op *Op, promised bool) OpResult {
	c, ok := w.apply(hash, op.Key, op.Delta, promised)
	if !ok {
		return OpResult{Code: OutOfRange}
	}
	if v, known := w.settled(c); known {
		return OpResult{Code: Total, Total: v}
	}
	return OpResult{Code: NoTotal}
}

// applyID applies an operation with an idempotency key: once (R9).
func (w *owned) applyID(hash uint64, op *Op, promised bool) (r OpResult, known bool) {
	e := w.ids.find(op.ref())
	switch {
	case e == nil:
		return r, false
	case e.counted && e.row.Fingerprint != op.fingerprint():
		return OpResult{Code: IDReused}, true
	case e.counted:
		return OpResult{Code: Replayed, Total: e.row.Total}, true
	}
	if r = w.applyDelta(hash, op, promised); r.Code == OutOfRange {
		return r, true
	}
	total := int64(UnknownTotal)
	if r.Code == Total {
		total = r.Total
	}
	w.ids.count(e, op.fingerprint(), total)
	return r, true
}

// AddOrigin tells an owner of a process that has registered since it acquired the partition.
func (p *Partition) AddOrigin(o Origin) {
	if p.own != nil && o != p.self && p.own.streams[o] == nil {
		p.own.streams[o] = &stream{}
	}
}

// RemoveOrigin tells an owner that a process is closed: its stream goes, unless something of it is still to be flushed.
func (p *Partition) RemoveOrigin(o Origin) {
	if p.own == nil {
		return
	}
	delete(p.own.settling, o)
	if s := p.own.streams[o]; s != nil && s.applied == s.persisted && s.frozen == s.persisted {
		delete(p.own.streams, o)
	}
}

// StopAwaiting gives up on what o may hold: its lease ran out, so it is gone or will resend what it holds as a stranger.
func (p *Partition) StopAwaiting(o Origin) {
	if p.own != nil {
		delete(p.own.settling, o)
	}
}

// Settling returns the origins that this owner still waits for.
func (p *Partition) Settling() []Origin {
	if p.own == nil {
		return nil
	}
	var out []Origin
	for o := range p.own.settling {
		out = append(out, o)
	}
	return out
}

// Origins returns the origins that this owner knows, besides this node.
func (p *Partition) Origins() []Origin {
	if p.own == nil {
		return nil
	}
	out := make([]Origin, 0, len(p.own.streams))
	for o := range p.own.streams {
		out = append(out, o)
	}
	return out
}

// ReadState says whether a total could be read.
type ReadState uint8

// Read states.
const (
	Read        ReadState = iota
	ReadMoved             // another node owns the partition, or is about to
	ReadSettle            // answered operations are still awaited (R8)
	ReadMissing           // the value in the store must be read first: see Epoch, Flushed and Loaded
)

// Total returns the total of a key at its owner.
func (p *Partition) Total(hash uint64, key string) (int64, ReadState) {
	switch {
	case p.Phase() != Owning:
		return 0, ReadMoved
	case !p.own.complete():
		return 0, ReadSettle
	}
	i, ok := p.own.cells.find(hash, key)
	if !ok {
		return 0, ReadMissing
	}
	v, known, _ := p.own.cells.total(i)
	if !known {
		return 0, ReadMissing
	}
	return v, Read
}

// LoadToken marks the moment before a read of the store. See Loaded.
type LoadToken struct{ epoch, flushed uint64 }

// BeginLoad returns the token that Loaded needs, false when this node is not the owner.
func (p *Partition) BeginLoad() (LoadToken, bool) {
	if p.own == nil {
		return LoadToken{}, false
	}
	return LoadToken{epoch: p.own.epoch, flushed: p.own.flushed}, true
}

// Loaded takes what was read from the store in one snapshot made after BeginLoad (R8). No batch may have ended since; one that is
// under way is in the snapshot if its ledger moves are. A snapshot of an older state, which lacks what this owner knows to be in the
// store, is not used, nor is one that has more than this owner wrote. It reports whether the snapshot was used; if not, read again.
func (p *Partition) Loaded(t LoadToken, s *Snapshot) bool {
	w := p.own
	if !p.holds(t) || p.older(s.Ledger) {
		return false
	}
	included := w.frozen && w.frozenIn(p.self, &p.out, s.Ledger)
	if !p.explains(s.Ledger, included) {
		return false
	}
	for _, key := range s.Keys {
		i := w.cells.place(Hash(key), key)
		if w.cells.cell[i].known() {
			continue
		}
		v := s.Values[key]
		if r := w.cells.cell[i].record(); r != 0 && included {
			v -= w.cells.dirty[r-1].sent
		}
		w.cells.cell[i].setBase(v)
	}
	for _, ref := range s.IDs {
		row, counted := s.Rows[ref]
		w.ids.learn(ref, row, counted)
	}
	if !w.leaving {
		p.catchUp()
	}
	return true
}

// holds says that nothing has changed since BeginLoad which would make a snapshot made meanwhile an old one.
func (p *Partition) holds(t LoadToken) bool {
	return p.own != nil && t.epoch == p.own.epoch && t.flushed == p.own.flushed
}

// Older says that ledger rows, read from the store after BeginLoad, cannot be of the state that this owner knows: the store came back from an older one.
// A repeated flush may make the ledger whole again, and then nothing would tell that the values read with it were too low. It is also
// true, until RemoveOrigin, of rows that are gone since their process was closed; and, until LeaveRows, of rows that stand though it was. Of a
// snapshot that a flush overtook nothing can be said.
func (p *Partition) Older(t LoadToken, ledger map[Origin]uint64) bool {
	return p.holds(t) && p.older(ledger)
}

func (p *Partition) older(ledger map[Origin]uint64) bool {
	if ledger[p.self] < p.out.persisted {
		return true
	}
	for id, s := range p.own.streams {
		if ledger[id] < s.persisted {
			return true
		}
	}
	for id := range ledger {
		if _, left := p.own.leftover[id]; !left && id != p.self && p.own.streams[id] == nil {
			return true // of a process that was closed, and is not any more
		}
	}
	return false
}

// Newer says that ledger rows, read from the store, have operations that this owner did not flush: somebody else did, at a later epoch or, when
// the store came back from an older state and gave this one away a second time, at this very one. What this owner adds to the
// values that it reads would be in them already.
func (p *Partition) Newer(ledger map[Origin]uint64) bool {
	if p.own == nil {
		return false
	}
	if ledger[p.self] > max(p.out.persisted, p.own.selfFrozen) {
		return true
	}
	for id, s := range p.own.streams {
		if ledger[id] > max(s.persisted, s.frozen) {
			return true
		}
	}
	return false
}

// explains says that the rows are what this owner's flushes have made of the ledger, with the batch under way included or not, and nobody else's.
func (p *Partition) explains(ledger map[Origin]uint64, included bool) bool {
	w := p.own
	want := func(persisted, frozen uint64) uint64 {
		if included {
			return max(persisted, frozen)
		}
		return persisted
	}
	if ledger[p.self] != want(p.out.persisted, w.selfFrozen) {
		return false
	}
	for id, s := range w.streams {
		if ledger[id] != want(s.persisted, s.frozen) {
			return false
		}
	}
	return true
}

// LeaveRows tells an owner of a process that the store has ledger rows of and that is closed in the same snapshot: a process that goes takes its rows
// along, so that somebody closed it by hand. Such rows are no sign of an older state.
func (p *Partition) LeaveRows(o Origin) {
	if p.own != nil {
		p.own.leave(o, p.self)
	}
}

func (w *owned) leave(o, self Origin) {
	if o != self && w.streams[o] == nil {
		w.leftover[o] = struct{}{}
	}
}

// frozenIn says whether the ledger rows contain the batch under way. All its moves stand together (R3), so one tells.
func (w *owned) frozenIn(self Origin, out *outbox, ledger map[Origin]uint64) bool {
	if w.selfFrozen > out.persisted {
		return ledger[self] >= w.selfFrozen
	}
	for id, s := range w.streams {
		if s.frozen > s.persisted {
			return ledger[id] >= s.frozen
		}
	}
	return false
}

// Marks returns how far the store has each origin's operations, as this owner knows it; nil when this node is not the owner.
func (p *Partition) Marks() map[Origin]uint64 {
	if p.Phase() != Owning {
		return nil
	}
	m := make(map[Origin]uint64, 1+len(p.own.streams))
	if p.out.persisted > 0 {
		m[p.self] = p.out.persisted
	}
	for o, s := range p.own.streams {
		if s.persisted > 0 {
			m[o] = s.persisted
		}
	}
	return m
}
