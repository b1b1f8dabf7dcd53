package node

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/flush"
	"github.com/pinocchio-nose/pinocchio/node/wire"
)

// slot is one partition at this node, with the lock that guards it. Nothing waits while it is held.
type slot struct {
	mu sync.Mutex
	p  *counter.Partition

	queued     *link          // in whose queue it stands
	logQueued  bool           // it stands in the log's queue
	copyQueued bool           // and in the copies'
	loading    bool           // a read of the store is under way for a section that came
	flushing   bool           // the flusher has a batch of it
	urgent     bool           // somebody waits for the store, or for a hand-over, since the last freeze
	heir       counter.Origin // whom it is being handed to, while Releasing
	accepted   uint64         // increments accepted here (each one, also where several travel as one operation)
	stored     []storedMark   // for what is kept although the store has it
	marks      []mark         // for the age of what is pending

	_ [64]byte // two neighbours must not share a cache line: each is written by whoever counts
}

// mark says that operations up to number existed at that moment.
type mark struct {
	number uint64
	at     time.Time
}

// stood measures the time for which the store has answered: while it is away, what is kept in case that it comes back from an
// older state must not grow old. Only the control loop uses it, but for total, which a leaving node also asks for.
type stood struct {
	sum  atomic.Int64 // nanoseconds
	last time.Time
}

func (s *stood) total() time.Duration { return time.Duration(s.sum.Load()) }

func (s *stood) pause() { s.last = time.Time{} }

func (s *stood) resume(now time.Time) {
	if !s.last.IsZero() {
		s.sum.Add(int64(now.Sub(s.last)))
	}
	s.last = now
}

// letGo forgets what the store has had for long enough, and takes a new mark of what it has. now is by the time that the
// store has stood.
func (sl *slot) letGo(now, keep time.Duration) {
	if keep <= 0 {
		return
	}
	old := 0
	for ; old < len(sl.stored) && now-sl.stored[old].at >= keep; old++ {
		sl.p.LetGo(sl.stored[old].number)
	}
	sl.stored = append(sl.stored[:0], sl.stored[old:]...)
	has := sl.p.Persisted()
	spaced := len(sl.stored) == 0 || now-sl.stored[len(sl.stored)-1].at >= keep/maxMarks
	if has > sl.p.Kept() && spaced {
		sl.stored = append(sl.stored, storedMark{number: has, at: now})
	}
}

// storedMark says that the store had operations up to number at that moment.
type storedMark struct {
	number uint64
	at     time.Duration // for which the store had stood
}

// maxMarks bounds the marks of one slot; the oldest are the ones that matter.
const maxMarks = 64

// age returns for how long the oldest pending operation has been there, to the flush interval; and takes a new mark.
func (sl *slot) age(now time.Time, interval time.Duration) time.Duration {
	done := 0
	for done < len(sl.marks) && sl.marks[done].number <= sl.p.Persisted() {
		done++
	}
	sl.marks = append(sl.marks[:0], sl.marks[done:]...)
	if sl.p.Pending() == 0 {
		return 0
	}
	if n := len(sl.marks); n == 0 || (n < maxMarks && now.Sub(sl.marks[n-1].at) >= interval) {
		sl.marks = append(sl.marks, mark{number: sl.p.Last(), at: now})
	}
	return now.Sub(sl.marks[0].at)
}

// slots are all partitions. pending is the count of this node's operations that the store does not have (R10).
type slots struct {
	all     []slot
	pending atomic.Int64
	bytes   atomic.Int64 // what they weigh in memory
	kept    atomic.Int64 // what operations weigh that are kept although the store has them
	maxKept int64
}

func newSlots(count uint32, self counter.Origin, h counter.Holders, maxKept int64) *slots {
	s := &slots{all: make([]slot, count), maxKept: maxKept}
	for i := range s.all {
		s.all[i].p = counter.New(uint32(i), self).With(h)
	}
	return s
}

func (s *slots) of(hash uint64) *slot { return &s.all[hash%uint64(len(s.all))] }

// change runs f on a slot under its lock, and keeps count of what is pending, since f may trim the outbox. A panic of f, which
// whoever serves a message survives, does not leave the slot locked: everybody who comes by would wait for ever.
func (s *slots) change(sl *slot, f func(p *counter.Partition)) {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	before, weighed, kept, has := sl.p.Pending(), sl.p.PendingBytes(), sl.p.KeptBytes(), sl.p.Persisted()
	f(sl.p)
	if sl.p.Persisted() < has {
		sl.stored = nil // the store lost some: what it will have again is as young as that
	}
	if now := sl.p.KeptBytes(); now > kept && s.kept.Load()+int64(now-kept) > s.maxKept {
		sl.p.LetGo(sl.p.Persisted()) // increments need the room more
	}
	if d := sl.p.Pending() - before; d != 0 {
		s.pending.Add(int64(d))
	}
	if d := sl.p.PendingBytes() - weighed; d != 0 {
		s.bytes.Add(int64(d))
	}
	if d := sl.p.KeptBytes() - kept; d != 0 {
		s.kept.Add(int64(d))
	}
}

// each runs f on every partition, one after another, each under its lock.
func (s *slots) each(f func(sl *slot, p *counter.Partition)) {
	for i := range s.all {
		sl := &s.all[i]
		s.change(sl, func(p *counter.Partition) { f(sl, p) })
	}
}

// learn takes note of an owner, as somebody told it.
func (n *Node) learn(r wire.Route) {
	n.heard(r.Partition, func(p *counter.Partition) bool { return p.Learn(r.Owner, r.Epoch) })
}

// learnStored takes note of an owner, as the store says.
func (n *Node) learnStored(o flush.Ownership) {
	n.heard(o.Partition, func(p *counter.Partition) bool { return p.LearnStored(o.Owner, o.Epoch) })
}

// heard takes note of news of a partition's owner; learn reports whether it was news.
func (n *Node) heard(partition uint32, learn func(p *counter.Partition) bool) {
	if int(partition) >= len(n.slots.all) {
		return
	}
	sl := &n.slots.all[partition]
	n.slots.change(sl, func(p *counter.Partition) {
		lost := p.Phase() != counter.Following
		if !learn(p) {
			return
		}
		if lost {
			n.count.lost.Inc()
		}
		n.enqueue(sl)
	})
}

// enqueue puts the slot, whose lock is held, into the queue of its owner's link if it has something to send.
func (n *Node) enqueue(sl *slot) {
	if !sl.p.Ready() {
		return
	}
	owner, _ := sl.p.Owner()
	l := n.links.get(owner)
	if l == nil {
		n.refresh() // an owner that this node has not heard of: the control loop sweeps when it has
		return
	}
	if sl.queued == l { // this very link: one to the same peer may have been closed with the slot in its queue
		return
	}
	sl.queued = l // an entry in another link's queue is void from here on
	l.lane(sl.p.ID()).push(sl.p.ID())
}
