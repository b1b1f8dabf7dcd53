package check

import "github.com/pinocchio-nose/pinocchio/scripts/chaos/history"

// Risks says which lives of nodes ended without a last flush. A life that is missing here lost nothing.
type Risks map[history.Life]Risk

// Risk is what may have gone with a life.
type Risk struct {
	Safe int64 // all that it had accepted by then (ns of the history's clock) is known to be in the table
	Disk bool  // its log is gone too
}

// survives says whether what the call promises outlives the node that answered, by its durability alone.
func (r Risks) survives(c *history.Call) bool {
	risk, ended := r[c.Life]
	switch {
	case !ended || c.End <= risk.Safe:
		return true
	case c.Outcome == history.Held:
		return false // only that process is known to hold it, and maybe not in its log
	case risk.Disk:
		return c.Level >= history.Replica && c.Outcome == history.Answered // later: nobody else is said to hold it
	default:
		return c.Level >= history.Disk
	}
}

// Bound is what the answers allow one key's value to be, in the table and in the service, with every increment at its own sign.
type Bound struct {
	Level        history.Level
	Least, Most  int64
	Risked       int64 // sum of positive increments answered and then at risk: Least does not have them
	Ops, Unknown int   // increments; those of them that count or do not
	Idempotent   bool  // every increment had an idempotency key
	Unsettled    int   // idempotent increments that were given up without an answer
}

// Exact says whether one value alone is right.
func (b *Bound) Exact() bool { return b.Least == b.Most }

// fate is what is known of one increment, over all its calls.
type fate struct {
	level                 history.Level
	delta                 int64
	idempotent            bool
	sure, risked, unknown bool
	answered              bool
}

// Bounds returns the bound of each key that was counted.
func Bounds(calls []history.Call, risks Risks) map[string]*Bound {
	fates := map[string]map[int64]*fate{}
	for i := range calls {
		c := &calls[i]
		if c.Kind != history.Add {
			continue
		}
		if fates[c.Key] == nil {
			fates[c.Key] = map[int64]*fate{}
		}
		f := fates[c.Key][c.Op]
		if f == nil {
			f = &fate{level: c.Level, delta: c.Delta, idempotent: c.Idempotent}
			fates[c.Key][c.Op] = f
		}
		f.learn(c, risks)
	}
	bounds := make(map[string]*Bound, len(fates))
	for key, ops := range fates {
		b := &Bound{Idempotent: true}
		for _, f := range ops {
			b.add(f)
		}
		bounds[key] = b
	}
	return bounds
}

// learn takes one more call of the increment.
func (f *fate) learn(c *history.Call, risks Risks) {
	switch c.Outcome {
	case history.Answered, history.Later, history.Held:
		f.answered = f.answered || c.Outcome != history.Held
		if risks.survives(c) {
			f.sure = true
		} else {
			f.risked = true
		}
	case history.Unknown:
		f.unknown = true
	}
}

func (b *Bound) add(f *fate) {
	b.Ops++
	b.Level = max(b.Level, f.level)
	b.Idempotent = b.Idempotent && f.idempotent
	if f.idempotent && !f.answered {
		b.Unsettled++
	}
	switch {
	case f.sure:
		b.Least += f.delta
		b.Most += f.delta
		return
	case f.risked:
		b.Risked += max(f.delta, 0)
	case f.unknown:
		b.Unknown++
	default:
		return // refused each time
	}
	b.Least += min(f.delta, 0)
	b.Most += max(f.delta, 0)
}

// Drift is how far the values lie outside of a bound.
type Drift struct{ Missing, Surplus int64 }

// Judge compares a value. allowed is what was answered, is missing, and may be.
func (b *Bound) Judge(value int64) (d Drift, allowed int64) {
	switch {
	case value < b.Least:
		d.Missing = b.Least - value
	case value > b.Most:
		d.Surplus = value - b.Most
	}
	return d, min(b.Risked, max(0, b.Least+b.Risked-value))
}
