package counter

import (
	"fmt"
	"testing"
)

func TestR5_HandleTakesSectionsOfItsOwnEpochOnly(t *testing.T) {
	following := func() *Partition { return follower(me, third) }
	waiting := func() *Partition { return follower(me, me) } // owner by the store's word, not acting yet
	owning := func() *Partition { return owner(me, nil) }
	releasing := func() *Partition { p := owner(me, nil); p.Release(third); return p }
	for _, c := range []struct {
		name  string
		p     func() *Partition
		epoch uint64
		code  Code
		owner Origin
	}{
		{"the owner, its epoch", owning, 1, OK, me},
		{"the owner, an older epoch", owning, 0, Moved, me},
		{"the owner, a later epoch", owning, 2, Busy, me},
		{"a follower", following, 1, Moved, third},
		{"a follower, an older epoch", following, 0, Moved, third},
		{"a follower, a later epoch", following, 2, Busy, third},
		{"not acting yet", waiting, 1, Busy, me},
		{"handing over", releasing, 1, Busy, me},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := c.p()
			s := section(1, 5)
			s.Epoch = c.epoch
			a, _ := p.Handle(other, &s, free, false)
			equal(t, "code", a.Code, c.code)
			equal(t, "owner", a.Owner, c.owner)
			equal(t, "epoch", a.Epoch, 1)
			if c.code != OK {
				equal(t, "applied", p.own != nil && p.own.streams[other].applied > 0, false)
			}
		})
	}
}

func TestR5_OnlyALaterEpochIsNews(t *testing.T) {
	p := New(0, me)
	if p.Learn(other, 0) {
		t.Fatal("epoch 0 is nobody's")
	}
	equal(t, "learned", p.Learn(other, 3), true)
	equal(t, "learned the same", p.Learn(third, 3), false)
	equal(t, "learned an older one", p.Learn(third, 2), false)
	o, e := p.Owner()
	equal(t, "owner", o, other)
	equal(t, "epoch", e, 3)
	p.Acquire(4, nil, nil, nil)
	equal(t, "the owner learned its own epoch", p.Learn(other, 4), false)
	equal(t, "phase", p.Phase(), Owning)
	equal(t, "the owner learned a later one", p.Learn(other, 5), true)
	equal(t, "phase", p.Phase(), Following)
}

func TestR5_ABatchOfAnotherEpochIsNotDone(t *testing.T) {
	p := owner(me, nil)
	add(t, p, "k", 5)
	old, _ := p.Freeze()
	p.Learn(other, 2)
	if progress, handed := p.Done(old.Epoch, nil, nil); progress != nil || handed {
		t.Fatal("done without being the owner")
	}
	equal(t, "pending", p.Pending(), 1)
	p.Acquire(3, nil, []Origin{me}, nil)
	b, _ := p.Freeze()
	p.Done(old.Epoch, []Value{{"k", 5}}, nil)
	equal(t, "pending after the old batch's end", p.Pending(), 1)
	p.Done(b.Epoch, nil, nil)
	equal(t, "pending", p.Pending(), 0)
	p.Done(b.Epoch, []Value{{"k", 99}}, nil) // twice: the second says nothing
	if v, state := p.Total(Hash("k"), "k"); state == Read {
		t.Fatalf("a value from nowhere: %d", v)
	}
}

func TestR5_AHandOverFlushesEverythingAndNamesTheNewOwner(t *testing.T) {
	p := owner(me, nil)
	add(t, p, "a", 1)
	before, _ := p.Freeze()
	equal(t, "new owner of a batch before", before.NewOwner, Origin{})
	add(t, p, "a", 2)
	equal(t, "released", p.Release(other), true)
	equal(t, "released twice", p.Release(third), false)
	equal(t, "phase", p.Phase(), Releasing)
	if _, handed := p.Done(1, nil, nil); handed {
		t.Fatal("a batch from before the release handed the partition over")
	}
	equal(t, "dirty", p.Dirty(), true)
	b, _ := p.Freeze()
	equal(t, "new owner", b.NewOwner, other)
	equal(t, "deltas", deltasOf(b), "a+2 ")
	_, handed := p.Done(1, nil, nil)
	equal(t, "handed over", handed, true)
	equal(t, "phase", p.Phase(), Following)
	o, e := p.Owner()
	equal(t, "owner", o, other)
	equal(t, "epoch", e, 2)
	equal(t, "says hello to the new owner", p.Ready(), true)
}

func TestR5_AHandOverWithNothingToFlushIsABatchAllTheSame(t *testing.T) {
	p := owner(me, nil)
	equal(t, "dirty", p.Dirty(), false)
	p.Release(other)
	b, ok := p.Freeze()
	if !ok || b.NewOwner != other || len(b.Moves)+len(b.Deltas) > 0 {
		t.Fatalf("%+v, %v", b, ok)
	}
}

func TestAcquire_PanicsWhenItIsCalledOutOfTurn(t *testing.T) {
	mustPanic(t, "twice", func() { owner(me, nil).Acquire(2, nil, nil, nil) })
	mustPanic(t, "from the past", func() {
		p := New(0, me)
		p.Learn(other, 5)
		p.Acquire(4, nil, nil, nil)
	})
	mustPanic(t, "from a ledger ahead of this origin", func() { New(0, me).Acquire(1, map[Origin]uint64{me: 1}, nil, nil) })
}

func TestPartition_SaysWhatItIs(t *testing.T) {
	p := owner(me, nil)
	add(t, p, "a", 1)
	add(t, p, "b", 1)
	flush(t, p)
	add(t, p, "a", 1)
	all, dirty := p.Counters()
	equal(t, "counters", fmt.Sprint(all, dirty), "2 1")
	equal(t, "id", p.ID(), 7)
	p.Drop()
	p.Drop() // again: nothing
	all, dirty = p.Counters()
	equal(t, "counters of a follower", fmt.Sprint(all, dirty), "0 0")
	if _, ok := p.BeginLoad(); ok {
		t.Fatal("a follower begins to load")
	}
	equal(t, "what a follower knows of the origins", len(p.Origins())+len(p.Settling()), 0)
	equal(t, "settling", p.IsSettling(), false)
	p.Shrink(free)
	p.AddOrigin(third)
	p.RemoveOrigin(third)
	p.StopAwaiting(third)
	equal(t, "released by a follower", p.Release(other), false)
	if _, ok := p.Freeze(); ok {
		t.Fatal("a follower has something to flush")
	}
	if v, state := p.Total(Hash("a"), "a"); state != ReadMoved {
		t.Fatalf("%d, %d", v, state)
	}
}
