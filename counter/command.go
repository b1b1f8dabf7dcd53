package counter

import (
	"errors"
	"math"
)

// ErrOutOfBounds is a command's result when it would pass one of its bounds. It adds nothing.
var ErrOutOfBounds = errors.New("the total would pass the bound")

// ErrTooFar is the result of a Set when no delta of 64 bits leads from the total to the value. It adds nothing.
var ErrTooFar = errors.New("the value is too far from the total for one change of 64 bits")

// ErrOtherTotal is the result of a command whose idempotency key counts, with a total that the command does not lead to. Either the key was used for
// another one; or it was this one, and a later owner, to whom it was sent, applied it after other operations than the owner that resolved
// it, or could not tell the total. Nothing more was added.
var ErrOtherTotal = errors.New("the idempotency key counts with another total")

// Command is a change whose delta depends on the total. The owner of its key resolves it: from then on it is an operation of the
// owner's own, with a fixed delta, like any other (R1).
type Command struct {
	Set   bool  // the total becomes Value; else Value is added, within the bounds
	Value int64 // the new total, or the delta
	// An addition leads neither beyond Max when it adds, nor below Min when it takes away; a total that is beyond a bound already may
	// come back. math.MinInt64 and math.MaxInt64: no bound. A Set has none.
	Min, Max int64
	Saturate bool // add what fits within the bounds, instead of nothing
}

// delta returns what the command adds to a total. ErrOutOfBounds, ErrTooFar, ErrOutOfRange: it adds nothing.
func (c *Command) delta(total int64) (int64, error) {
	if c.Set {
		if d := c.Value - total; (c.Value >= total) == (d >= 0) {
			return d, nil
		}
		return 0, ErrTooFar
	}
	over, after := addOverflows(total, c.Value), total+c.Value
	// limit is how far the total may go: what leads beyond it is nearer than Value, so that the difference fits in 64 bits.
	var limit int64
	var none bool
	switch {
	case c.Value > 0 && (over || after > c.Max):
		limit, none = max(c.Max, total), c.Max == math.MaxInt64
	case c.Value < 0 && (over || after < c.Min):
		limit, none = min(c.Min, total), c.Min == math.MinInt64
	default:
		return c.Value, nil
	}
	switch {
	case c.Saturate:
		return limit - total, nil
	case none:
		return 0, ErrOutOfRange
	}
	return 0, ErrOutOfBounds
}

// explains says whether the command can have been resolved to delta, and the total have been after just behind it: a repeat with its
// idempotency key is checked by it, since what else the first one was is not kept.
func (c *Command) explains(delta, after int64) bool {
	switch {
	case after == UnknownTotal || !c.mayAdd(delta):
		return false
	case c.Set:
		return after == c.Value
	case c.Value >= 0:
		return delta == 0 || after <= c.Max
	}
	return delta == 0 || after >= c.Min
}

// mayAdd says whether the command can have been resolved to delta, at whatever total.
func (c *Command) mayAdd(delta int64) bool {
	switch {
	case c.Set || delta == c.Value:
		return true
	case !c.Saturate:
		return false
	case c.Value >= 0:
		return delta >= 0 && delta <= c.Value
	}
	return delta <= 0 && delta >= c.Value
}

// Resolved is what became of a command.
type Resolved struct {
	Added
	Before int64 // the total just before it
	Delta  int64 // what it adds; the total just after it is Before + Delta
}

// Resolve accepts a command as the owner, in one step with the look at the total: nothing comes between them (R2). It takes the same
// conditions as a total that is told (R8), and that all of this node's own operations are applied; a state other than Read says which
// one is missing, and then nothing was accepted. Nor was it with an error: ErrOutOfBounds (Before is the total), ErrTooFar,
// ErrOutOfRange (with an ID also when the total would be UnknownTotal), ErrOtherTotal, and those of AddID, of which ErrIDMissing asks for a read of the store. An ID of "" is none. hash is Hash(ref.Key);
// the strings of ref are not kept.
func (p *Partition) Resolve(hash uint64, ref IDRef, c *Command) (r Resolved, state ReadState, err error) {
	if r.Before, state = p.Total(hash, ref.Key); state != Read {
		return r, state, nil
	}
	if i, _ := p.own.cells.find(hash, ref.Key); !p.own.fits(i) || p.own.selfApplied != p.out.last() {
		return r, ReadSettle, nil // the store is about to set something aside, or to be asked about an idempotency key
	}
	if ref.ID == "" {
		if r.Delta, err = c.delta(r.Before); err == nil {
			r.Added, err = p.Add(hash, ref.Key, r.Delta)
		}
		return r, Read, c.refusal(err)
	}
	e := p.own.ids.find(ref)
	switch {
	case e == nil:
		return r, Read, ErrIDMissing
	case !e.counted:
		if r.Delta, err = c.delta(r.Before); err == nil && r.Before+r.Delta == UnknownTotal {
			return r, Read, ErrOutOfRange // a repeat would never know what became of it
		}
	case c.explains(int64(e.row.Fingerprint), e.row.Total):
		r.Delta, r.Before = int64(e.row.Fingerprint), e.row.Total-int64(e.row.Fingerprint)
	case c.mayAdd(int64(e.row.Fingerprint)):
		err = ErrOtherTotal
	default:
		err = ErrIDReused
	}
	if err == nil {
		r.Added, err = p.AddID(hash, ref, r.Delta)
	}
	return r, Read, c.refusal(err)
}

// refusal puts a refused Set into its own words: its value is in the range, however far the way.
func (c *Command) refusal(err error) error {
	if c.Set && errors.Is(err, ErrOutOfRange) {
		return ErrTooFar
	}
	return err
}

// fits says whether a counter's total stands within the range of 64 bits.
func (w *owned) fits(i uint32) bool {
	_, _, fits := w.cells.total(i)
	return fits
}
