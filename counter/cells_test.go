package counter

import (
	"fmt"
	"math"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

// The table of cells behaves like a map, with keys that collide in all of their hash as well.
func TestCells_AreAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type entry struct {
			base  int64
			known bool
			pend  int64
			dirty bool
		}
		var c cells
		naive := map[string]*entry{}
		key := rapid.Custom(func(t *rapid.T) string { return fmt.Sprint("key", rapid.IntRange(0, 40).Draw(t, "key")) })
		hash := func(k string) uint64 { return Hash(k) & (7 << 32) } // three bits: long runs of collisions
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			k := key.Draw(t, "key")
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0, 1:
				i := c.place(hash(k), k)
				if naive[k] == nil {
					naive[k] = &entry{}
				}
				d := rapid.Int64Range(-9, 9).Draw(t, "delta")
				c.record(i).pend += d
				naive[k].pend += d
				naive[k].dirty = true
			case 2:
				i := c.place(hash(k), k)
				if naive[k] == nil {
					naive[k] = &entry{}
				}
				v := rapid.Int64().Draw(t, "base") >> 2
				c.cell[i].setBase(v)
				naive[k].base, naive[k].known = v, true
			case 3:
				if i, ok := c.find(hash(k), k); ok && c.cell[i].record() != 0 {
					c.release(int(c.cell[i].record() - 1))
					naive[k].pend, naive[k].dirty = 0, false
				}
			case 4:
				if i, ok := c.find(hash(k), k); ok {
					c.cell[i].forgetBase()
					naive[k].known = false
				}
			case 5:
				limit := rapid.IntRange(0, 40).Draw(t, "limit")
				c.evict(limit)
				for name, e := range naive {
					if _, ok := c.find(hash(name), name); !ok {
						if e.dirty {
							t.Fatalf("%s was dirty and is gone", name)
						}
						delete(naive, name)
					}
				}
				if dirty := len(c.dirty); len(c.cell) > max(limit, dirty) {
					t.Fatalf("%d cells are left, %d of them dirty, with a limit of %d", len(c.cell), dirty, limit)
				}
			}
			equal(t, "cells", len(c.cell), len(naive))
		}
		dirty := 0
		for name, e := range naive {
			i, ok := c.find(hash(name), name)
			if !ok {
				t.Fatalf("%s is missing", name)
			}
			v, known, _ := c.total(i)
			equal(t, name+" known", known, e.known)
			want := e.pend
			if known {
				want += e.base
			}
			equal(t, name, v, want)
			if e.dirty {
				dirty++
			}
		}
		equal(t, "dirty", len(c.dirty), dirty)
		if _, ok := c.find(hash("absent"), "absent"); ok {
			t.Fatal("found what was never there")
		}
	})
}

// The quick way to a total and the sure one agree, at the ends of the range above all.
func TestCells_ATotalIsTheSumOfItsParts(t *testing.T) {
	ends := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-3, 3), rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64, math.MaxInt64 / 2}))
	rapid.Check(t, func(t *rapid.T) {
		var c cells
		i := c.place(Hash("k"), "k")
		base, sent, pend := ends.Draw(t, "base"), ends.Draw(t, "sent"), ends.Draw(t, "pend")
		c.cell[i].setBase(base)
		r := c.record(i)
		r.sent, r.pend = sent, pend
		v, known, fits := c.total(i)
		want, wantFits := sum(base, sent, pend)
		equal(t, "total", fmt.Sprint(v, known, fits), fmt.Sprint(want, true, wantFits))
	})
}

// The bytes of a key belong to a message, which is read over by the next one.
func TestKeys_AreCopiedBeforeTheyAreKept(t *testing.T) {
	for name, p := range map[string]*Partition{"following": follower(me, other), "owning": owner(me, nil)} {
		t.Run(name, func(t *testing.T) {
			message := []byte("key")
			alias := unsafe.String(unsafe.SliceData(message), len(message))
			add(t, p, alias, 5)
			if p.Phase() == Owning {
				s := Section{Epoch: 1, First: 1, Ops: []Op{{Key: alias, Delta: 1}}}
				p.Handle(other, &s, free, false)
			}
			copy(message, "XXX")
			add(t, p, "key", 1)
			equal(t, "operations", p.Pending(), 1)
			equal(t, "key", p.out.at(1).Key, "key")
		})
	}
}

func BenchmarkAdd_OwnedKnownCounters(b *testing.B) {
	p := owner(me, nil)
	keys, values := make([]string, 1000), map[string]int64{}
	hashes := make([]uint64, len(keys))
	for i := range keys {
		keys[i] = fmt.Sprintf("counter:%d", i)
		hashes[i] = Hash(keys[i])
		values[keys[i]] = 0
	}
	load(b, p, values, nil)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := p.Add(hashes[i], keys[i], 1); err != nil {
			b.Fatal(err)
		}
		if i++; i == len(keys) {
			i = 0
		}
	}
}
