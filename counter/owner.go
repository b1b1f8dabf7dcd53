package counter

// Limits of an owner.
type Limits struct {
	MaxDirty int // counters with unflushed changes; beyond it sections are refused as Busy (R10)
	MaxClean int // counters kept although the store has all of them
}

// Handle applies a section from origin in number order, each number once (R2), and returns the answer. loading names the keys
// whose totals are wanted and must be read from the store first: then nothing was applied and the code is Loading.
// With noLoad the operations are applied all the same, without totals: the store cannot be read.
func (p *Partition) Handle(origin Origin, s *Section, lim Limits, noLoad bool) (a Answer, loading []string) {
	a = Answer{Partition: p.id, Code: Moved, Epoch: p.epoch, Owner: p.owner}
	w := p.own
	if p.Phase() != Owning || s.Epoch != w.epoch {
		if p.Phase() == Releasing || s.Epoch > p.epoch || (w == nil && p.owner == p.self) {
			a.Code = Busy // between two owners: soon one of them will know
		}
		return a, nil
	}
	st := w.streams[origin]
	if st == nil {
		a.Code = Unknown
		return a, nil
	}
	a.Applied, a.Persisted = st.applied, st.persisted
	if s.First > st.applied+1 {
		a.Code = Gap
		return a, nil
	}
	fresh := s.Ops[min(uint64(len(s.Ops)), st.applied+1-s.First):]
	if len(fresh) > 0 {
		if len(w.cells.dirty) > lim.MaxDirty {
			a.Code = Busy
			return a, nil
		}
		if !noLoad {
			if loading = w.missing(fresh); loading != nil {
				a.Code = Loading
				return a, loading
			}
		}
	}
	w.advance(st, s, fresh)
	if s.Answered <= st.applied {
		delete(w.settling, origin)
	}
	a.Code, a.Applied, a.Results = OK, st.applied, st.results
	return a, nil
}

// settled returns a counter's total, known only when everything answered before is in it (R8).
func (w *owned) settled(i uint32) (v int64, known bool) {
	v, known, fits := w.cells.total(i)
	return v, known && fits && len(w.settling) == 0
}

// missing returns the keys of the operations whose total is wanted and not known.
func (w *owned) missing(ops []Op) (keys []string) {
	if len(w.settling) > 0 {
		return nil // no total can be told now anyway, and the stream must go on for the settling to end
	}
	for i := range ops {
		if ops[i].Flags&Want == 0 {
			continue
		}
		if c, ok := w.cells.find(Hash(ops[i].Key), ops[i].Key); !ok || !w.cells.cell[c].known() {
			keys = append(keys, ops[i].Key)
		}
	}
	return keys
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
		c, ok := w.apply(Hash(op.Key), op.Key, op.Delta, st.applied <= s.Answered)
		switch {
		case !ok:
			st.results = append(st.results, OpResult{Number: st.applied, Code: OutOfRange})
		case op.Flags&Want != 0:
			r := OpResult{Number: st.applied, Code: NoTotal}
			if v, known := w.settled(c); known {
				r.Code, r.Total = Total, v
			}
			st.results = append(st.results, r)
		}
	}
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
	case len(p.own.settling) > 0:
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

// Loaded takes the values of keys as read from the store, together with the partition's ledger rows, in one snapshot made
// after BeginLoad (R8). No batch may have ended since; one that is under way is in the snapshot if its ledger moves are.
// It reports whether the values were used; if not, read again.
func (p *Partition) Loaded(t LoadToken, keys []string, values map[string]int64, ledger map[Origin]uint64) bool {
	w := p.own
	if w == nil || t.epoch != w.epoch || t.flushed != w.flushed {
		return false
	}
	included := w.frozen && w.frozenIn(p.self, &p.out, ledger)
	for _, key := range keys {
		i := w.cells.place(Hash(key), key)
		if w.cells.cell[i].known() {
			continue
		}
		v := values[key]
		if r := w.cells.cell[i].record(); r != 0 && included {
			v -= w.cells.dirty[r-1].sent
		}
		w.cells.cell[i].setBase(v)
	}
	return true
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
