package counter

import (
	"math"
	"testing"
)

func TestR6_AnOriginKeepsWhatIsAppliedUntilItIsPersisted(t *testing.T) {
	p, o := follower(me, other), owner(other, nil)
	add(t, p, "a", 1)
	add(t, p, "b", 2)
	deliver(t, p, o)
	equal(t, "pending when applied", p.Pending(), 2)
	equal(t, "ready with nothing new", p.Ready(), false)
	p.Persist(1)
	equal(t, "pending when one is persisted", p.Pending(), 1)
	p.Persist(1)
	p.Persist(0)
	equal(t, "pending after old news", p.Pending(), 1)
	p.Persist(2)
	equal(t, "pending when all is persisted", p.Pending(), 0)
	equal(t, "last", p.Last(), 2)
}

// The news that the store has something may overtake the owner's answer, which alone knows the totals and the refusals.
func TestR6_NewsOfTheStoreWaitsForTheAnswerThatItOvertook(t *testing.T) {
	p, o := follower(me, other), owner(other, nil)
	load(t, o, map[string]int64{"k": 40}, nil)
	ticket := await(t, p, "k", 2, Persisted, true)
	s := next(t, p, 10)
	a, _ := o.Handle(me, &s, free, false)
	_, progress := flush(t, o)
	p.Persist(progress[0].Persisted)
	equal(t, "pending", p.Pending(), 1)
	equal(t, "told", done(ticket), false)
	p.Take(s.Epoch, &a)
	equal(t, "pending", p.Pending(), 0)
	mustBeTold(t, ticket)
	equal(t, "total", ticket.Total, 42)
}

func TestR6_ANewOwnerIsSentEverythingThatTheStoreLacks(t *testing.T) {
	p, o := follower(me, other), owner(other, nil)
	for _, k := range []string{"a", "b", "c"} {
		add(t, p, k, 1)
	}
	deliver(t, p, o)
	p.Persist(1)
	p.Learn(third, 2)
	equal(t, "ready", p.Ready(), true)
	s := next(t, p, 10)
	equal(t, "first", s.First, 2)
	equal(t, "operations", len(s.Ops), 2)
	equal(t, "epoch", s.Epoch, 2)
	equal(t, "answered", s.Answered, 3)
}

func TestR6_ALostPartitionLeavesItsOwnersOperationsInTheOutbox(t *testing.T) {
	p := owner(me, nil)
	add(t, p, "a", 1)
	flush(t, p)
	add(t, p, "a", 2)
	p.Freeze()
	add(t, p, "b", 3)
	p.Learn(other, 2)
	equal(t, "pending", p.Pending(), 2)
	s := next(t, p, 10)
	equal(t, "first", s.First, 2)
	equal(t, "answered", s.Answered, 3) // at the owner itself, applied is answered
	o := New(7, other)
	o.Acquire(2, map[Origin]uint64{me: 1}, []Origin{me, other}, []Origin{me})
	a, _ := o.Handle(me, &s, free, false)
	equal(t, "applied by the next owner", a.Applied, 3)
	b, _ := o.Freeze()
	equal(t, "deltas", deltasOf(b), "a+2 b+3 ")
}

func TestR6_AnOwnerThatComesBackAppliesItsOutboxItself(t *testing.T) {
	p := owner(me, nil)
	add(t, p, "a", 1)
	p.Learn(other, 2)
	add(t, p, "a", 2)
	add(t, p, "b", 3)
	p.Acquire(3, map[Origin]uint64{me: 1}, []Origin{me}, nil)
	b, _ := p.Freeze()
	equal(t, "moves", movesOf(b), "1:1-3 ")
	equal(t, "deltas", deltasOf(b), "a+2 b+3 ")
}

func TestPersist_MeansNothingToAnOwner(t *testing.T) {
	p := owner(me, nil)
	add(t, p, "a", 1)
	p.Persist(1)
	equal(t, "pending", p.Pending(), 1)
}

func TestPoll_AsksTheOwnerHowFarTheStoreHasWhatIsPending(t *testing.T) {
	p, o := follower(me, other), owner(other, nil)
	deliver(t, p, o) // hello
	p.Poll()
	equal(t, "ready with nothing pending", p.Ready(), false)
	add(t, p, "a", 1)
	deliver(t, p, o)
	flush(t, o) // the notice is lost
	equal(t, "ready", p.Ready(), false)
	p.Poll()
	a, v := deliver(t, p, o)
	equal(t, "verdict", v, Fine)
	equal(t, "persisted", a.Persisted, 1)
	equal(t, "pending", p.Pending(), 0)
}

func TestReady_WantsAnOwnerWhoIsSomebodyElse(t *testing.T) {
	p := New(0, me)
	add(t, p, "a", 1)
	equal(t, "ready without an owner", p.Ready(), false)
	p.Learn(me, 1)
	equal(t, "ready when this node is the owner, not acting yet", p.Ready(), false)
	p.Learn(other, 2)
	equal(t, "ready", p.Ready(), true)
	p.Acquire(3, nil, nil, nil)
	equal(t, "ready as the owner", p.Ready(), false)
}

func TestTake_SaysWhatToDoNext(t *testing.T) {
	for _, c := range []struct {
		name    string
		a       Answer
		verdict Verdict
		ready   bool
		owner   Origin
	}{
		{"applied", Answer{Code: OK, Epoch: 2, Owner: other, Applied: 3}, Fine, false, other},
		{"a part applied", Answer{Code: OK, Epoch: 2, Owner: other, Applied: 2}, Fine, true, other},
		{"another epoch's word", Answer{Code: OK, Epoch: 1, Owner: other, Applied: 3}, Later, true, other},
		{"unknown", Answer{Code: Unknown, Epoch: 2}, Later, true, other},
		{"loading", Answer{Code: Loading, Epoch: 2, Applied: 1}, Later, true, other},
		{"busy", Answer{Code: Busy, Epoch: 2}, Later, true, other},
		{"moved, news", Answer{Code: Moved, Epoch: 3, Owner: third}, Fine, true, third},
		{"moved, no news", Answer{Code: Moved, Epoch: 2, Owner: other}, Lookup, true, other},
		{"moved, nobody knows", Answer{Code: Moved}, Lookup, true, other},
		{"less than the store once had", Answer{Code: OK, Epoch: 2, Owner: other, Applied: 0}, Diverge, true, other},
		{"a gap below what the store once had", Answer{Code: Gap, Epoch: 2, Owner: other, Applied: 0}, Diverge, true, other},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := New(7, me)
			p.Learn(other, 2)
			add(t, p, "a", 1)
			s := next(t, p, 10)
			p.Take(s.Epoch, &Answer{Code: OK, Epoch: 2, Owner: other, Applied: 1, Persisted: 1})
			add(t, p, "b", 1)
			add(t, p, "c", 1)
			s = next(t, p, 10)
			equal(t, "verdict", p.Take(s.Epoch, &c.a), c.verdict)
			equal(t, "ready", p.Ready(), c.ready)
			o, _ := p.Owner()
			equal(t, "owner", o, c.owner)
		})
	}
}

// R8: what an earlier owner has applied is no acknowledgement: the new one must get it all the same.
func TestTake_IgnoresTheAcknowledgementOfAnEarlierEpoch(t *testing.T) {
	p := follower(me, other)
	ticket := await(t, p, "a", 1, Applied, false)
	s := next(t, p, 10)
	p.Learn(third, 2)
	p.Take(s.Epoch, &Answer{Code: OK, Epoch: 1, Owner: other, Applied: 1})
	equal(t, "told", done(ticket), false)
	s = next(t, p, 10)
	equal(t, "first", s.First, 1)
	p.Acquire(3, nil, nil, nil)
	equal(t, "verdict as the owner", p.Take(s.Epoch, &Answer{Code: OK, Epoch: 2, Owner: other, Applied: 1, Persisted: 1}), Fine)
	equal(t, "pending", p.Pending(), 1)
	mustBeTold(t, ticket) // applied by itself
}

func TestRefused_NamesWhatIsRefusedOfCallersWhoHaveGone(t *testing.T) {
	for _, c := range []struct {
		name string
		gone []int
		want int64
	}{
		{"nobody has gone", nil, 0},
		{"the first", []int{0}, 1},
		{"the last", []int{2}, 4},
		{"two", []int{0, 1}, 3},
		{"all", []int{0, 1, 2}, 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, o := follower(me, other), owner(other, nil)
			add(t, o, "k", math.MaxInt64)
			var tickets []*Ticket
			for _, d := range []int64{1, 2, 4} {
				tickets = append(tickets, await(t, p, "k", d, Applied, false))
			}
			for _, i := range c.gone {
				p.Forget(tickets[i])
			}
			deliver(t, p, o)
			for _, ticket := range tickets {
				mustBeRefused(t, ticket)
			}
			sum := int64(0)
			for _, d := range p.Refused() {
				equal(t, "key", d.Key, "k")
				sum += d.Delta
			}
			equal(t, "refused unheard", sum, c.want)
			equal(t, "told twice", len(p.Refused()), 0)
		})
	}
}

// An increment that was answered under an earlier owner is not refused by the next one for want of room: the store sets it aside.
func TestAnsweredBefore_IsTakenAlsoWithoutRoom(t *testing.T) {
	p, o := follower(me, other), owner(other, nil)
	ticket := await(t, p, "k", 5, Applied, false)
	deliver(t, p, o)
	mustBeTold(t, ticket)
	heir := New(7, third)
	heir.Acquire(2, nil, []Origin{me, third}, nil)
	load(t, heir, map[string]int64{"k": math.MaxInt64}, nil)
	p.Learn(third, 2)
	fresh := await(t, p, "k", 1, Applied, true)
	a, _ := deliver(t, p, heir)
	equal(t, "applied", a.Applied, 2)
	mustBeRefused(t, fresh) // nobody had been told of this one
	b, _ := heir.Freeze()
	equal(t, "deltas", deltasOf(b), "k+5 ")
	equal(t, "refused", len(p.Refused()), 0)
}

// R6, R7: news of numbers that were never sent is not of this process, and says nothing of those that will be.
func TestR6_NewsOfNumbersThatWereNeverSentIsNotBelieved(t *testing.T) {
	p := follower(me, other)
	add(t, p, "a", 1)
	p.Persist(5) // number 1 has not left either
	ticket := await(t, p, "b", 2, Persisted, false)
	s := next(t, p, 10)
	p.Persist(3)
	equal(t, "verdict", p.Take(s.Epoch, &Answer{Code: OK, Epoch: 1, Owner: other, Applied: 2}), Fine)
	equal(t, "pending", p.Pending(), 2)
	equal(t, "told", done(ticket), false)
	p.Persist(2)
	equal(t, "pending", p.Pending(), 0)
	mustBeTold(t, ticket)
}

// The store may have more of a past process than its log: then it has all of that.
func TestR6_AReplayEndsWhenTheStoreHasMoreThanItsLog(t *testing.T) {
	p := Restore(7, me, 4, []Op{{Key: "a", Delta: 1}})
	p.Learn(other, 1)
	s := next(t, p, 10)
	equal(t, "verdict", p.Take(s.Epoch, &Answer{Code: OK, Epoch: 1, Owner: other, Applied: 9, Persisted: 9}), Fine)
	equal(t, "pending", p.Pending(), 0)
	equal(t, "last", p.Last(), 4)
}
