package counter

import (
	"math"
	"sync"
	"testing"
)

func TestR7_ACallerIsToldWhenItsEvidenceExists(t *testing.T) {
	p, o := follower(me, other), owner(other, nil)
	applied := await(t, p, "k", 1, Applied, false)
	persisted := await(t, p, "k", 1, Persisted, false)
	s := next(t, p, 10)
	equal(t, "flags", s.Ops[0].Flags, Urgent)
	a, _ := o.Handle(me, &s, free, false)
	equal(t, "told before the answer", done(applied), false)
	p.Take(s.Epoch, &a)
	mustBeTold(t, applied)
	equal(t, "told before it is persisted", done(persisted), false)
	flush(t, o)
	p.Persist(1)
	mustBeTold(t, persisted)
}

func TestR7_TheOwnersOwnCallersAreToldWhenTheStoreHasIt(t *testing.T) {
	p := owner(me, nil)
	first := await(t, p, "k", 1, Persisted, false)
	b, _ := p.Freeze()
	second := await(t, p, "k", 1, Persisted, false)
	equal(t, "told before", done(first), false)
	p.Done(b.Epoch, nil, nil)
	mustBeTold(t, first)
	equal(t, "told by the batch before", done(second), false)
	p.Release(other)
	equal(t, "told by the release", done(second), false)
	flush(t, p)
	mustBeTold(t, second)
}

// The ledger says that the store has it: also when the owner died before it could tell.
func TestR7_ANewOwnerTellsItsOwnCallersWhatTheLedgerSays(t *testing.T) {
	p := follower(me, other)
	first := await(t, p, "a", 1, Persisted, false)
	second := await(t, p, "b", 1, Persisted, false)
	third := await(t, p, "c", 1, Applied, true)
	next(t, p, 10)
	p.Acquire(2, map[Origin]uint64{me: 1}, []Origin{me}, nil)
	mustBeTold(t, first)
	equal(t, "told too much", done(second), false)
	mustBeTold(t, third)
	equal(t, "a total before the store was read", third.HasTotal, false)
}

func TestR7_AnOperationThatIsAnsweredTwiceTellsItsCallersOnce(t *testing.T) {
	p, o := follower(me, other), owner(other, nil)
	applied, persisted := await(t, p, "k", 1, Applied, false), await(t, p, "k", 1, Persisted, false)
	deliver(t, p, o)
	mustBeTold(t, applied)
	p.Learn(third, 2)
	s := next(t, p, 10)
	p.Take(s.Epoch, &Answer{Code: OK, Epoch: 2, Owner: third, Applied: 1, Persisted: 1})
	equal(t, "told again", done(applied), false)
	mustBeTold(t, persisted)
}

func TestR7_DoubtIsPassedOn(t *testing.T) {
	p := follower(me, other)
	ticket := await(t, p, "k", 1, Applied, false)
	s := next(t, p, 10)
	p.Take(s.Epoch, &Answer{Code: OK, Epoch: 1, Owner: other, Applied: 1, Doubt: true})
	mustBeTold(t, ticket)
	equal(t, "doubt", ticket.Doubt, true)
}

func TestR7_ARefusalReachesCallersOfEveryLevel(t *testing.T) {
	p, o := follower(me, other), owner(other, nil)
	add(t, o, "k", math.MaxInt64)
	applied, persisted := await(t, p, "k", 1, Applied, true), await(t, p, "k", 1, Persisted, false)
	load(t, o, map[string]int64{"k": 0}, nil)
	deliver(t, p, o)
	mustBeRefused(t, applied)
	mustBeRefused(t, persisted)
	p.Learn(third, 2)
	equal(t, "what is left of it", next(t, p, 10).Ops[0].Delta, 0)
	b, _ := o.Freeze()
	equal(t, "moves", movesOf(b), "1:0-1 2:0-1 ")
	equal(t, "deltas", deltasOf(b), "k+9223372036854775807 ")
}

// A new owner refuses its own waiting operations when they have no room.
func TestR7_ANewOwnerRefusesItsOwnCallersWhatHasNoRoom(t *testing.T) {
	p := follower(me, other)
	fits := await(t, p, "k", math.MaxInt64, Applied, false)
	not := await(t, p, "k", math.MaxInt64, Applied, false)
	p.Acquire(2, nil, []Origin{me}, nil)
	mustBeTold(t, fits)
	mustBeRefused(t, not)
	b, _ := p.Freeze()
	equal(t, "moves", movesOf(b), "1:0-2 ")
	equal(t, "deltas", deltasOf(b), "k+9223372036854775807 ")
}

func TestTickets_EachCallerOfACombinedOperationGetsItsOwnTotal(t *testing.T) {
	p, o := follower(me, other), owner(other, nil)
	load(t, o, map[string]int64{"k": 1000}, nil)
	var tickets []*Ticket
	deltas := []int64{5, -3, 0, 40, 7}
	for i, d := range deltas {
		tickets = append(tickets, await(t, p, "k", d, Level(i%2), i%3 == 0))
	}
	s := next(t, p, 10)
	equal(t, "operations", len(s.Ops), 1)
	a, _ := o.Handle(me, &s, free, false)
	flush(t, o)
	p.Take(s.Epoch, &a)
	p.Persist(1)
	want := int64(1000)
	for i, ticket := range tickets {
		want += deltas[i]
		mustBeTold(t, ticket)
		equal(t, "total", ticket.Total, want)
	}
}

// Found by reading: a ticket is its caller's again as soon as it is done, and the caller may use it for another operation at
// once. Whoever finishes a list of tickets must not look at it afterwards.
func TestTickets_AreTheCallersAgainOnceDone(t *testing.T) {
	const rounds = 2000
	for _, l := range []Level{Applied, Persisted} {
		for range rounds / 2 {
			p := follower(me, other)
			first := await(t, p, "k", 1, l, false)
			second := await(t, p, "k", 1, l, false) // the newest is told first
			var caller sync.WaitGroup
			caller.Go(func() {
				<-second.Done
				*second = Ticket{Done: second.Done} // into the next caller's hands
			})
			s := next(t, p, 10)
			p.Take(s.Epoch, &Answer{Code: OK, Epoch: 1, Owner: other, Applied: 1, Persisted: 1})
			mustBeTold(t, first)
			caller.Wait()
		}
	}
}

func TestForget_LeavesTheOperationInTheOutbox(t *testing.T) {
	p, o := follower(me, other), owner(other, nil)
	ticket := await(t, p, "k", 5, Applied, false)
	p.Forget(ticket)
	deliver(t, p, o)
	b, _ := o.Freeze()
	equal(t, "deltas", deltasOf(b), "k+5 ")
}

// R8: a total that the former owner told is of its order of operations. When the owner changes before the caller is answered, the next
// owner may take them in another order: the caller is told its total, or none.
func TestTicket_ForgetsTheTotalOfAFormerOwner_R8(t *testing.T) {
	p := New(1, me)
	p.Learn(other, 1)
	ticket := await(t, p, "k", 3, Persisted, true)
	s := next(t, p, 10)
	p.Take(1, &Answer{Partition: 1, Code: OK, Epoch: 1, Owner: other, Applied: 1, Results: []OpResult{{Number: s.First, Code: Total, Total: 10}}})
	p.Learn(Origin{3}, 2)
	next(t, p, 10)
	p.Take(2, &Answer{Partition: 1, Code: OK, Epoch: 2, Owner: third, Applied: 1, Persisted: 1})
	mustBeTold(t, ticket)
	if ticket.HasTotal {
		t.Errorf("told %d, which the former owner had said", ticket.Total)
	}
}

// R8: the former owner has applied it and the log is still to come when the owner changes. The new one may not have awaited this origin, so
// that the caller waits for it, too: who was told must find it in the next total.
func TestR8_WhoWaitsForTheLogWaitsForTheNewOwnerToo(t *testing.T) {
	first, second := owner(other, nil), New(7, third)
	p := New(7, me).With(Holders{Log: true})
	p.Learn(other, 1)
	ticket := await(t, p, "k", 3, Logged, false)
	deliver(t, p, first)
	n, ops := p.ToLog(10)
	p.Learn(third, 2)
	p.Logged(n + uint64(len(ops)) - 1)
	if done(ticket) {
		t.Fatal("told when only the former owner had applied it")
	}
	second.Acquire(2, nil, []Origin{me, other, third}, nil)
	deliver(t, p, second)
	mustBeTold(t, ticket)
}
