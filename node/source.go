package node

import (
	"time"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/flush"
	"github.com/pinocchio-nose/pinocchio/node/wire"
)

// source gives the flusher what this node's partitions have to flush. It translates between the core's batches and the store's.
type source struct{ n *Node }

// Freeze implements flush.Source.
func (s source) Freeze() []flush.Batch {
	var out []flush.Batch
	now := time.Now()
	oldest := time.Duration(0)
	defer func() { s.n.oldest.Store(int64(oldest)) }()
	for i := range s.n.slots.all {
		sl := &s.n.slots.all[i]
		sl.mu.Lock()
		oldest = max(oldest, sl.age(now, s.n.cfg.FlushInterval/2))
		var b counter.Batch
		ok := false
		// A partition that was lost and came back may have a batch of its earlier epoch under way: the core knows nothing of
		// it any more, the flusher does.
		if !sl.flushing {
			if b, ok = sl.p.Freeze(); ok {
				sl.flushing, sl.urgent = true, false
			}
		}
		sl.mu.Unlock()
		if ok {
			out = append(out, storeBatch(b))
		}
	}
	return out
}

func storeBatch(b counter.Batch) flush.Batch {
	out := flush.Batch{Partition: b.Partition, Epoch: b.Epoch, NewOwner: b.NewOwner}
	out.Moves = make([]flush.Move, len(b.Moves))
	for i, m := range b.Moves {
		out.Moves[i] = flush.Move(m)
	}
	out.Deltas = make([]flush.Delta, len(b.Deltas))
	for i, d := range b.Deltas {
		out.Deltas[i] = flush.Delta(d)
	}
	for _, r := range b.IDs {
		out.IDs = append(out.IDs, flush.IDRow{Key: r.Key, ID: r.ID, Fingerprint: r.Fingerprint, Result: r.Total})
	}
	return out
}

// Done implements flush.Source.
func (s source) Done(b flush.Batch, o flush.Outcome) {
	switch o.Verdict {
	case flush.Committed:
		s.committed(b, o)
	case flush.NotOwner:
		s.n.notOwner(b, o.Owner)
	case flush.Conflict:
		s.n.conflict(b, o.Ledger)
	case flush.Unresolved:
		// The node is stopping and the store did not answer: the batch stays frozen, the outboxes keep all of it.
	}
	sl := &s.n.slots.all[b.Partition]
	sl.mu.Lock()
	sl.flushing = false
	urgent := sl.urgent
	sl.mu.Unlock()
	if urgent { // who came while the batch was under way was passed over by the flush that he asked for
		s.n.flusher.Kick()
	}
}

func (s source) committed(b flush.Batch, o flush.Outcome) {
	n := s.n
	values := make([]counter.Value, len(o.Values))
	for i, v := range o.Values {
		values[i] = counter.Value(v)
	}
	aside := make([]counter.Delta, len(o.Quarantined))
	for i, d := range o.Quarantined {
		aside[i] = counter.Delta(d)
	}
	sl := &n.slots.all[b.Partition]
	var progress []counter.Progress
	var handed bool
	n.slots.change(sl, func(p *counter.Partition) {
		progress, handed = p.Done(b.Epoch, values, aside)
		p.Shrink(n.limits)
		n.enqueue(sl)
	})
	for _, pr := range progress {
		if l := n.links.get(pr.Origin); l != nil {
			l.lane(b.Partition).tellProgress(b.Partition, pr.Persisted)
		}
	}
	if handed {
		n.count.movedOut.Inc()
		n.links.announce(wire.Route{Partition: b.Partition, Epoch: b.Epoch + 1, Owner: b.NewOwner, Graceful: true})
	}
}

// notOwner gives up a partition that the store says belongs to somebody else (R5).
func (n *Node) notOwner(b flush.Batch, now flush.Ownership) {
	n.fenced.Add(1) // the next round logs how many: a node that was away loses all of its partitions in one flush
	n.log.Debug("lost a partition before its flush", "partition", b.Partition, "epoch", b.Epoch, "owner", now.Owner, "owner_epoch", now.Epoch)
	n.learn(wire.Route{Partition: b.Partition, Owner: now.Owner, Epoch: now.Epoch})
	sl := &n.slots.all[b.Partition]
	n.slots.change(sl, func(p *counter.Partition) {
		if owner, epoch := p.Owner(); owner == n.id && epoch == b.Epoch {
			p.Drop() // the store names no later epoch: it came back from an older state
		}
	})
	n.refresh()
}

// conflict starts a partition afresh whose ledger does not stand where this owner left it: somebody wrote to the tables, or the
// database came back from an older state. What is in memory cannot be told from what is in the store, so it is dropped; the
// origins hold it and send it again, under a new epoch (R6).
func (n *Node) conflict(b flush.Batch, ledger []flush.Mismatch) {
	n.log.Error("the ledger does not match this owner's memory: starting the partition afresh",
		"partition", b.Partition, "epoch", b.Epoch, "rows", len(ledger))
	n.count.conflicts.Inc()
	n.suspect.Store(true) // what happened to this partition may have happened to all
	n.refresh()
	sl := &n.slots.all[b.Partition]
	n.afresh.add(b.Partition, b.Epoch) // first: until then a round would take the partition for one to be acquired as it stands
	n.slots.change(sl, func(p *counter.Partition) {
		if _, epoch := p.Owner(); epoch == b.Epoch {
			p.Drop()
		}
	})
}
