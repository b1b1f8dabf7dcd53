package counter

import (
	"fmt"
	"testing"
)

// pump sends sections of p to the owner until nothing is left to send. Between two of them the owner reads from an empty store what it wants, and lets go
// of what is beyond its limits in the same step, as package node does. It returns how many reads that took.
func pump(t tester, p, owner *Partition, lim Limits) (reads int) {
	t.Helper()
	for tries := 0; p.Ready(); tries++ {
		if tries > 200 {
			t.Fatalf("%d operations never get through", p.Pending())
		}
		s := next(t, p, 1<<10)
		a, want := owner.Handle(p.self, &s, lim, false)
		a.Results = append([]OpResult(nil), a.Results...)
		p.Take(s.Epoch, &a)
		if a.Code == Loading {
			reads++
			read(t, owner, want, lim)
		}
	}
	return reads
}

func read(t tester, owner *Partition, want Wanted, lim Limits) {
	t.Helper()
	token, _ := owner.BeginLoad()
	if !owner.Loaded(token, &Snapshot{Wanted: want}) {
		t.Fatal("what was read is not used")
	}
	owner.Shrink(lim)
}

// R12: a section that wants more than the owner may remember is taken piece by piece, whatever the order in which it wants things.
func TestR12_ASectionThatWantsMoreThanTheOwnerRemembersGetsThrough(t *testing.T) {
	const count = 100
	for _, c := range []struct {
		what   string
		lim    Limits
		id     func(i int) string
		waits  bool
		before int // idempotency keys and counters that the owner has read for others
		reads  int
	}{
		{"idempotency keys", Limits{MaxDirty: 1000, MaxClean: 1000, MaxIDs: 20}, func(i int) string { return fmt.Sprint(i) }, false, 0, 20},
		{"idempotency keys, of which some are known", Limits{MaxDirty: 1000, MaxClean: 1000, MaxIDs: 20}, func(i int) string { return fmt.Sprint(i) }, false, 20, 25},
		{"the smallest limits", Limits{MaxDirty: 1000, MaxClean: 1, MaxIDs: 1}, func(i int) string { return fmt.Sprint(i) }, false, 0, count},
		{"totals", Limits{MaxDirty: 1000, MaxClean: 20, MaxIDs: 1000}, func(int) string { return "" }, true, 0, 20},
		{"totals, of which some are known", Limits{MaxDirty: 1000, MaxClean: 20, MaxIDs: 1000}, func(int) string { return "" }, true, 20, 25},
		{"both", Limits{MaxDirty: 1000, MaxClean: 20, MaxIDs: 20}, func(i int) string { return fmt.Sprint(i) }, true, 10, 20},
	} {
		t.Run(c.what, func(t *testing.T) {
			p, o := follower(me, other), owner(other, nil)
			var known Wanted
			for i := range count {
				key := fmt.Sprint("k", i)
				n := uint64(0)
				if id := c.id(i); id == "" {
					n = add(t, p, key, 1).Number
				} else {
					a, err := p.AddID(Hash(key), IDRef{Key: key, ID: id}, 1)
					if err != nil {
						t.Fatal(err)
					}
					n = a.Number
				}
				if c.waits {
					p.Wait(n, &Ticket{Level: Applied, Done: make(chan struct{}, 1)}, true)
				}
				if i%3 == 0 && len(known.IDs) < c.before {
					known.Keys = append(known.Keys, key)
					known.IDs = append(known.IDs, IDRef{Key: key, ID: c.id(i)})
				}
			}
			if c.before > 0 {
				read(t, o, known, c.lim)
			}
			if reads := pump(t, p, o, c.lim); reads > c.reads {
				t.Errorf("%d reads, want at most %d", reads, c.reads)
			}
			b, _ := o.Freeze()
			equal(t, "deltas", len(b.Deltas), count)
		})
	}
}

// What is in memory is taken whole, however much of it there is.
func TestHandle_TakesASectionWholeWhenNothingMustBeRead(t *testing.T) {
	p, o := follower(me, other), owner(other, nil)
	for range 50 {
		await(t, p, "k", 1, Applied, true)
		p.out.seal(p.out.last()) // so that the next one is an operation of its own
	}
	load(t, o, map[string]int64{"k": 0}, nil)
	s := next(t, p, 100)
	a, _ := o.Handle(me, &s, Limits{MaxDirty: 10}, false)
	equal(t, "code", a.Code, OK)
	equal(t, "applied", a.Applied, 50)
}

// The limit is of what the store has: what it lacks is bounded elsewhere, and must not push out what was just read.
func TestShrink_KeepsWhatWasJustReadBesideWhatTheStoreLacks(t *testing.T) {
	o := owner(other, nil)
	lim := Limits{MaxDirty: 100, MaxClean: 2, MaxIDs: 2}
	for i := range 10 {
		ref := IDRef{Key: fmt.Sprint("k", i), ID: "i"}
		read(t, o, Wanted{Keys: []string{ref.Key}, IDs: []IDRef{ref}}, lim)
		if _, err := o.AddID(Hash(ref.Key), ref, 1); err != nil {
			t.Fatalf("number %d: %v", i, err)
		}
		total(t, o, ref.Key, 1)
	}
}

// The same for what an owner brings along itself.
func TestR12_AnOwnersOwnOperationsGetThroughThoughItRemembersFewKeys(t *testing.T) {
	p, lim := follower(me, other), Limits{MaxClean: 20, MaxIDs: 20}
	for i := range 3 * maxWanted {
		if _, err := p.AddID(Hash("k"), IDRef{Key: "k", ID: fmt.Sprint(i)}, 1); err != nil {
			t.Fatal(err)
		}
	}
	p.Acquire(2, nil, nil, nil)
	for want, tries := p.Wanted(), 0; !want.Empty(); want, tries = p.Wanted(), tries+1 {
		if tries == 3 {
			t.Fatal("they never get through")
		}
		read(t, p, want, lim)
	}
	total(t, p, "k", 3*maxWanted)
}
