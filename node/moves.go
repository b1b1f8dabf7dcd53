package node

import (
	"context"
	"time"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/flush"
	"github.com/pinocchio-nose/pinocchio/node/wire"
)

// settlePause is how long a hand-over of a partition that is settling is put off.
const settlePause = 100 * time.Millisecond

// claim takes the partitions that the ring gives to this node and that nobody with a lease owns.
func (n *Node) claim(ctx context.Context, w *world) {
	n.endGrace(w)
	var want []flush.Ownership
	for _, o := range w.owners {
		if w.wants(o.Partition) == n.id && n.claimable(w, o.Owner) {
			want = append(want, o)
		}
	}
	if len(want) == 0 {
		return
	}
	ask, cancel := context.WithTimeout(ctx, n.cfg.LeaseTTL/3)
	defer cancel()
	won, err := n.cfg.Store.Claim(ask, n.id, want)
	if ctx.Err() != nil {
		return // the rounds have ended: no fault
	}
	if err != nil {
		n.log.Warn("could not claim partitions", "count", len(want), "error", err)
		return // if it was done all the same, the next round finds them in mine
	}
	take := make(map[uint32]uint64, len(won))
	for _, o := range won {
		take[o.Partition] = o.Epoch
	}
	n.count.claimed.Add(len(won))
	n.acquire(ctx, take, true)
}

// endGrace forgets since when owners were without a lease who have one again: the next outage gives them a new grace. They
// cannot be left to claimable, which is not asked about an owner whom the ring gives back what it has.
func (n *Node) endGrace(w *world) {
	for id := range n.expiredSince {
		if m := w.members[id]; m == nil || m.LeaseLeft > 0 {
			delete(n.expiredSince, id)
		}
	}
}

// claimable says whether the owner has lost its right. After an outage of the store all leases have run out, though
// everybody is there: who is seen alive gets one more lease's time to renew. But when this node has renewed its own lease
// without a failure for longer than a lease, there was no outage, nor did this host sleep: it is the owner that cannot reach the store.
func (n *Node) claimable(w *world, owner counter.Origin) bool {
	m := w.members[owner]
	if m == nil {
		return true // nobody, or closed
	}
	if m.LeaseLeft > 0 || owner == n.id {
		delete(n.expiredSince, owner)
		return false
	}
	since, seen := n.expiredSince[owner]
	if !seen {
		since = time.Now()
		n.expiredSince[owner] = since
	}
	l := n.links.get(owner)
	steady := !n.leaseSince.IsZero() && time.Since(n.leaseSince) > n.cfg.LeaseTTL
	return !m.alive || steady || (l != nil && l.refused.Load()) || time.Since(since) > n.cfg.LeaseTTL
}

// acquire makes this node the acting owner of partitions that are its own in the store. After anything but a graceful
// hand-over it awaits the operations that an earlier owner may have answered, from every origin with a lease (R8).
func (n *Node) acquire(ctx context.Context, take map[uint32]uint64, settle bool) {
	if len(take) == 0 {
		return
	}
	ids := make([]uint32, 0, len(take))
	for id := range take {
		ids = append(ids, id)
	}
	ask, cancel := context.WithTimeout(ctx, n.cfg.LeaseTTL/3)
	defer cancel()
	a, err := n.cfg.Store.Adopt(ask, ids)
	if ctx.Err() != nil {
		return // the rounds have ended: no fault
	}
	if err != nil {
		n.log.Warn("could not read the ledger of new partitions", "count", len(ids), "error", err)
		n.refresh() // the next round finds them in mine
		return
	}
	var origins, await []counter.Origin
	for _, s := range a.Nodes {
		origins = append(origins, s.ID)
		// Right after an outage of the store, those who are there may not have renewed yet.
		if settle && s.ID != n.id && (s.LeaseLeft > 0 || n.seenAlive(s.ID) || n.haunted(s.ID)) {
			await = append(await, s.ID)
		}
	}
	ledger := ledgerByPartition(a.Ledger)
	var got []uint32
	wanted := make(map[uint32]counter.Wanted)
	for id, epoch := range take {
		sl := &n.slots.all[id]
		n.slots.change(sl, func(p *counter.Partition) {
			if _, known := p.Owner(); p.Phase() != counter.Following || known > epoch {
				return
			}
			if p.Dropped(epoch) { // an older state of the store, or of what was seen of it, gives it away a second time
				n.afresh.add(id, epoch)
				n.refresh()
				return
			}
			if !p.Acquire(epoch, ledger[id], origins, await) {
				n.tooOld(id, p.Persisted(), ledger[id][n.id])
			}
			if w := p.Wanted(); !w.Empty() {
				wanted[id] = w
			}
			if n.copier.used.Load() { // who waits for a second holder had the former owner for one
				n.copier.note(sl)
			}
			got = append(got, id)
		})
	}
	if len(wanted) > 0 {
		n.loader.load(wanted)
	}
	for _, id := range got {
		n.links.announce(wire.Route{Partition: id, Epoch: take[id], Owner: n.id})
	}
	if len(got) == 0 {
		return
	}
	n.count.movedIn.Add(len(got))
	n.log.Info("acquired partitions", "count", len(got), "settling", settle)
}

// seenAlive says whether gossip saw the process in this round.
func (n *Node) seenAlive(id counter.Origin) bool {
	w := n.world.Load()
	return w != nil && w.members[id] != nil && w.members[id].alive
}

func ledgerByPartition(rows []flush.LedgerRow) map[uint32]map[counter.Origin]uint64 {
	out := make(map[uint32]map[counter.Origin]uint64)
	for _, r := range rows {
		m := out[r.Partition]
		if m == nil {
			m = make(map[counter.Origin]uint64)
			out[r.Partition] = m
		}
		m[r.Origin] = r.Number
	}
	return out
}

// release starts to hand over what the ring gives to others. The flusher flushes it and writes the new owner in one statement.
func (n *Node) release(w *world) {
	if !n.draining.Load() && n.incomplete(w) {
		return
	}
	count, waiting := 0, false
	for _, o := range w.owners {
		to := w.wants(o.Partition)
		m := w.members[to]
		if o.Owner != n.id || to == n.id || m == nil || m.Draining {
			continue
		}
		sl := &n.slots.all[o.Partition]
		n.slots.change(sl, func(p *counter.Partition) {
			if p.Release(to) {
				sl.urgent, sl.heir = true, to
				count++
			} else if p.IsSettling() {
				waiting = true
			}
		})
	}
	if waiting {
		time.AfterFunc(settlePause, n.refresh)
	}
	if count > 0 {
		n.log.Info("handing partitions over", "count", count)
		n.flusher.Kick()
	}
}

// incomplete says that somebody who is seen alive may still renew a lease that has just run out, as all do in an outage of the
// store. He is not on the ring, which will not stay like that: nothing is handed over for its sake.
func (n *Node) incomplete(w *world) bool {
	for id, m := range w.members {
		if m.alive && !m.Draining && m.LeaseLeft <= 0 && !n.claimable(w, id) {
			return true
		}
	}
	return false
}

// startAfresh gives the partitions of conflict a new epoch, and acquires them from what the store has.
func (n *Node) startAfresh(ctx context.Context) {
	take := n.afresh.take()
	if len(take) == 0 {
		return
	}
	req := &flush.Request{Node: n.id}
	for id, epoch := range take {
		req.Batches = append(req.Batches, flush.Batch{Partition: id, Epoch: epoch, NewOwner: n.id})
		take[id] = epoch + 1
	}
	ctx, cancel := context.WithTimeout(ctx, n.cfg.LeaseTTL/3)
	defer cancel()
	res, err := n.cfg.Store.Flush(ctx, req)
	if err == nil && res.Applied {
		n.acquire(ctx, take, true)
		return
	}
	n.log.Warn("could not start partitions afresh", "count", len(take), "error", err)
	for _, o := range res.Owners {
		delete(take, o.Partition) // it has a later epoch, by an earlier try or by another owner: the view says which
	}
	for id, epoch := range take {
		n.afresh.add(id, epoch-1)
	}
}

// sweep sends what no link has queued, and lets origins ask how far the store has what they hold: notices may be lost.
func (n *Node) sweep() {
	now := n.stood.total()
	wanted := make(map[uint32]counter.Wanted)
	n.slots.each(func(sl *slot, p *counter.Partition) {
		sl.letGo(now, n.cfg.KeepPersisted)
		p.Poll()
		n.enqueue(sl)
		if w := p.Wanted(); !w.Empty() { // the read that was to bring it has failed
			wanted[p.ID()] = w.Clone()
		}
	})
	if len(wanted) > 0 {
		n.loader.load(wanted)
	}
}
