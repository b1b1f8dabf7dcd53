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
		m := cellsModel{naive: map[string]*entry{}}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			m.step(t, fmt.Sprint("key", rapid.IntRange(0, 40).Draw(t, "key")))
			equal(t, "cells", len(m.c.cell), len(m.naive))
		}
		m.agree(t)
		if _, ok := m.find("absent"); ok {
			t.Fatal("found what was never there")
		}
	})
}

// cellsModel is a table of cells beside the map that it must be like.
type cellsModel struct {
	c     cells
	naive map[string]*entry
}

type entry struct {
	base  int64
	known bool
	pend  int64
	dirty bool
}

// hashOf has three bits: long runs of collisions.
func hashOf(k string) uint64 { return Hash(k) & (7 << 32) }

func (m *cellsModel) find(k string) (uint32, bool) { return m.c.find(hashOf(k), k) }

// place returns the key's cell and entry, new ones when need be.
func (m *cellsModel) place(k string) (uint32, *entry) {
	if m.naive[k] == nil {
		m.naive[k] = &entry{}
	}
	return m.c.place(hashOf(k), k), m.naive[k]
}

// step does one of the things that happen to a cell.
func (m *cellsModel) step(t *rapid.T, k string) {
	switch rapid.IntRange(0, 5).Draw(t, "step") {
	case 0, 1:
		i, e := m.place(k)
		d := rapid.Int64Range(-9, 9).Draw(t, "delta")
		m.c.record(i).pend += d
		e.pend += d
		e.dirty = true
	case 2:
		i, e := m.place(k)
		e.base, e.known = rapid.Int64().Draw(t, "base")>>2, true
		m.c.cell[i].setBase(e.base)
	case 3:
		if i, ok := m.find(k); ok && m.c.cell[i].record() != 0 {
			m.c.release(int(m.c.cell[i].record() - 1))
			m.naive[k].pend, m.naive[k].dirty = 0, false
		}
	case 4:
		if i, ok := m.find(k); ok {
			m.c.cell[i].forgetBase()
			m.naive[k].known = false
		}
	case 5:
		m.evict(t, rapid.IntRange(0, 40).Draw(t, "limit"))
	}
}

// evict may drop any cells but dirty ones, until no more than limit are left.
func (m *cellsModel) evict(t *rapid.T, limit int) {
	m.c.evict(limit)
	for name, e := range m.naive {
		if _, ok := m.find(name); ok {
			continue
		}
		if e.dirty {
			t.Fatalf("%s was dirty and is gone", name)
		}
		delete(m.naive, name)
	}
	if dirty := len(m.c.dirty); len(m.c.cell) > limit+dirty {
		t.Fatalf("%d cells are left, %d of them dirty, with a limit of %d", len(m.c.cell), dirty, limit)
	}
}

// agree compares every counter.
func (m *cellsModel) agree(t *rapid.T) {
	dirty := 0
	for name, e := range m.naive {
		i, ok := m.find(name)
		if !ok {
			t.Fatalf("%s is missing", name)
		}
		v, known, _ := m.c.total(i)
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
	equal(t, "dirty", len(m.c.dirty), dirty)
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
