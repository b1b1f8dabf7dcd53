package node

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/flush"
	"github.com/pinocchio-nose/pinocchio/gossip"
	"github.com/pinocchio-nose/pinocchio/ring"
)

// minRound is the least time between two rounds that somebody asked for.
const minRound = 20 * time.Millisecond

// control is the only goroutine that acquires and releases partitions. A round renews the lease, reads who is registered and who
// owns what, and brings this node's partitions nearer to what the ring wants. Gossip proposes, the store decides: a
// disagreement about the members costs time, never counts.
func (n *Node) control(ctx context.Context) error {
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.handed.wake:
			n.acquire(ctx, n.handed.take(), false)
			continue
		case <-n.gossip.Changed():
		case <-n.wanted:
		case <-next.C:
		}
		began := time.Now()
		err := n.round(ctx)
		if errors.Is(err, flush.ErrClosed) {
			return err
		}
		sleep(ctx, minRound-time.Since(began))
		next.Reset(n.untilNext(err))
	}
}

// refresh asks for a round soon.
func (n *Node) refresh() {
	select {
	case n.wanted <- struct{}{}:
	default:
	}
}

// round is one step of the control loop.
func (n *Node) round(ctx context.Context) error {
	known := n.epochs()
	n.copies.round()
	asked := n.lease.now()
	renew, cancel := context.WithTimeout(ctx, n.cfg.LeaseTTL/3)
	view, err := n.cfg.Store.Renew(renew, n.id, n.cfg.LeaseTTL)
	cancel()
	if errors.Is(err, flush.ErrMissing) {
		if err = n.reregister(ctx); err == nil {
			n.refresh()
			return nil
		}
	}
	if err != nil {
		n.stood.pause()
		n.leaseSince = time.Time{}
		n.storeFailed(ctx, err)
		n.sweep()
		return err
	}
	if n.leaseSince.IsZero() || !n.lease.trusted() {
		n.leaseSince = time.Now()
	}
	n.storeAnswered()
	if lost := n.fenced.Swap(0); lost > 0 {
		n.log.Warn("lost partitions before their flush; other nodes own them and get what this one holds", "count", lost)
	}

	w := n.look(view)
	n.world.Store(w)
	n.links.update(n, w.peers(n.id))
	n.heed(w)
	n.lease.renewed(asked) // not before what was lost meanwhile has been given up: totals of it must not be trusted again
	n.stayLeaving(ctx, w)
	n.standIn(w)
	n.startAfresh(ctx)
	n.reclaim(ctx, w, known)
	n.acquire(ctx, w.mine(n), true)
	n.claim(ctx, w)
	n.release(w)
	n.expire(ctx)
	n.expireIDs(ctx)
	n.verify(ctx)
	n.stood.resume(time.Now())
	n.sweep()
	n.judge(w)
	return nil
}

// untilNext is a third of the lease, or less when the lease of an owner ends before, who is dead or late to renew it, or the store
// did not answer.
func (n *Node) untilNext(err error) time.Duration {
	d := n.cfg.LeaseTTL / 3
	if err != nil {
		return d / 2
	}
	w := n.world.Load()
	if w == nil {
		return d
	}
	for id, m := range w.members {
		late := m.LeaseLeft > 0 && m.LeaseLeft < d
		if id != n.id && m.owned > 0 && (!m.alive || late) {
			d = min(d, max(m.LeaseLeft+10*time.Millisecond, 50*time.Millisecond))
		}
	}
	return d
}

// world is what one round saw. It is not changed afterwards.
type world struct {
	members map[counter.Origin]*member
	owners  []flush.Ownership
	table   *ring.Table
	byName  map[string]counter.Origin // of the table's members
}

type member struct {
	flush.NodeState
	alive  bool // by gossip
	owned  int
	wanted int
}

// look joins the store's view with gossip's, and places the members on the ring (R11).
func (n *Node) look(view flush.View) *world {
	w := &world{
		members: make(map[counter.Origin]*member, len(view.Nodes)),
		owners:  view.Owners,
		byName:  make(map[string]counter.Origin),
	}
	alive := make(map[string]gossip.Member)
	for _, m := range n.gossip.Members() {
		alive[m.ID] = m
	}
	for _, s := range view.Nodes {
		_, up := alive[s.ID.String()]
		w.members[s.ID] = &member{NodeState: s, alive: up || s.ID == n.id}
		if !w.members[s.ID].alive && s.LeaseLeft > 0 {
			n.gossip.Rejoin() // it registered after this node looked for seeds, or a split keeps it away
		}
	}
	w.name(false)
	if len(w.byName) == 0 {
		w.name(true) // all are leaving at once: what one leaves behind, the others must still take to the store
	}
	table, err := ring.New(slices.Collect(maps.Keys(w.byName)), n.cfg.Ring)
	if err != nil {
		n.log.Error("the ring cannot be made", "error", err)
		table, _ = ring.New(nil, n.cfg.Ring)
	}
	w.table = table
	for _, o := range w.owners {
		if m := w.members[o.Owner]; m != nil {
			m.owned++
		}
		if m := w.members[w.wants(o.Partition)]; m != nil {
			m.wanted++
		}
	}
	return w
}

// name collects the ring's members: who is alive, has a lease, and is leaving or not, as asked.
func (w *world) name(draining bool) {
	for id, m := range w.members {
		if !m.alive || m.LeaseLeft <= 0 || m.Draining != draining {
			continue
		}
		if old, twice := w.byName[m.Name]; twice && old.String() > id.String() {
			continue // a restarted node: the later process (UUIDv7s are in order of time) stands for the name
		}
		w.byName[m.Name] = id
	}
}

// wants returns the process that the ring gives the partition to, or the nil UUID.
func (w *world) wants(partition uint32) counter.Origin { return w.byName[w.table.Owner(partition)] }

// peers maps every other process that may be there to its address.
func (w *world) peers(self counter.Origin) map[counter.Origin]string {
	out := make(map[counter.Origin]string)
	for id, m := range w.members {
		if id == self {
			continue
		}
		if m.alive || m.LeaseLeft > 0 {
			out[id] = m.PeerAddr
		}
	}
	return out
}

// mine are the partitions that the store says are this node's, though it does not act as their owner: a claim whose answer was
// lost, or a hand-over whose notice was. Those that wait for a new epoch are not among them.
func (w *world) mine(n *Node) map[uint32]uint64 {
	out := make(map[uint32]uint64)
	for _, o := range w.owners {
		if o.Owner != n.id || n.afresh.has(o.Partition) {
			continue
		}
		sl := &n.slots.all[o.Partition]
		sl.mu.Lock()
		_, epoch := sl.p.Owner()
		if sl.p.Phase() == counter.Following && epoch <= o.Epoch {
			out[o.Partition] = o.Epoch
		}
		sl.mu.Unlock()
	}
	return out
}

// handing says that the partition stands in the store as this node's own hand-over leaves it, and that the end of the flush which
// wrote it is still to come: that will tell the heir, who otherwise would have to find out, and to settle.
func (n *Node) handing(o flush.Ownership) bool {
	sl := &n.slots.all[o.Partition]
	sl.mu.Lock()
	defer sl.mu.Unlock()
	_, epoch := sl.p.Owner()
	return sl.p.Phase() == counter.Releasing && sl.flushing && o.Owner == sl.heir && o.Epoch == epoch+1
}

// heed takes note of the owners and of who came and went.
func (n *Node) heed(w *world) {
	for _, o := range w.owners {
		// This node's own rows as well: one at a later epoch was lost and came back, and what is in memory is of the time before.
		if o.Owner != (counter.Origin{}) && !n.handing(o) {
			n.learnStored(o)
		}
	}
	n.slots.each(func(_ *slot, p *counter.Partition) {
		if p.Phase() == counter.Following {
			return
		}
		for id := range w.members {
			p.AddOrigin(id)
		}
		for _, id := range p.Origins() {
			if w.members[id] == nil {
				p.RemoveOrigin(id)
			}
		}
		for _, id := range p.Settling() {
			if m := w.members[id]; m == nil || (m.LeaseLeft <= 0 && !m.alive && !n.haunted(id)) {
				p.StopAwaiting(id)
			}
		}
	})
}
