package node

import (
	"errors"
	"time"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/node/wire"
)

// beginOnce accepts an increment with an idempotency key (R9). The owner is asked about the key before the increment gets a number:
// a repeat of what the store has needs none, and an operation whose key could not be looked up, since the store is down, would
// hold up everything behind it. Two requests at once both become operations, of which the owner counts the first.
func (n *Node) beginOnce(c *request, hash uint64, ref counter.IDRef, level Durability, deadline time.Time) error {
	for {
		r, err := n.lookUp(c.sl, ref, deadline)
		switch {
		case err != nil:
			return err
		case r.Code != wire.IDAbsent && r.Fingerprint != counter.Fingerprint(c.in.Delta):
			return ErrIDReused
		case r.Code == wire.IDStored:
			c.result = Result{Total: r.Total, HasTotal: c.in.Return && r.Total != counter.UnknownTotal, Replayed: true}
			n.count.replayed.Inc()
			return nil
		}
		if err = n.addOnce(c, hash, ref, level); !errors.Is(err, counter.ErrIDMissing) {
			return err
		}
		if !time.Now().Before(deadline) { // the owner forgot it again, or has changed
			return ErrUnreachable
		}
	}
}

func (n *Node) addOnce(c *request, hash uint64, ref counter.IDRef, level Durability) (err error) {
	c.sl.mu.Lock()
	defer c.sl.mu.Unlock()
	if err := n.stillGood(level); err != nil {
		return err
	}
	switch c.added, err = c.sl.p.AddID(hash, ref, c.in.Delta); {
	case errors.Is(err, counter.ErrIDMissing):
		return err
	case err != nil:
		return n.refusal(err)
	}
	if c.added.Replayed {
		n.count.replayed.Inc()
	}
	n.accepted(c, level, counter.OpBytes+len(ref.Key)+len(ref.ID))
	return nil
}

// lookUp asks the owner what it knows of an idempotency key. ErrUnreachable: nobody could tell in time, and nothing was counted.
func (n *Node) lookUp(sl *slot, ref counter.IDRef, deadline time.Time) (wire.ReadResult, error) {
	for asked := false; ; {
		sl.mu.Lock()
		phase := sl.p.Phase()
		owner, _ := sl.p.Owner()
		r, absent := idResult(sl.p.LookupID(ref))
		sl.mu.Unlock()
		pause := asked || !absent // for what was read and could not be used, as in readHere
		switch {
		case absent:
			asked = true
			n.loadID(sl, ref, deadline)
		case phase == counter.Following && owner != n.id:
			r = n.askOwner(owner, ref, deadline)
		}
		switch r.Code {
		case wire.IDAbsent, wire.IDCounted, wire.IDStored:
			return r, nil
		}
		if !time.Now().Add(readPause).Before(deadline) {
			return r, ErrUnreachable
		}
		if pause {
			time.Sleep(readPause)
		}
	}
}

// loadID reads a key's row, as the owner.
func (n *Node) loadID(sl *slot, ref counter.IDRef, deadline time.Time) {
	want := counter.Wanted{Keys: []string{ref.Key}, IDs: []counter.IDRef{ref}}
	c := n.loader.load(map[uint32]counter.Wanted{sl.p.ID(): want})
	timer := getTimer(time.Until(deadline))
	defer putTimer(timer)
	select {
	case <-c.done:
		if c.err != nil {
			time.Sleep(readPause) // the store does not answer: not in a hot loop
		}
	case <-timer.C:
	}
}

func (n *Node) askOwner(owner counter.Origin, ref counter.IDRef, deadline time.Time) wire.ReadResult {
	l := n.links.get(owner)
	if l == nil {
		n.refresh()
		return wire.ReadResult{Code: wire.Again}
	}
	timer := getTimer(time.Until(deadline))
	defer putTimer(timer)
	select {
	case r := <-l.reads.ask(ref):
		if r.Code == wire.Moved {
			n.refresh()
		}
		return r
	case <-l.gone:
	case <-timer.C:
	}
	return wire.ReadResult{Code: wire.Again}
}

// askAhead lets the owners of all idempotency keys of a request find out about them at the same time, so that the lookups which
// follow, one after another, find them known. It returns until when they may take.
func (n *Node) askAhead(in []Increment) time.Time {
	until := time.Now().Add(n.cfg.OwnerTimeout)
	here := make(map[uint32]counter.Wanted)
	var answers []<-chan wire.ReadResult
	for i := range in {
		if in[i].ID == nil {
			continue
		}
		ref := counter.IDRef{Key: string(in[i].Key), ID: string(in[i].ID)}
		sl := n.slots.of(counter.Hash(ref.Key))
		sl.mu.Lock()
		owner, _ := sl.p.Owner()
		_, state := sl.p.LookupID(ref)
		sl.mu.Unlock()
		switch {
		case state == counter.IDMissing:
			w := here[sl.p.ID()]
			w.Keys, w.IDs = append(w.Keys, ref.Key), append(w.IDs, ref)
			here[sl.p.ID()] = w
		case state == counter.IDMoved && owner != n.id:
			if l := n.links.get(owner); l != nil {
				answers = append(answers, l.reads.ask(ref))
			}
		}
	}
	timer := getTimer(time.Until(until) / 2)
	defer putTimer(timer)
	if len(here) > 0 {
		select {
		case <-n.loader.load(here).done:
		case <-timer.C:
			return until
		}
	}
	for _, a := range answers {
		select {
		case <-a:
		case <-timer.C:
			return until
		}
	}
	return until
}
