package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/flush"
)

// The store may come back from an older state: a failover to a standby that had not got everything, a restore. Then epochs,
// leases, ledger rows and totals are behind what the nodes have seen. Numbers make it mendable (R6): what an origin has seen persisted it
// keeps for a while, and sends again to an owner whose ledger is behind. This file finds out that it happened.

// epochs returns the latest owner and epoch of each partition that this node has heard of.
func (n *Node) epochs() []flush.Ownership {
	out := make([]flush.Ownership, len(n.slots.all))
	for i := range n.slots.all {
		sl := &n.slots.all[i]
		sl.mu.Lock()
		out[i].Owner, out[i].Epoch = sl.p.Owner()
		sl.mu.Unlock()
	}
	return out
}

// reclaim takes partitions over of which this node knew a later epoch before it asked than the store has now, or another owner at the
// same one: nobody can act at what the store says, for some know better. Whoever knows takes them, at an epoch above all that he
// knows; the ring moves them on. A process that the store had forgotten takes all that it ever sent something for: owners took it
// for closed, so that none of them compares its numbers, and what they have of it in memory the store has not.
func (n *Node) reclaim(ctx context.Context, w *world, known []flush.Ownership) {
	var want []flush.Reclaim
	for _, o := range w.owners {
		if int(o.Partition) >= len(known) {
			continue
		}
		k := known[o.Partition]
		other := k.Epoch == o.Epoch && k.Epoch > 0 && k.Owner != o.Owner
		switch {
		case k.Epoch > o.Epoch || other:
			n.sawRewind("an epoch", o.Partition, k.Epoch, o.Epoch)
		case n.forgotten && n.sentFor(o.Partition):
		default:
			continue
		}
		want = append(want, flush.Reclaim{Ownership: o, Above: max(k.Epoch, o.Epoch+1)})
	}
	if len(want) == 0 {
		n.forgotten = false
		return
	}
	for _, r := range want { // what is in memory is of a time that the store does not remember
		n.slots.change(&n.slots.all[r.Partition], func(p *counter.Partition) { p.Drop() })
	}
	ask, cancel := context.WithTimeout(ctx, n.cfg.LeaseTTL/3)
	defer cancel()
	won, err := n.cfg.Store.Reclaim(ask, n.id, want)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		n.log.Warn("could not take back partitions from an older state of the store", "count", len(want), "error", err)
		return
	}
	n.forgotten = false // what was not won has a later epoch, whose owner begins with what the store has
	take := make(map[uint32]uint64, len(won))
	for _, o := range won {
		take[o.Partition] = o.Epoch
	}
	n.acquire(ctx, take, true)
}

// sentFor says that another node owns the partition, and that this one has accepted something for it.
func (n *Node) sentFor(partition uint32) bool {
	sl := &n.slots.all[partition]
	sl.mu.Lock()
	defer sl.mu.Unlock()
	return sl.p.Phase() == counter.Following && sl.p.Last() > 0
}

// verify compares the ledger with what this owner knows to be in it, now and then: a partition without increments would not
// notice otherwise that the store went back.
func (n *Node) verify(ctx context.Context) {
	suspect := n.suspect.Swap(false)
	if !suspect && (n.cfg.KeepPersisted <= 0 || time.Since(n.lastVerify) < n.cfg.KeepPersisted/4) {
		return
	}
	n.lastVerify = time.Now()
	has := make(map[uint32]map[counter.Origin]uint64)
	epochs := make(map[uint32]uint64)
	var ids []uint32
	n.slots.each(func(_ *slot, p *counter.Partition) {
		if marks := p.Marks(); marks != nil {
			has[p.ID()] = marks
			_, epochs[p.ID()] = p.Owner()
			ids = append(ids, p.ID())
		}
	})
	if len(ids) == 0 {
		return
	}
	ask, cancel := context.WithTimeout(ctx, n.cfg.LeaseTTL/3)
	defer cancel()
	a, err := n.cfg.Store.Adopt(ask, ids)
	if err != nil {
		return // the renewal says so
	}
	there := make(map[counter.Origin]bool, len(a.Nodes))
	for _, s := range a.Nodes {
		there[s.ID] = true
	}
	ledger := ledgerByPartition(a.Ledger)
	for _, id := range ids {
		n.leaveRows(id, ledger[id], there)
		if n.overtaken(id, epochs[id], ledger[id]) {
			n.conflict(flush.Batch{Partition: id, Epoch: epochs[id]}, nil)
			continue
		}
		for origin, number := range has[id] {
			if stands := ledger[id][origin]; stands < number && there[origin] { // a closed one has no rows any more
				n.sawRewind("a ledger row", id, number, stands)
				n.conflict(flush.Batch{Partition: id, Epoch: epochs[id]}, nil)
				break
			}
		}
	}
}

// overtaken says that somebody else has flushed a partition that this node owns since epoch.
func (n *Node) overtaken(partition uint32, epoch uint64, rows map[counter.Origin]uint64) (yes bool) {
	n.slots.change(&n.slots.all[partition], func(p *counter.Partition) {
		_, now := p.Owner()
		yes = now == epoch && p.Phase() == counter.Owning && p.Newer(rows)
	})
	return yes
}

// leaveRows tells the owner of a partition of rows whose processes are closed: without it, each read of the store would look like one
// of an older state, in which they were not, and no total that is not in memory could be told.
func (n *Node) leaveRows(partition uint32, rows map[counter.Origin]uint64, there map[counter.Origin]bool) {
	n.slots.change(&n.slots.all[partition], func(p *counter.Partition) {
		for origin := range rows {
			if !there[origin] {
				p.LeaveRows(origin)
			}
		}
	})
}

// sawRewind reports, once in a while, that the store is behind what it once said.
func (n *Node) sawRewind(what string, partition uint32, had, has uint64) {
	n.count.rewinds.Inc()
	n.suspect.Store(true)
	if time.Since(n.toldRewind) < time.Minute {
		return
	}
	n.toldRewind = time.Now()
	n.log.Error("the database came back from an older state; what it lost within the last moments is sent again",
		"seen", what, "partition", partition, "had", had, "has", has, "kept", n.cfg.KeepPersisted)
}

// reregister makes this process known again to a store that went back to before it came.
func (n *Node) reregister(ctx context.Context) error {
	n.sawRewind("this process' registration", 0, 1, 0)
	n.forgotten = true
	ask, cancel := context.WithTimeout(ctx, n.cfg.LeaseTTL/3)
	defer cancel()
	err := n.cfg.Store.Register(ask, n.self, n.cfg.LeaseTTL)
	if errors.Is(err, flush.ErrNameTaken) { // an earlier process of this name stands there; its lease runs out
		return &flush.RetryError{Err: err}
	}
	if err != nil && errors.Is(err, flush.ErrClosed) {
		return fmt.Errorf("register again: %w", err)
	}
	return err
}
