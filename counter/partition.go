package counter

import (
	"errors"
	"strings"
)

// Phase of a partition at one node. See the package comment.
type Phase uint8

// Phases.
const (
	Following Phase = iota
	Owning
	Releasing
)

// Partition is one partition as one node sees it: its outbox as an origin, where its operations go, and, while the node
// owns it, the owner's state. It is not safe for concurrent use: the caller holds the lock that guards it.
type Partition struct {
	id   uint32
	self Origin
	out  outbox
	own  *owned // nil while Following

	// The owner as this node knows it; epochs only grow.
	owner Origin
	epoch uint64

	dropped uint64 // the last epoch at which this node gave up the owner's state: it is not taken up again

	sending bool // a section is under way to the owner of this epoch
	hello   bool // the owner of this epoch has not heard of this origin yet
	past    bool // of a past process, of which the store may have more than is here
}

// New returns partition id at the node self, of which nobody is known to be the owner.
func New(id uint32, self Origin) *Partition {
	return &Partition{id: id, self: self}
}

// Holders says what keeps operations besides this partition's memory.
type Holders struct {
	Log  bool // a log on disk: see ToLog
	Keep bool // what the store has is kept until LetGo, in case that the store comes back from an older state
}

// With sets the partition's other holders. It is called before anything is added.
func (p *Partition) With(h Holders) *Partition {
	p.out.hasLog, p.out.keeps = h.Log, h.Keep
	return p
}

// Restore returns partition id as the past process self left it in its log: operations first, first+1, ..., to be resent
// under their old numbers. Callers may have been told of each of them.
func Restore(id uint32, self Origin, first uint64, ops []Op) *Partition {
	p := New(id, self)
	p.past = true
	p.out.ops = ops
	p.out.persisted, p.out.acked = first-1, first-1
	p.out.sealed, p.out.answered = p.out.last(), p.out.last()
	for i := range ops {
		p.out.bytes += ops[i].weight()
	}
	return p
}

// Added says what became of an increment.
type Added struct {
	Number   uint64 // of its operation
	Fresh    bool   // it is a new operation: one more is pending
	Applied  bool   // it is applied here: this node is the owner
	Total    int64  // with HasTotal: the total just after it
	HasTotal bool
	Replayed bool // applied, and adds nothing: one with its idempotency key counts, and Total is that one's
}

// Add accepts an increment. Owning, it is applied at once; otherwise it waits in the outbox. ErrOutOfRange: the total
// would leave int64, and nothing was accepted. hash is Hash(key); key is not kept.
func (p *Partition) Add(hash uint64, key string, delta int64) (Added, error) {
	if p.Phase() == Owning && p.own.selfApplied == p.out.last() {
		return p.addOwned(hash, key, delta)
	}
	last := p.out.last()
	n := p.out.add(key, delta)
	return Added{Number: n, Fresh: n > last}, nil
}

// ErrIDMissing is returned by AddID when the store must be asked first about the idempotency key. Nothing was accepted.
var ErrIDMissing = errors.New("the store must be asked about the idempotency key")

// AddID is Add with an idempotency key (R9). Owning, it may return ErrIDMissing and ErrIDReused. A repeat is an operation
// of its own, which adds nothing: its evidence is as good as the first one's.
func (p *Partition) AddID(hash uint64, ref IDRef, delta int64) (Added, error) {
	op := Op{Key: strings.Clone(ref.Key), Delta: delta, ID: strings.Clone(ref.ID)}
	if p.Phase() != Owning || p.own.selfApplied != p.out.last() {
		return Added{Number: p.out.append(op), Fresh: true}, nil
	}
	w := p.own
	r, known := w.applyID(hash, &op, false)
	switch {
	case !known:
		return Added{}, ErrIDMissing
	case r.Code == OutOfRange:
		return Added{}, ErrOutOfRange
	case r.Code == IDReused:
		return Added{}, ErrIDReused
	}
	a := Added{Number: p.out.append(op), Fresh: true, Applied: true, Replayed: r.Code == Replayed}
	a.Total, a.HasTotal = r.Total, r.Code != NoTotal && r.Total != UnknownTotal
	w.selfApplied = a.Number
	if !a.Replayed {
		w.selfSum.pend += delta
	}
	return a, nil
}

func (p *Partition) addOwned(hash uint64, key string, delta int64) (Added, error) {
	w := p.own
	i, ok := w.apply(hash, key, delta, false)
	if !ok {
		return Added{}, ErrOutOfRange
	}
	a := Added{Applied: true}
	a.Total, a.HasTotal = w.settled(i)
	r := w.cells.record(i)
	if !p.out.combine(r.op, delta) {
		r.op = p.out.append(Op{Key: w.cells.cell[i].key, Delta: delta})
		a.Fresh = true
	}
	a.Number = r.op
	w.selfApplied = p.out.last()
	w.selfSum.pend += delta
	return a, nil
}

// Wait makes t wait for the operation numbered n, which an Add just returned under the same lock. want asks for the total.
func (p *Partition) Wait(n uint64, t *Ticket, want bool) {
	var f Flags
	if want {
		f |= Want
	}
	if t.Level == Persisted {
		f |= Urgent
	}
	missing := applied | logged | held | persisted
	if p.own != nil && n <= p.own.selfApplied {
		missing &^= applied
	}
	p.out.wait(n, t, f, missing)
}

// Forget notes that t's caller has stopped waiting.
func (p *Partition) Forget(t *Ticket) { t.gone = true }

// Refused returns, once, the deltas that an owner refused as out of range when nobody was waiting for the answer any more.
func (p *Partition) Refused() []Refusal {
	r := p.out.refused
	p.out.refused = nil
	return r
}

// Phase returns the partition's phase at this node.
func (p *Partition) Phase() Phase {
	switch {
	case p.own == nil:
		return Following
	case p.own.leaving:
		return Releasing
	}
	return Owning
}

// ID returns the partition's number.
func (p *Partition) ID() uint32 { return p.id }

// Owner returns the owner as far as this node knows, and its epoch. The nil UUID: nobody.
func (p *Partition) Owner() (Origin, uint64) { return p.owner, p.epoch }

// Pending returns the count of this origin's operations that the store does not have (R6).
func (p *Partition) Pending() int { return len(p.out.ops) }

// PendingBytes returns about what they weigh in memory.
func (p *Partition) PendingBytes() int { return p.out.bytes }

// KeptBytes returns about what operations weigh that are kept although the store has them.
func (p *Partition) KeptBytes() int { return p.out.extra }

// Last returns the highest number given to an operation of this origin.
func (p *Partition) Last() uint64 { return p.out.last() }

// IsSettling says that this owner still awaits operations which an earlier owner had answered.
func (p *Partition) IsSettling() bool { return p.own != nil && len(p.own.settling) > 0 }

// Persisted returns the highest number of this origin that the store is known to have.
func (p *Partition) Persisted() uint64 { return p.out.persisted }

// Learn takes note of who owns the partition since epoch, and reports whether that was news. An owner that learns of a
// later epoch than its own has lost the partition (R5). A new owner is sent everything that the store lacks again (R6).
func (p *Partition) Learn(owner Origin, epoch uint64) bool {
	if epoch <= p.epoch {
		return false
	}
	p.follow(owner, epoch)
	return true
}

// LearnStored is Learn of what the store itself says. It is believed at the same epoch as well: a store that came back from an
// older state gives an epoch to somebody else a second time, when whoever claims has not heard of the first (R5).
func (p *Partition) LearnStored(owner Origin, epoch uint64) bool {
	if epoch < p.epoch || epoch == p.epoch && owner == p.owner {
		return false
	}
	p.follow(owner, epoch)
	return true
}

func (p *Partition) follow(owner Origin, epoch uint64) {
	if p.own != nil {
		p.Drop()
	}
	p.owner, p.epoch = owner, epoch
	p.out.rewind()
	p.sending, p.hello = false, owner != p.self
}

// Drop gives up the owner's state without flushing: a later epoch exists. What this node accepted itself stays in the outbox
// and goes to the next owner; the other origins hold theirs (R6).
func (p *Partition) Drop() {
	if p.own == nil {
		return
	}
	applied := p.own.selfApplied
	p.dropped = p.own.epoch
	p.own = nil
	// A caller may have been told of anything up to here, since in Owning applying and answering are one step.
	p.out.seal(max(p.out.sealed, applied))
	p.out.rewind()
}

// Dropped says that this node has given up what it had as the owner of that epoch, which must not be acquired a second time: origins
// hold acknowledgements of the first. The partition needs a later one (R5).
func (p *Partition) Dropped(epoch uint64) bool { return epoch <= p.dropped }

// Acquire makes this node the owner since epoch, from what the store has: ledger holds the partition's rows, origins every
// process that is not closed, await those which may hold operations that an earlier owner had answered (R8): empty after a
// graceful move. The operations of this node's own outbox are applied at once, unless something is Wanted for it. False: the
// store has lost operations of this node that are not kept any more (R6).
func (p *Partition) Acquire(epoch uint64, ledger map[Origin]uint64, origins, await []Origin) bool {
	must(p.own == nil && epoch >= p.epoch && epoch > p.dropped, "acquired twice, or from the past")
	w := &owned{epoch: epoch, streams: make(map[Origin]*stream), settling: make(map[Origin]struct{}), leftover: make(map[Origin]struct{})}
	for _, o := range origins {
		if o != p.self {
			n := ledger[o]
			w.streams[o] = &stream{applied: n, frozen: n, persisted: n}
		}
	}
	for o := range ledger {
		w.leave(o, p.self)
	}
	for _, o := range await {
		if _, known := w.streams[o]; known {
			w.settling[o] = struct{}{}
		}
	}
	p.own, p.owner, p.epoch = w, p.self, epoch
	p.sending, p.hello = false, false
	ok := p.out.restore(ledger[p.self])
	p.out.trim(ledger[p.self])
	p.out.rewind()
	w.selfApplied = p.out.persisted
	p.catchUp()
	return ok
}

// catchUp applies this node's own waiting operations as their owner, up to one with an idempotency key that the store must be
// asked about first.
func (p *Partition) catchUp() {
	w, o := p.own, &p.out
	if w == nil || w.selfApplied == o.last() {
		return
	}
	o.seal(o.last())
	var results []OpResult
	n := w.selfApplied
	for ; n < o.last(); n++ {
		r, known := w.applyOp(o.at(n+1), n+1, n+1 <= o.answered, &w.selfSum)
		if !known {
			break
		}
		results = append(results, r)
	}
	w.selfApplied, w.behind = n, n < o.answered
	o.ack(n, results, false, applied)
}

// Wanted returns what this owner must read from the store to apply its own operations.
func (p *Partition) Wanted() (want Wanted) {
	w := p.own
	if w == nil || w.leaving {
		return want
	}
	for n := w.selfApplied + 1; n <= p.out.last() && len(want.IDs) < maxWanted; n++ {
		if op := p.out.at(n); op.ID != "" && w.ids.find(op.ref()) == nil {
			want.IDs = append(want.IDs, op.ref())
			want.Keys = append(want.Keys, op.Key)
		}
	}
	return want
}

// maxWanted bounds what an owner reads for its own operations at a time.
const maxWanted = 1024

// Release stops applying: the next Freeze hands the partition to newOwner. Operations accepted from here on wait in the
// outbox for it. A settling owner does not hand over, and false says so: the next one would think it had everything (R8).
func (p *Partition) Release(newOwner Origin) bool {
	if p.Phase() != Owning || len(p.own.settling) > 0 || p.own.selfApplied < p.out.last() {
		return false
	}
	p.out.seal(p.out.last()) // the records of the cells no longer find open operations
	p.out.ack(p.out.last(), nil, false, applied)
	p.own.newOwner, p.own.leaving = newOwner, true
	return true
}
