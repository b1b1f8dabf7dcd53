package counter

import (
	"math"
	"strings"
)

// Section is what an origin sends to the owner of one partition: operations First, First+1, ... in number order. It may
// be sent any number of times; the owner's high-water mark makes a repeat harmless (R2).
type Section struct {
	Partition uint32
	Epoch     uint64 // the owner's epoch, as the origin knows it
	First     uint64 // number of Ops[0], and of the next operation when there are none
	Answered  uint64 // the highest number that an owner may have applied and shown: what a settling owner must have (R8)
	Ops       []Op
}

// Code is an owner's answer to a section. Numbers, never texts, travel between nodes.
type Code uint8

// Codes.
const (
	OK      Code = iota // everything up to Answer.Applied is applied
	Gap                 // the section begins too late: the owner expects Answer.Applied+1
	Moved               // not the owner at that epoch: Answer.Owner and Answer.Epoch say who is, as far as known
	Unknown             // the owner has not heard of this origin yet: ask again soon
	Loading             // a wanted total is being read from the store: ask again soon
	Busy                // too much is waiting for the store: ask again later
)

// ResultCode says how one operation ended.
type ResultCode uint8

// Result codes.
const (
	Total      ResultCode = iota // OpResult.Total is the total just after the operation
	NoTotal                      // applied; its total is not known any more
	OutOfRange                   // refused: it adds nothing
	Replayed                     // adds nothing, since one with its idempotency key counts; OpResult.Total is that one's
	IDReused                     // refused: its idempotency key was used for another operation
)

// UnknownTotal stands for the total of an operation with an idempotency key that could not be told when it was applied.
const UnknownTotal = math.MinInt64

// IDRef names an idempotency key: it counts per counter.
type IDRef struct{ Key, ID string }

// IDRow is an idempotency key that was counted: what it was used for, and the total just after it.
type IDRow struct {
	IDRef
	Fingerprint uint64
	Total       int64
}

// Wanted is what an owner must read from the store before it can go on.
type Wanted struct {
	Keys []string
	IDs  []IDRef
}

// Empty says that nothing is wanted.
func (w *Wanted) Empty() bool { return len(w.Keys)+len(w.IDs) == 0 }

// Clone copies what w refers to.
func (w Wanted) Clone() (c Wanted) {
	for _, k := range w.Keys {
		c.Keys = append(c.Keys, strings.Clone(k))
	}
	for _, r := range w.IDs {
		c.IDs = append(c.IDs, IDRef{Key: strings.Clone(r.Key), ID: strings.Clone(r.ID)})
	}
	return c
}

// Snapshot is what was read of the store at one moment: the values of Keys, the rows of IDs, and the partition's ledger rows.
// What is absent from a map is absent from the store.
type Snapshot struct {
	Wanted
	Values map[string]int64
	Rows   map[IDRef]IDRow
	Ledger map[Origin]uint64
}

// OpResult is the outcome of an operation whose total was wanted, or that was refused.
type OpResult struct {
	Number uint64
	Code   ResultCode
	Total  int64
}

// Answer is an owner's answer to a section.
type Answer struct {
	Partition uint32
	Code      Code
	Epoch     uint64 // the epoch of Owner
	Owner     Origin // who owns the partition: with OK and Gap who answers, else as far as known, or the nil UUID
	Applied   uint64 // highest number of the stream that the owner has applied
	Persisted uint64 // highest number of the stream that the store has
	Results   []OpResult
	// Doubt: the owner could not renew its lease, so somebody else may own the partition by now. The origin holds the
	// operations all the same, and they will count once.
	Doubt bool
}

// Move takes an origin's ledger row from From to To (R3). Sum is what these operations add up to, modulo 2^64.
type Move struct {
	Origin   Origin
	From, To uint64
	Sum      int64
}

// Delta is the sum to add to a key.
type Delta struct {
	Key   string
	Delta int64
}

// Refusal is what an owner refused of an operation, after those whom it concerns had been answered or had gone.
type Refusal struct {
	Number uint64
	Key    string
	Delta  int64
}

// Batch is what an owner flushes: the deltas, and the ledger moves that they stand for. It never changes.
type Batch struct {
	Partition uint32
	Epoch     uint64
	NewOwner  Origin // not nil: hand the partition over in the same statement
	Moves     []Move
	Deltas    []Delta
	IDs       []IDRow // idempotency keys counted by these operations (R9)
}

// Value is a counter's value in the store.
type Value struct {
	Key   string
	Value int64
}

// Progress tells an origin how far the store has its operations.
type Progress struct {
	Origin    Origin
	Persisted uint64
}
