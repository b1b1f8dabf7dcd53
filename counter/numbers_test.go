package counter

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// Wherever increments are accepted, in whatever phase, each operation gets the number after the last one.
func TestR1_NumbersAreGivenWithoutGapsInEveryPhase(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := New(0, me)
		last, epoch := uint64(0), uint64(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 6).Draw(t, "step") {
			case 0:
				epoch++
				p.Learn(other, epoch)
			case 1:
				if p.Phase() == Following {
					epoch++
					p.Acquire(epoch, map[Origin]uint64{me: p.Persisted()}, []Origin{me}, nil)
				}
			case 2:
				p.Release(other)
			case 3:
				if s, ok := p.Next(3); ok {
					p.Retry(s.Epoch)
				}
			case 4:
				if b, ok := p.Freeze(); ok {
					p.Done(b.Epoch, nil, nil)
					_, epoch = p.Owner()
				}
			default:
				key := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key")
				a := add(t, p, key, 1)
				if a.Fresh {
					last++
					equal(t, "number of a new operation", a.Number, last)
				} else if a.Number == 0 || a.Number > last {
					t.Fatalf("combined into operation %d of %d", a.Number, last)
				}
			}
			equal(t, "last number", p.Last(), last)
			equal(t, "pending", uint64(p.Pending()), last-p.Persisted())
		}
	})
}

func TestR1_IncrementsOfOneKeyShareAnOperationUntilItLeaves(t *testing.T) {
	for name, leave := range map[string]func(p *Partition){
		"sent":     func(p *Partition) { p.Learn(other, 1); p.Next(10) },
		"frozen":   func(p *Partition) { p.Acquire(1, nil, nil, nil); p.Freeze() },
		"acquired": func(p *Partition) { p.Acquire(1, nil, nil, nil) },
		"released": func(p *Partition) { p.Acquire(1, nil, nil, nil); p.Release(other) },
		"dropped":  func(p *Partition) { p.Acquire(1, nil, nil, nil); p.Learn(other, 2) },
	} {
		t.Run(name, func(t *testing.T) {
			p := New(0, me)
			first := add(t, p, "k", 2)
			again := add(t, p, "k", 3)
			foreign := add(t, p, "other", 5)
			if !first.Fresh || again.Fresh || again.Number != first.Number || foreign.Number == first.Number {
				t.Fatalf("%+v, then %+v, then %+v for another key", first, again, foreign)
			}
			leave(p)
			after := add(t, p, "k", 4)
			if !after.Fresh || after.Number != 3 {
				t.Fatalf("combined into an operation that has left: %+v", after)
			}
			equal(t, "content of the operation that has left", p.out.at(1).Delta, 5)
		})
	}
}

// What was accepted while the partition was being handed over is still open when the hand-over ends.
func TestR1_OpenOperationsStayOpenWhileOlderOnesAreHandedOver(t *testing.T) {
	p := owner(me, nil)
	add(t, p, "k", 1)
	p.Release(other)
	late := add(t, p, "k", 10)
	equal(t, "applied here", late.Applied, false)
	b, _ := p.Freeze()
	p.Done(b.Epoch, nil, nil)
	more := add(t, p, "k", 10)
	if more.Fresh || more.Number != late.Number {
		t.Fatalf("%+v was not combined into %+v", more, late)
	}
	s := next(t, p, 10)
	if s.First != 2 || len(s.Ops) != 1 || s.Ops[0].Delta != 20 {
		t.Fatalf("section %+v", s)
	}
}

func TestR1_HugeDeltasTravelAlone(t *testing.T) {
	p := follower(me, other)
	a := add(t, p, "k", math.MaxInt64>>1)
	b := add(t, p, "k", 1)
	c := add(t, p, "k", math.MinInt64)
	d := add(t, p, "k", 1)
	for i, x := range []Added{a, b, c, d} {
		if !x.Fresh || x.Number != uint64(i+1) {
			t.Fatalf("increment %d: %+v", i+1, x)
		}
	}
}

func TestR1_AnUnansweredSectionIsSentAgainAsItWas(t *testing.T) {
	p := follower(me, other)
	add(t, p, "a", 1)
	add(t, p, "b", 2)
	before := next(t, p, 10)
	add(t, p, "a", 100)
	if _, ok := p.Next(10); ok {
		t.Fatal("a second section while the first is under way")
	}
	p.Retry(before.Epoch + 1) // another epoch's: nothing ends
	if p.Ready() {
		t.Fatal("ready though the section is under way")
	}
	p.Retry(before.Epoch)
	after := next(t, p, 10)
	equal(t, "first", after.First, before.First)
	equal(t, "operations", len(after.Ops), 3)
	for i, op := range before.Ops {
		equal(t, "content", after.Ops[i].Delta, op.Delta)
		equal(t, "key", after.Ops[i].Key, op.Key)
	}
}

func TestNext_SendsAtMostMaxOpsAndLeavesTheRestOpen(t *testing.T) {
	p := follower(me, other)
	add(t, p, "a", 1)
	add(t, p, "b", 1)
	equal(t, "operations", len(next(t, p, 1).Ops), 1)
	if a := add(t, p, "b", 1); a.Fresh {
		t.Fatal("the second operation has not left, and is closed")
	}
	if a := add(t, p, "a", 1); !a.Fresh {
		t.Fatal("the first operation has left, and is open")
	}
}

// Once its origin knows that an operation is refused, it is an operation that adds nothing, for every later owner (R1's
// only exception).
func TestR1_ARefusedOperationIsSentAgainAsNothing(t *testing.T) {
	p, o := follower(me, other), owner(other, nil)
	add(t, o, "k", math.MaxInt64)
	ticket := await(t, p, "k", 1, Applied, false)
	deliver(t, p, o)
	mustBeRefused(t, ticket)
	p.Learn(third, 2)
	s := next(t, p, 10)
	if len(s.Ops) != 1 || s.Ops[0].Delta != 0 || s.Ops[0].Key != "k" {
		t.Fatalf("sent again as %+v", s.Ops)
	}
	if r := p.Refused(); r != nil {
		t.Fatalf("its only caller was told, and yet %v", r)
	}
}
