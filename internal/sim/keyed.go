package sim

import (
	"errors"
	"fmt"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// request is one increment with an idempotency key, which its client repeats at any process until it is answered (R9).
type request struct {
	w     *world
	key   int
	ref   counter.IDRef
	delta int64
	tries int // left
	over  bool
}

func (w *world) planKeyed() {
	for range w.cfg.keyed {
		w.at(w.between(1, w.cfg.until), w.requestOnce)
	}
}

// requestOnce is a client with an idempotency key; sometimes two of them at the same moment.
func (w *world) requestOnce() {
	key, id := w.rng.IntN(len(w.keys)), w.rng.IntN(w.cfg.ids)
	r := &request{w: w, key: key, ref: counter.IDRef{Key: w.keys[key], ID: fmt.Sprintf("i%d", id)}, delta: int64(1 + id), tries: 8}
	if w.cfg.extreme && id == 0 {
		r.delta = 1 << 62
	}
	if w.chance(w.cfg.misuse) {
		r.delta++
	}
	w.audit.requested(r.ref, r.delta)
	r.attempt()
	if w.chance(w.cfg.repeated) {
		w.mark(markIDTwice)
		r.attempt()
	}
}

// again repeats the request after a while, if its client has patience.
func (r *request) again() {
	if r.over || r.tries <= 0 {
		return
	}
	r.tries--
	r.w.at(r.w.between(5, 120), r.attempt)
}

func (r *request) attempt() {
	if r.over {
		return
	}
	n := r.w.someone()
	if n == nil {
		r.again()
		return
	}
	r.w.at(callTimeout*4, func() { // the process may have crashed, or be paused
		if !r.over {
			r.again()
		}
	})
	n.run(func() { n.once(r, 10) })
}

// found is what an owner knows of an idempotency key.
type found struct {
	row   counter.IDRow
	state counter.IDState
}

// once asks the owner about the key, and then accepts the increment, or answers at once.
func (n *node) once(r *request, tries int) {
	p := n.parts[n.w.partitionOf(r.key)]
	finish := func(f found) {
		switch {
		case (f.state == counter.IDCounted || f.state == counter.IDStored) && f.row.Fingerprint != counter.Fingerprint(r.delta):
			n.w.audit.reused(r.ref, r.delta)
			r.over = true
		case f.state == counter.IDStored:
			n.w.audit.answeredByStore(&f.row, r.delta)
			r.over = true
		case f.state == counter.IDAbsent || f.state == counter.IDCounted:
			if n.addOnce(r, p) {
				return
			}
			fallthrough
		default:
			if tries > 1 {
				n.after(n.w.between(2, 12), func() { n.once(r, tries-1) })
			}
		}
	}
	owner, _ := p.Owner()
	to := n.w.byID[owner]
	switch {
	case p.Phase() == counter.Owning:
		finish(p.lookUp(r.ref))
	case p.Phase() == counter.Following && to != nil && to != n:
		call(n, to, func() (found, bool) { return to.parts[p.id].lookUp(r.ref), true }, func(f found, ok bool) {
			if !ok {
				f.state = counter.IDMoved
			}
			finish(f)
		})
	default:
		finish(found{})
	}
}

func (p *part) lookUp(ref counter.IDRef) (f found) {
	f.row, f.state = p.LookupID(ref)
	if f.state == counter.IDMissing {
		p.wantID(ref)
	}
	return f
}

// addOnce accepts the increment; false: the owner must be asked again.
func (n *node) addOnce(r *request, p *part) bool {
	w := n.w
	if n.leaving {
		return false // no more is accepted
	}
	a, err := p.AddID(w.hashes[r.key], r.ref, r.delta)
	if w.tracing() {
		w.logf("client: %s adds %d to %s as %s: %+v %v", n.name, r.delta, r.ref.Key, r.ref.ID, a, err)
	}
	switch {
	case errors.Is(err, counter.ErrIDMissing):
		return false
	case errors.Is(err, counter.ErrIDReused):
		w.audit.reused(r.ref, r.delta)
		r.over = true
		return true
	case err != nil:
		w.mark(markOutOfRangeHere)
		r.over = true
		return true
	}
	sh := w.audit.acceptedOnce(p, a, r)
	n.follow(p, a, sh, r, false)
	return true
}
