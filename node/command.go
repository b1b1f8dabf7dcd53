package node

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// Change changes a counter by what depends on its total, at the owner of the key, wherever that is. It returns when the asked
// durability is reached there (R7). Errors: ErrOutOfBounds (with Changed.Before), ErrOutOfRange, ErrTooFar, ErrIDReused;
// ErrUnreachable and the others of a node that cannot take it, after which nothing was counted; ErrInDoubt.
func (n *Node) Change(c Change) (Changed, error) {
	r, err := n.change(&c, time.Now().Add(n.cfg.OwnerTimeout))
	n.count.command(c.Set, err)
	return r, err
}

func (n *Node) change(c *Change, deadline time.Time) (Changed, error) {
	sl := n.slots.of(counter.Hash(c.key()))
	for {
		if !n.accepting.Load() {
			return Changed{}, ErrNotReady
		}
		sl.mu.Lock()
		phase := sl.p.Phase()
		owner, _ := sl.p.Owner()
		sl.mu.Unlock()
		r, err := Changed{}, errMoved
		switch {
		case phase == counter.Owning:
			r, err = n.changeHere(sl, c, deadline)
		case phase == counter.Following && owner != n.id:
			r, err = n.changeThere(owner, c, deadline)
		}
		if !errors.Is(err, errMoved) {
			return r, err
		}
		if !time.Now().Add(readPause).Before(deadline) {
			return Changed{}, ErrUnreachable
		}
		time.Sleep(readPause)
	}
}

// key is c's key as a string, valid as long as c is: the core clones what it keeps.
func (c *Change) key() string { return unsafe.String(unsafe.SliceData(c.Key), len(c.Key)) }

func (c *Change) ref() counter.IDRef { return counter.IDRef{Key: c.key(), ID: string(c.ID)} }

// changeHere carries out a command as the owner. errMoved: nothing was counted, and another node owns the partition, or soon will.
func (n *Node) changeHere(sl *slot, c *Change, deadline time.Time) (Changed, error) {
	level, err := n.level(c.Durability)
	if err != nil {
		return Changed{}, err
	}
	for asked := false; ; {
		q := &request{sl: sl, in: Increment{Key: c.Key, ID: c.ID, Durability: c.Durability, Return: true}}
		r, state, err := n.resolve(q, c, level)
		switch {
		case errors.Is(err, counter.ErrIDMissing), err == nil && state == counter.ReadMissing:
			if asked {
				time.Sleep(readPause) // as in readHere
			}
			asked = true
			if err := n.loadCommand(sl, c, deadline); err != nil {
				return Changed{}, err
			}
		case err != nil:
			return Changed{Before: r.Before}, n.commandRefusal(err)
		case state == counter.Read:
			return n.changed(q, r, level)
		case state == counter.ReadMoved:
			return Changed{}, errMoved
		default: // settling, or without a lease that it can trust
			time.Sleep(readPause)
		}
		if !time.Now().Before(deadline) {
			return Changed{}, ErrUnreachable
		}
	}
}

// resolve looks at the total and accepts the operation, both under the slot's lock, while the lease can be trusted: somebody else may
// have added without it (R8).
func (n *Node) resolve(q *request, c *Change, level Durability) (counter.Resolved, counter.ReadState, error) {
	ref := c.ref()
	q.sl.mu.Lock()
	defer q.sl.mu.Unlock()
	if err := n.stillGood(level); err != nil {
		return counter.Resolved{}, counter.Read, err
	}
	if n.full() { // R10
		return counter.Resolved{}, counter.Read, ErrOverloaded
	}
	if !n.lease.trusted() {
		return counter.Resolved{}, counter.ReadSettle, nil
	}
	r, state, err := q.sl.p.Resolve(counter.Hash(ref.Key), ref, &c.Command)
	if err != nil && !n.lease.trusted() {
		return counter.Resolved{}, counter.ReadSettle, nil // a refusal tells of the total: it may not be the present one any more
	}
	if err != nil || state != counter.Read {
		return r, state, err
	}
	q.added = r.Added
	if r.Replayed {
		n.count.replayed.Inc()
	}
	n.accepted(q, level, counter.OpBytes+len(ref.Key)+len(ref.ID))
	return r, state, nil
}

// loadCommand reads from the store what the owner must know to resolve a command.
func (n *Node) loadCommand(sl *slot, c *Change, deadline time.Time) error {
	ref := c.ref()
	want := counter.Wanted{Keys: []string{ref.Key}}
	if ref.ID != "" {
		want.IDs = []counter.IDRef{ref}
	}
	call := n.loader.load(map[uint32]counter.Wanted{sl.p.ID(): want})
	timer := getTimer(time.Until(deadline))
	defer putTimer(timer)
	select {
	case <-call.done:
		if call.err != nil {
			return fmt.Errorf("%w: its owner cannot read the store: %w", ErrUnreachable, call.err)
		}
		return nil
	case <-timer.C:
		return ErrUnreachable
	}
}

// commandRefusal translates what the core said of a command, of which nothing was accepted.
func (n *Node) commandRefusal(err error) error {
	switch {
	case errors.Is(err, counter.ErrOutOfBounds):
		return ErrOutOfBounds
	case errors.Is(err, counter.ErrTooFar):
		return ErrTooFar
	case errors.Is(err, counter.ErrOtherTotal):
		return ErrInDoubt
	case errors.Is(err, counter.ErrOutOfRange), errors.Is(err, counter.ErrIDReused):
		return n.refusal(err)
	}
	return err
}

// changed waits for the durability of an accepted command. Its answer promises more than that of an increment: that the total was the
// present one. So it is in doubt whenever the partition may have had another owner by then.
func (n *Node) changed(q *request, r counter.Resolved, level Durability) (Changed, error) {
	res, err := q.result, error(nil)
	if q.ticket != nil {
		if q.flush {
			n.flusher.Kick()
		}
		timer := getTimer(n.patience(q))
		defer putTimer(timer)
		res, err = n.await(q, timer)
	}
	after := r.Before + r.Delta
	switch {
	case errors.Is(err, ErrDurabilityTimeout), errors.Is(err, ErrIDReused): // its repeat may have come to a later owner first, and count
		return Changed{}, ErrInDoubt
	case err != nil:
		return Changed{}, err // a later owner, to whom it was sent, refused it
	case res.Later, !res.HasTotal, res.Total != after, level != Database && !n.lease.trusted():
		return Changed{}, ErrInDoubt
	}
	return Changed{Before: r.Before, Delta: r.Delta, Replayed: r.Replayed}, nil
}
