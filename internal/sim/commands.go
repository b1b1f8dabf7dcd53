package sim

import (
	"errors"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// planCommands spreads commands over the history: sets, and increments with bounds, at owners. Nodes carry them to the owner in one
// message that is never sent again, so that what is on the way there is nothing that the core could see.
func (w *world) planCommands() {
	for range w.cfg.commands {
		w.at(w.between(1, w.cfg.until), w.command)
	}
}

func (w *world) command() {
	n := w.someone()
	if n == nil {
		return
	}
	key := w.rng.IntN(len(w.keys))
	c := &counter.Command{Value: w.rng.Int64N(41) - 20, Min: -w.rng.Int64N(30), Max: w.rng.Int64N(120), Saturate: w.chance(50)}
	if w.chance(25) {
		c = &counter.Command{Set: true, Value: w.rng.Int64N(100)}
	}
	n.run(func() { n.resolve(key, c, 12) })
}

// resolve carries out a command as the owner, the way package node does: with the lease looked at before and, for the answer, after.
func (n *node) resolve(key int, c *counter.Command, tries int) {
	w := n.w
	p := n.parts[w.partitionOf(key)]
	state := counter.ReadSettle
	var r counter.Resolved
	var err error
	if n.trusted() && !n.leaving {
		r, state, err = p.Resolve(w.hashes[key], counter.IDRef{Key: w.keys[key]}, c)
	}
	if state != counter.Read {
		if state == counter.ReadMissing {
			p.want(key)
		} else {
			w.mark(markCommandWaits)
		}
		if tries > 1 {
			n.after(w.between(2, 12), func() { n.resolve(key, c, tries-1) })
		}
		return
	}
	if w.tracing() {
		w.logf("client: %s resolves %+v of %s: %+v %v", n.name, *c, w.keys[key], r, err)
	}
	// What the owner takes for the total is told, so it must be what every total is (R8).
	w.audit.shown(p.id, sight{code: readValue, at: w.now, marks: w.audit.served(p, key, r.Before)})
	switch {
	case errors.Is(err, counter.ErrOutOfBounds):
		w.mark(markOutOfBounds)
		w.audit.rejected(c, r.Before)
	case err != nil:
		w.mark(markOutOfRangeHere)
	default:
		w.mark(markCommand)
		w.audit.resolved(p, key, c, &r)
		n.follow(p, r.Added, w.audit.accepted(p, r.Added, key, r.Delta), nil, true)
	}
}

// rejected checks that a bound was in the way.
func (a *auditor) rejected(c *counter.Command, before int64) {
	after, fits := wide{}.plus(before).plus(c.Value).int64()
	beyond := !fits || c.Value > 0 && after > c.Max || c.Value < 0 && after < c.Min
	a.w.mustBe(!c.Set && !c.Saturate && beyond, "R8", "%+v was rejected at %d", *c, before)
}

// resolved checks by the books that a command leads where it says, and never out of its bounds. It is called before the operation is
// noted.
func (a *auditor) resolved(p *part, key int, c *counter.Command, r *counter.Resolved) {
	after, fits := wide{}.plus(r.Before).plus(r.Delta).int64()
	// A total that is out of bounds already may stay where it is, or come back.
	lowest, highest := min(c.Min, r.Before), max(c.Max, r.Before)
	if c.Set {
		lowest, highest = c.Value, c.Value
	}
	a.w.mustBe(fits && after >= lowest && after <= highest, "R8", "%s: %+v led %s from %d to %d", p.n.name, *c, a.w.keys[key], r.Before, after)
	a.w.mustBe(c.Set || c.Saturate || r.Delta == c.Value, "R8", "%s: %+v added %d", p.n.name, *c, r.Delta)
	a.w.mustBe(r.HasTotal && r.Total == after && r.Applied, "R8", "%s: %+v led to %d, and was told %+v", p.n.name, *c, after, r.Added)
}
