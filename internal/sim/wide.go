package sim

import "math/bits"

// wide is a sum of many int64s: 128 bits, two's complement.
type wide struct {
	hi int64
	lo uint64
}

func (a wide) plus(d int64) wide {
	lo, carry := bits.Add64(a.lo, uint64(d), 0)
	return wide{hi: a.hi + d>>63 + int64(carry), lo: lo}
}

func (a wide) minus(b wide) wide {
	lo, borrow := bits.Sub64(a.lo, b.lo, 0)
	return wide{hi: a.hi - b.hi - int64(borrow), lo: lo}
}

// int64 returns the sum, and whether it has room there.
func (a wide) int64() (int64, bool) {
	v := int64(a.lo)
	return v, a.hi == v>>63
}
