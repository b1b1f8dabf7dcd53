package counter

import (
	"math"
	"testing"

	"github.com/google/uuid"
)

func TestR6_WhatTheStoreLostIsSentAgainUnderItsNumbers(t *testing.T) {
	self, owner := uuid.New(), uuid.New()
	p := New(0, self).With(Holders{Keep: true})
	p.Learn(owner, 1)
	keys := []string{"a", "b", "c"}
	for i, k := range keys {
		if _, err := p.Add(Hash(k), k, int64(i+1)); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := p.Next(10); !ok {
		t.Fatal("nothing to send")
	}
	if v := p.Take(1, &Answer{Code: OK, Epoch: 1, Owner: owner, Applied: 3, Persisted: 3}); v != Fine || p.Pending() != 0 {
		t.Fatalf("verdict %d, %d pending", v, p.Pending())
	}
	p.Learn(owner, 2) // who started from an older state of the store
	if _, ok := p.Next(10); !ok {
		t.Fatal("the new owner is not asked")
	}
	if v := p.Take(2, &Answer{Code: OK, Epoch: 2, Owner: owner, Applied: 1, Persisted: 1}); v != Fine {
		t.Fatalf("verdict %d", v)
	}
	s, ok := p.Next(10)
	if !ok || s.First != 2 || len(s.Ops) != 2 {
		t.Fatalf("sent %+v, %v; the store lacks 2 and 3", s, ok)
	}
	for i, op := range s.Ops {
		if op.Key != keys[i+1] || op.Delta != int64(i+2) {
			t.Errorf("operation %d is %s %+d", i+2, op.Key, op.Delta)
		}
	}
}

func TestR6_WhatIsNotKeptAnyMoreDiverges(t *testing.T) {
	self, owner := uuid.New(), uuid.New()
	p := New(0, self).With(Holders{Keep: true})
	p.Learn(owner, 1)
	for _, k := range []string{"a", "b"} {
		if _, err := p.Add(Hash(k), k, 1); err != nil {
			t.Fatal(err)
		}
	}
	p.Next(10)
	p.Take(1, &Answer{Code: OK, Epoch: 1, Owner: owner, Applied: 2, Persisted: 2})
	p.LetGo(1)
	p.Learn(owner, 2)
	p.Next(10)
	if v := p.Take(2, &Answer{Code: OK, Epoch: 2, Owner: owner}); v != Diverge || p.Persisted() != 2 {
		t.Fatalf("verdict %d, persisted %d", v, p.Persisted())
	}
}

func TestR7_AReplayOfALogIsTakenThoughOutOfRange(t *testing.T) {
	origin, self := uuid.New(), uuid.New()
	owner := New(0, self)
	owner.Acquire(1, nil, []Origin{origin, self}, nil)
	token, _ := owner.BeginLoad()
	if !owner.Loaded(token, &Snapshot{Wanted: Wanted{Keys: []string{"k"}}, Values: map[string]int64{"k": 10}}) {
		t.Fatal("not loaded")
	}
	replay := Restore(0, origin, 1, []Op{{Key: "k", Delta: math.MaxInt64}})
	replay.Learn(self, 1)
	s, ok := replay.Next(10)
	if !ok {
		t.Fatal("nothing to send")
	}
	a, loading := owner.Handle(origin, &s, Limits{MaxDirty: 10}, false)
	if a.Code != OK || a.Applied != 1 || !loading.Empty() {
		t.Fatalf("answer %+v, loading %+v", a, loading)
	}
	for _, r := range a.Results {
		if r.Code == OutOfRange {
			t.Error("it was answered once, and is refused now: the store must set it aside")
		}
	}
}

// A store that came back from an older state gives an epoch to a second owner. What the first one says then, which was asked before
// its origin knew, is no word of the second.
func TestR5_AFormerOwnerOfTheSameEpochIsNotBelieved(t *testing.T) {
	for _, a := range []Answer{
		{Code: OK, Epoch: 1, Owner: other, Applied: 1},
		{Code: Gap, Epoch: 1, Owner: other},
	} {
		p := follower(me, other)
		ticket := await(t, p, "k", 1, Applied, false)
		next(t, p, 10)
		p.LearnStored(third, 1)
		s := next(t, p, 10)
		equal(t, "verdict", p.Take(1, &a), Fine)
		equal(t, "told by the former owner", done(ticket), false)
		equal(t, "ready with a section under way", p.Ready(), false)
		equal(t, "first", s.First, 1)
		p.Take(1, &Answer{Code: OK, Epoch: 1, Owner: third, Applied: 1})
		mustBeTold(t, ticket)
	}
}

// The new owner of the epoch waits for a hello from everybody: the answer of the first one to an empty section must not pass for it.
func TestR12_TheSecondOwnerOfAnEpochIsToldEvenWhenTheFirstAnswersLate(t *testing.T) {
	p := follower(me, other)
	next(t, p, 10)
	p.LearnStored(third, 1)
	p.Take(1, &Answer{Code: OK, Epoch: 1, Owner: other})
	equal(t, "the second owner is sent a hello", p.Ready(), true)
}

// A total read from a store that came back from an older state lacks what this owner knows to be stored. When the former owner's flush
// is then repeated, the ledger stands as it did, and nothing else would find the total out.
func TestR8_AReadOfAnOlderStateIsNotUsed(t *testing.T) {
	for _, older := range []map[Origin]uint64{{me: 0, other: 7}, {me: 1, other: 6}, {me: 1, other: 7, {9}: 1}, {other: 7}, {me: 1}} {
		p := owner(me, map[Origin]uint64{other: 7})
		add(t, p, "another", 1)
		flush(t, p)
		token, _ := p.BeginLoad()
		snapshot := Snapshot{Wanted: Wanted{Keys: []string{"k"}}, Values: map[string]int64{"k": 20}, Ledger: older}
		equal(t, "used", p.Loaded(token, &snapshot), false)
		_, state := p.Total(Hash("k"), "k")
		equal(t, "state", state, ReadMissing)
		snapshot.Ledger, snapshot.Values = map[Origin]uint64{me: 1}, map[string]int64{"k": 30} // the other one is closed: its row is gone
		p.RemoveOrigin(other)
		equal(t, "used", p.Loaded(token, &snapshot), true)
		v, _ := p.Total(Hash("k"), "k")
		equal(t, "total", v, 30)
	}
}

// Rows of a process that somebody closed by hand stand for ever: they are no sign of an older state.
func TestR8_RowsOfAProcessThatWasClosedByHandAreNoOlderState(t *testing.T) {
	gone, too := Origin{8}, Origin{9}
	p := owner(me, map[Origin]uint64{gone: 3, other: 7})
	ledger := map[Origin]uint64{gone: 3, other: 7}
	equal(t, "closed before", p.older(ledger), false)
	p.RemoveOrigin(other)
	equal(t, "closed since", p.older(ledger), true)
	p.LeaveRows(other)
	equal(t, "and told of", p.older(ledger), false)
	ledger[too] = 1
	equal(t, "another one", p.older(ledger), true)
	p.AddOrigin(other)
	p.LeaveRows(third)
	delete(ledger, too)
	equal(t, "one that is there", p.older(ledger), false)
}

func TestOlder_SaysNothingOfASnapshotThatAFlushOvertook(t *testing.T) {
	p := owner(me, nil)
	token, _ := p.BeginLoad()
	add(t, p, "k", 1)
	flush(t, p)
	ledger := map[Origin]uint64{} // as it stood at the token
	equal(t, "used", p.Loaded(token, &Snapshot{Ledger: ledger}), false)
	equal(t, "older", p.Older(token, ledger), false)
	token, _ = p.BeginLoad()
	equal(t, "older, after the flush", p.Older(token, ledger), true)
	p.Learn(other, 2)
	equal(t, "older, of what another one owns", p.Older(token, ledger), false)
}

// A store that came back from an older state may give an epoch to the same process twice. What it read as the first of these owners is then
// older than what its predecessor flushed before the second: a value that has more than this owner wrote would count that twice (R8).
func TestR8_AReadWithMoreThanThisOwnerWroteIsNotUsed(t *testing.T) {
	for what, newer := range map[string]map[Origin]uint64{
		"of its own": {me: 2, other: 7}, "of another": {me: 1, other: 9}, "half a batch": {me: 1, other: 8},
	} {
		p := owner(me, map[Origin]uint64{other: 7})
		add(t, p, "another", 1)
		flush(t, p)
		token, _ := p.BeginLoad()
		snapshot := Snapshot{Wanted: Wanted{Keys: []string{"k"}}, Values: map[string]int64{"k": 20}, Ledger: newer}
		equal(t, what+" used", p.Loaded(token, &snapshot), false)
		equal(t, what+" newer", p.Newer(newer), true)
		equal(t, "what it wrote is newer", p.Newer(map[Origin]uint64{me: 1, other: 7}), false)
	}
}

// A batch under way may be in a snapshot or not, but not a part of it (R3).
func TestR8_AReadHasABatchUnderWayWholeOrNotAtAll(t *testing.T) {
	from := follower(other, me)
	p := owner(me, nil)
	add(t, p, "a", 1)
	add(t, from, "b", 1)
	deliver(t, from, p)
	token, _ := p.BeginLoad()
	if _, ok := p.Freeze(); !ok {
		t.Fatal("there is nothing to flush")
	}
	for _, c := range []struct {
		ledger map[Origin]uint64
		used   bool
	}{
		{map[Origin]uint64{me: 1}, false},
		{map[Origin]uint64{other: 1}, false},
		{map[Origin]uint64{}, true},
		{map[Origin]uint64{me: 1, other: 1}, true},
	} {
		snapshot := Snapshot{Wanted: Wanted{Keys: []string{"c"}}, Ledger: c.ledger}
		equal(t, "used", p.Loaded(token, &snapshot), c.used)
		equal(t, "newer", p.Newer(c.ledger), false)
	}
}
