package counter

import "strings"

// ids are the idempotency keys of one partition that its owner knows about: counted, or known to be absent from the store (R9).
// An operation with an ID is applied only when its ID is here. What the store has, or lacks, may be forgotten and read again;
// what was counted and is not in the store yet stays.
type ids struct {
	known map[IDRef]*idEntry
	order []*idEntry // oldest first, for what is forgotten
	fresh []*idEntry // counted since the last freeze
	sent  []*idEntry // in the batch under way
}

type idEntry struct {
	row     IDRow
	counted bool
	pinned  bool // counted, and not in the store yet
	used    bool // looked at since the last turn of the order
}

func (s *ids) find(ref IDRef) *idEntry {
	e := s.known[ref]
	if e != nil {
		e.used = true
	}
	return e
}

// learn takes what the store says of an ID, unless more is known here.
func (s *ids) learn(ref IDRef, row IDRow, counted bool) {
	if s.known[ref] != nil {
		return
	}
	if s.known == nil {
		s.known = make(map[IDRef]*idEntry)
	}
	ref = IDRef{Key: strings.Clone(ref.Key), ID: strings.Clone(ref.ID)}
	e := &idEntry{row: IDRow{IDRef: ref, Fingerprint: row.Fingerprint, Total: row.Total}, counted: counted, used: true}
	s.known[ref] = e
	s.order = append(s.order, e)
}

// count notes that the operation with this ID counts.
func (s *ids) count(e *idEntry, fingerprint uint64, total int64) {
	e.counted, e.pinned = true, true
	e.row.Fingerprint, e.row.Total = fingerprint, total
	s.fresh = append(s.fresh, e)
}

// freeze returns what the next batch has to store.
func (s *ids) freeze() (rows []IDRow) {
	for _, e := range s.fresh {
		rows = append(rows, e.row)
	}
	s.sent, s.fresh = s.fresh, nil
	return rows
}

func (s *ids) committed() {
	for _, e := range s.sent {
		e.pinned = false
	}
	s.sent = nil
}

// evict forgets, the oldest first that nobody looked at, until about limit are left of what the store has or lacks for sure: a clock
// (Corbato 1968). What is pinned comes on top: else, with many of them, what was just read would go before it is used.
func (s *ids) evict(limit int) {
	limit += len(s.fresh) + len(s.sent)
	for turns := 2 * len(s.order); len(s.known) > limit && turns > 0; turns-- {
		e := s.order[0]
		s.order = s.order[1:]
		if e.pinned || e.used {
			e.used = false
			s.order = append(s.order, e)
			continue
		}
		delete(s.known, e.row.IDRef)
	}
}

// fingerprint tells an operation from another with the same ID: adds differ by their delta.
func (op *Op) fingerprint() uint64 { return uint64(op.Delta) }

func (op *Op) ref() IDRef { return IDRef{Key: op.Key, ID: op.ID} }

// IDState says what an owner knows of an idempotency key.
type IDState uint8

// ID states.
const (
	IDMoved   IDState = iota // another node owns the partition, or is about to
	IDMissing                // the store must be asked: see Wanted and Loaded
	IDAbsent                 // not counted
	IDCounted                // counted, and on its way to the store
	IDStored                 // counted, and in the store
)

// LookupID returns what is known of an idempotency key at the partition's owner: with IDCounted and IDStored, its row.
func (p *Partition) LookupID(ref IDRef) (IDRow, IDState) {
	if p.Phase() != Owning {
		return IDRow{}, IDMoved
	}
	switch e := p.own.ids.find(ref); {
	case e == nil:
		return IDRow{}, IDMissing
	case !e.counted:
		return IDRow{}, IDAbsent
	case e.pinned:
		return e.row, IDCounted
	default:
		return e.row, IDStored
	}
}

// Fingerprint is what tells an increment by delta from another one with the same idempotency key.
func Fingerprint(delta int64) uint64 { return (&Op{Delta: delta}).fingerprint() }
