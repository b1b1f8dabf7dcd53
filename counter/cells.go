package counter

import (
	"math"
	"math/bits"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// Hash is the hash of a key that the core's calls take, so that a caller who has it already (the partition is a function
// of it) does not compute it twice: xxhash64.
func Hash(key string) uint64 { return xxhash.Sum64String(key) }

// cells are an owner's counters of one partition: an open-addressing hash table (linear probing, Knuth vol. 3, 6.4) over a
// slice, since a counter must cost little while nobody touches it: 32 bytes, its key, and 4 to 8 bytes of index.
// What is being changed has a record beside its cell until the store has the change:
//
//	total = base + sent + pend
type cells struct {
	index []uint32 // 1 + place in cell; 0: empty. Length: a power of two.
	cell  []cell
	dirty []record
}

type cell struct {
	key  string
	base int64  // the value in the store, when known
	hash uint32 // of the key
	// link is 1 + the place of the cell's record in dirty (0: clean), and in its highest bit whether base is known.
	link uint32
}

const knownBit = 1 << 31

func (c *cell) known() bool    { return c.link&knownBit != 0 }
func (c *cell) record() uint32 { return c.link &^ knownBit }

func (c *cell) setBase(v int64) {
	c.base = v
	c.link |= knownBit
}

func (c *cell) forgetBase() { c.link &^= knownBit }

// record is the unflushed part of one counter.
type record struct {
	cell    uint32
	touched bool   // changed since the last freeze, even if the sum is 0
	frozen  bool   // part of the batch under way
	op      uint64 // number of this node's own operation on the key that may still be open
	pend    int64  // applied since the last freeze
	sent    int64  // in the batch under way
}

// slot takes the half of the key's hash that the choice of the partition depends on least.
func slot(hash uint64) uint32 { return uint32(hash >> 32) }

// find returns the place of the key's cell.
func (c *cells) find(hash64 uint64, key string) (uint32, bool) {
	if len(c.index) == 0 {
		return 0, false
	}
	hash := slot(hash64)
	mask := uint32(len(c.index) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		p := c.index[i]
		if p == 0 {
			return 0, false
		}
		if k := &c.cell[p-1]; k.hash == hash && k.key == key {
			return p - 1, true
		}
	}
}

// place returns the place of the key's cell, made when missing with a copy of the key.
func (c *cells) place(hash uint64, key string) uint32 {
	if i, ok := c.find(hash, key); ok {
		return i
	}
	if len(c.cell)*4 >= len(c.index)*3 {
		c.reindex(max(8, 2*len(c.index)))
	}
	c.cell = append(c.cell, cell{key: strings.Clone(key), hash: slot(hash)})
	c.enter(uint32(len(c.cell) - 1))
	return uint32(len(c.cell) - 1)
}

func (c *cells) enter(place uint32) {
	mask := uint32(len(c.index) - 1)
	i := c.cell[place].hash & mask
	for c.index[i] != 0 {
		i = (i + 1) & mask
	}
	c.index[i] = place + 1
}

func (c *cells) reindex(size int) {
	c.index = make([]uint32, size)
	for i := range c.cell {
		c.enter(uint32(i))
	}
}

// record returns the record of the cell at i, made when it is clean. The pointer is valid until the next call.
func (c *cells) record(i uint32) *record {
	r := c.cell[i].record()
	if r == 0 {
		c.dirty = append(c.dirty, record{cell: i})
		r = uint32(len(c.dirty))
		c.cell[i].link |= r
	}
	return &c.dirty[r-1]
}

// total returns the counter's value; with known false, only the part that the store lacks. It stops at the end of int64
// when deltas that were applied before the value was known lead beyond (the store will set them aside): then fits is false.
func (c *cells) total(i uint32) (v int64, known, fits bool) {
	k := &c.cell[i]
	if known = k.known(); known {
		v = k.base
	}
	r := k.record()
	if r == 0 {
		return v, known, true
	}
	d := &c.dirty[r-1]
	part := d.sent + d.pend
	all := v + part
	if (d.sent^part)&(d.pend^part)|(v^all)&(part^all) >= 0 { // neither sum has wrapped around
		return all, known, true
	}
	v, fits = sum(v, d.sent, d.pend)
	return v, known, fits
}

// sum adds three numbers as if there were no end, then stops at the end of int64.
func sum(a, b, c int64) (v int64, fits bool) {
	lo, carry := bits.Add64(uint64(a), uint64(b), 0)
	hi := a>>63 + b>>63 + int64(carry)
	lo, carry = bits.Add64(lo, uint64(c), 0)
	hi += c>>63 + int64(carry)
	switch v = int64(lo); {
	case hi == v>>63:
		return v, true
	case hi < 0:
		return math.MinInt64, false
	}
	return math.MaxInt64, false
}

// release removes the record at place d and moves the last one into its place.
func (c *cells) release(d int) {
	c.cell[c.dirty[d].cell].link &= knownBit
	last := len(c.dirty) - 1
	if d != last {
		c.dirty[d] = c.dirty[last]
		k := &c.cell[c.dirty[d].cell]
		k.link = k.link&knownBit | uint32(d+1)
	}
	c.dirty = c.dirty[:last]
}

// evict forgets clean counters, the oldest first, until about limit of them are left: the store has them.
func (c *cells) evict(limit int) {
	excess := len(c.cell) - len(c.dirty) - limit
	if excess <= 0 {
		return
	}
	keep := c.cell[:0]
	for i := range c.cell {
		k := c.cell[i]
		r := k.record()
		if r == 0 && excess > 0 {
			excess--
			continue
		}
		if r != 0 {
			c.dirty[r-1].cell = uint32(len(keep))
		}
		keep = append(keep, k)
	}
	clear(c.cell[len(keep):])
	c.cell = keep
	c.reindex(len(c.index))
}
