package sim

import (
	"errors"
	"math"
	"slices"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// auditor keeps its own books of every increment, and ends the history at the first rule that is broken. It sees only
// what enters and leaves the core.
type auditor struct {
	w       *world
	streams []map[counter.Origin]*stream // of each partition
	tenures map[tenureKey]*tenure

	sum   []wide // of each key: what the store must have
	aside []wide // of each key: what the store has set aside

	// shown is how far each stream has been shown to clients, in answers or in totals; excuses are the times when some of it
	// could be missed: held only by a process whose lease had run out.
	shownTo []map[counter.Origin]uint64
	excuses []excuse
	handed  []uint64 // epoch that the last hand-over of each partition began

	ids       map[counter.IDRef]idRow // as the store must have them
	asked     map[counter.IDRef]int64 // the delta of the first request with each
	ambiguous map[counter.IDRef]bool  // requests with different deltas were made
	lostIDs   map[counter.IDRef]bool  // the store had it, and came back without it
}

// stream is everything that one origin accepted for one partition.
type stream struct {
	ops       []*record // numbers 1, 2, 3, ...
	persisted uint64    // as the store must have it
	logged    uint64    // durable in the log on disk
	copied    uint64    // held by another process
	lost      bool      // its host is gone, with its disk

	once       uint64 // the highest that persisted ever was
	rewound    bool   // the store came back with less
	gone       uint64 // its process does not keep these any more
	logRemoved bool
	givenUp    bool // the log, by the operator
}

// record is one operation.
type record struct {
	key      int
	delta    int64
	id       string
	shares   []*share
	outside  bool   // it has left its origin: it never changes again (R1)
	handed   bool   // to the log, or to a holder of copies
	resolved bool   // but for this: refused, and the origin knows: from then on it adds nothing
	applied  uint64 // the last epoch at which an owner applied it
	refused  uint64 // the last epoch at which an owner refused it
	unheard  bool   // it was refused when somebody else resent it, whose answer its origin does not get
	setAside int64  // what the origin has named as refused after its caller had gone
	totals   []int64
	away     bool  // a process besides its origin has applied it
	storedAt ticks // when the store got it first

	counts bool // valid when persisted: it was not refused
}

// share is one increment's part of an operation.
type share struct {
	delta  int64
	prefix int64 // of the operation, just after this increment
	fate   fate
	level  counter.Level // once answered
	ticket *counter.Ticket
}

// streamMark says that something contains an origin's operations up to a number.
type streamMark struct {
	origin counter.Origin
	number uint64
}

// excuse says that from a moment on, a stream's operations beyond cap may be missing until they are sent again.
type excuse struct {
	partition uint32
	origin    counter.Origin
	at        ticks
	cap       uint64
}

func newAuditor(w *world) *auditor {
	a := &auditor{
		w: w, tenures: make(map[tenureKey]*tenure),
		sum: make([]wide, w.cfg.keys), aside: make([]wide, w.cfg.keys), handed: make([]uint64, w.cfg.partitions),
		ids: make(map[counter.IDRef]idRow), asked: make(map[counter.IDRef]int64), ambiguous: make(map[counter.IDRef]bool),
		lostIDs: make(map[counter.IDRef]bool),
	}
	for range w.cfg.partitions {
		a.streams = append(a.streams, make(map[counter.Origin]*stream))
		a.shownTo = append(a.shownTo, make(map[counter.Origin]uint64))
	}
	return a
}

// seed puts counters near the ends of int64 into the store before the history begins.
func (a *auditor) seed(keys []string) {
	for i, k := range keys {
		v := int64(math.MaxInt64) - a.w.rng.Int64N(40)
		if i%3 == 1 {
			v = -v
		}
		a.w.store.counters[k] = v
		a.sum[i] = wide{}.plus(v)
	}
}

func (a *auditor) stream(partition uint32, origin counter.Origin) *stream {
	s := a.streams[partition][origin]
	if s == nil {
		s = new(stream)
		a.streams[partition][origin] = s
	}
	return s
}

func (s *stream) op(n uint64) *record { return s.ops[n-1] }

func (s *stream) last() uint64 { return uint64(len(s.ops)) }

// content is what the operation adds, as its origin would send it now.
func (r *record) content() int64 {
	if r.resolved {
		return 0
	}
	return r.delta
}

// refusal says that a ticket was told that its operation adds nothing.
func refusal(err error) bool {
	return errors.Is(err, counter.ErrOutOfRange) || errors.Is(err, counter.ErrIDReused)
}

// counted is the part of the operation whose clients were told that it counts.
func (r *record) counted() (sum int64) {
	for _, sh := range r.shares {
		if sh.fate == fateCounted {
			sum += sh.delta
		}
	}
	return sum
}

// accepted notes an increment that Add took.
func (a *auditor) accepted(p *part, added counter.Added, key int, delta int64) *share {
	s := a.stream(p.id, p.n.id)
	if added.Fresh {
		a.w.mustBe(added.Number == s.last()+1, "R1", "%s: number %d given after %d", p.n.name, added.Number, s.last())
		s.ops = append(s.ops, &record{key: key})
	}
	a.w.mustBe(added.Number >= 1 && added.Number <= s.last(), "R1", "%s: number %d of %d", p.n.name, added.Number, s.last())
	return a.share(p, added, s.op(added.Number), key, delta)
}

func (a *auditor) share(p *part, added counter.Added, r *record, key int, delta int64) *share {
	a.w.mustBe(!r.outside, "R1", "%s: an increment was combined into operation %d, which had left", p.n.name, added.Number)
	a.w.mustBe(r.key == key, "R1", "%s: an increment was combined into another key's operation %d", p.n.name, added.Number)
	r.delta += delta
	sh := &share{delta: delta, prefix: r.delta}
	r.shares = append(r.shares, sh)
	if len(r.shares) > 1 {
		a.w.mark(markCombined)
	}
	a.w.mustBe(added.Applied == (p.Phase() == counter.Owning && p.tenure.run(p.n.id).mark() >= added.Number-1), "R2", "%s: applied in phase %d", p.n.name, p.Phase())
	if added.Applied {
		p.tenure.added(added, r, delta)
	}
	return sh
}

// left checks a section that leaves its origin against what was accepted (R1).
func (a *auditor) left(origin counter.Origin, s *counter.Section) {
	st := a.stream(s.Partition, origin)
	for i, op := range s.Ops {
		n := s.First + uint64(i)
		a.w.mustBe(n <= st.last(), "R1", "operation %d is sent, %d were accepted", n, st.last())
		r := st.op(n)
		a.same(n, r, &op)
		r.outside = true
		if r.applied != 0 && r.applied != s.Epoch {
			a.w.mark(markRewind)
		}
	}
}

// same checks an operation's content (R1).
func (a *auditor) same(n uint64, r *record, op *counter.Op) {
	void := r.resolved && op.Delta == 0 && op.ID == ""
	if a.w.keys[r.key] != op.Key || r.content() != op.Delta || (r.id != op.ID && !void) {
		a.w.broken("R1", "operation %d is %s %+d, and was %s %+d", n, op.Key, op.Delta, a.w.keys[r.key], r.content())
	}
}

// heard notes what an answer told an origin of refused operations. had is what it knew the store to have.
func (a *auditor) heard(p *part, ans *counter.Answer, had uint64) {
	st := a.stream(p.id, p.n.id)
	var numbers []uint64
	for _, r := range ans.Results {
		if r.Code == counter.OutOfRange || r.Code == counter.IDReused {
			numbers = append(numbers, r.Number)
			if r.Number > had && r.Number <= ans.Applied {
				st.op(r.Number).resolved = true
			}
		}
	}
	a.refusals(p, numbers)
}

// refusals finds out which of the refused operations the origin has just learned of: a caller was told, or the part of those
// who had gone was named. It returns them.
func (a *auditor) refusals(p *part, numbers []uint64) (learned []uint64) {
	st := a.stream(p.id, p.n.id)
	for _, n := range numbers {
		r := st.op(n)
		for _, sh := range r.shares {
			// The caller is told now, or has been since the auditor looked last.
			if !r.resolved && (sh.ticket != nil && refusal(sh.ticket.Err) || sh.fate == fateRefused) {
				r.resolved = true
				learned = append(learned, n)
			}
		}
	}
	for _, d := range p.Refused() {
		a.w.mark(markOutOfRangeLater)
		r := st.op(d.Number)
		found := slices.Contains(numbers, d.Number) && a.w.keys[r.key] == d.Key && r.setAside == 0 && r.counted() == d.Delta
		if found {
			r.setAside = d.Delta
			if !slices.Contains(learned, d.Number) { // nobody waits for it any more, so nothing but this entry tells of it
				r.resolved = true
				learned = append(learned, d.Number)
			}
		}
		a.w.mustBe(found, "R7", "%s names %+v as refused, which nobody refused", p.n.name, d)
	}
	return learned
}

// outboxes checks that each origin holds exactly what the store does not have, or has not told it yet (R6).
func (a *auditor) outboxes(n *node) {
	for _, p := range n.parts {
		st := a.streams[p.id][n.id]
		if st == nil {
			continue
		}
		if have := p.Persisted(); have > st.once || have+uint64(p.Pending()) != st.last() {
			a.w.broken("R6", "%s holds %d operations after %d; %d were accepted, and the store has %d",
				n.name, p.Pending(), have, st.last(), st.persisted)
		}
	}
}

// evidence checks that what a ticket stands for existed when it was done (R7), and its total.
func (a *auditor) evidence(c *caller) {
	st := a.stream(c.p.id, c.n.id)
	r := st.op(c.number)
	w, t := a.w, c.ticket
	w.mustBe(!r.resolved, "R7", "%s: operation %d was refused, and its caller told that it counts", c.n.name, c.number)
	switch t.Level {
	case counter.Persisted:
		w.mustBe(c.number <= st.once, "R7", "%s: operation %d answered as persisted, the store has %d", c.n.name, c.number, st.once)
	case counter.Held:
		w.mark(markHeld)
		two := c.number <= max(st.copied, st.once) || r.away
		w.mustBe(two, "R7", "%s: operation %d answered as held by two, nobody else has it", c.n.name, c.number)
		fallthrough
	case counter.Logged:
		w.mustBe(c.number <= max(st.logged, st.once) || !w.cfg.logs, "R7", "%s: operation %d answered as logged, the log has %d", c.n.name, c.number, st.logged)
		fallthrough
	case counter.Applied:
		w.mustBe(r.applied != 0 || c.number <= st.once, "R7", "%s: operation %d answered as applied, nobody has", c.n.name, c.number)
	}
	if !t.HasTotal || t.Doubt || t.Replayed {
		return
	}
	after := r.delta - c.share.prefix
	if after != 0 {
		w.mark(markTotalApart)
	}
	for _, total := range r.totals {
		if t.Total == total-after {
			return
		}
	}
	w.mustBe(len(r.totals) == 0 && c.number <= st.once, "R8", "%s: operation %d answered with total %d, owners had %v, less %d",
		c.n.name, c.number, t.Total, r.totals, after)
}

// refusedTo checks that an owner refused what a caller was told is refused.
func (a *auditor) refusedTo(c *caller) {
	r := a.stream(c.p.id, c.n.id).op(c.number)
	a.w.mustBe(r.refused != 0, "R7", "%s: operation %d answered as out of range, nobody refused it", c.n.name, c.number)
}

// answered notes that a client may count on seeing the operation from now on.
func (a *auditor) answered(p *part, number uint64) {
	if !p.n.leased() || a.w.cfg.rewinds > 0 && p.tenure != nil && !p.tenure.current() {
		return
	}
	seen := a.shownTo[p.id]
	seen[p.n.id] = max(seen[p.n.id], number)
}

// shown notes that a client has seen a total, and with it all that it contained.
func (a *auditor) shown(partition uint32, s sight) {
	seen := a.shownTo[partition]
	for _, m := range s.marks {
		for _, e := range a.excuses {
			if e.partition == partition && e.origin == m.origin && e.at >= s.at {
				m.number = min(m.number, e.cap)
			}
		}
		seen[m.origin] = max(seen[m.origin], m.number)
	}
}
