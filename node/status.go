package node

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// Cluster returns what this node knows of the whole cluster, without waiting for anybody.
func (n *Node) Cluster() ClusterStatus {
	t := n.tally()
	s := ClusterStatus{
		Cluster:    n.cfg.Cluster,
		Node:       n.cfg.Name,
		Partitions: len(n.slots.all),
		Unowned:    t.unowned,
		Settling:   t.settling,
		Pending:    int(n.slots.pending.Load()),
		PendingAge: time.Duration(n.oldest.Load()),
		StoreOK:    n.storeOK.Load(),
	}
	w := n.world.Load()
	if w == nil {
		return s
	}
	s.RingVersion = w.table.Version()
	for id, m := range w.members {
		s.Members = append(s.Members, MemberStatus{
			ID: id.String(), Name: m.Name, HTTPAddr: m.HTTPAddr, PeerAddr: m.PeerAddr, GossipAddr: m.GossipAddr,
			Self: id == n.id, Alive: m.alive, Draining: m.Draining, LeaseLeft: m.LeaseLeft, Owned: m.owned, Wanted: m.wanted,
		})
	}
	sort.Slice(s.Members, func(i, j int) bool {
		a, b := s.Members[i], s.Members[j]
		return a.Name < b.Name || (a.Name == b.Name && a.ID < b.ID)
	})
	return s
}

// Ready returns nil when this node may get requests: it has joined, its claims are done, the store can be reached.
func (n *Node) Ready() error {
	switch why := n.readiness.Load(); {
	case !n.accepting.Load() || why == nil:
		return fmt.Errorf("%w: not joined yet, or leaving", ErrNotReady)
	case n.draining.Load():
		return fmt.Errorf("%w: draining", ErrNotReady)
	case n.scribe.fault() != nil:
		return fmt.Errorf("%w: %w: free or replace the disk and restart: %w", ErrNotReady, ErrLogFailed, n.scribe.fault())
	case *why != "":
		return fmt.Errorf("%w: %s", ErrNotReady, *why)
	}
	return nil
}

// judge decides, at the end of a round that reached the store, whether this node is ready.
func (n *Node) judge(w *world) {
	why := ""
	was := n.readiness.Load()
	starting := was == nil || *was != "" // later on, a partition that settles is no reason to send all clients away
	n.slots.each(func(_ *slot, p *counter.Partition) {
		if owner, _ := p.Owner(); owner == (counter.Origin{}) {
			why = "some partitions have no owner yet"
		} else if owner == n.id && p.Phase() == counter.Following {
			why = "some partitions are not acquired yet"
		} else if starting && p.IsSettling() {
			why = "some partitions still await what was answered before"
		}
	})
	select {
	case <-n.gossip.Joined():
	default:
		why = "gossip has not tried its seeds yet"
	}
	if old := n.readiness.Swap(&why); old == nil || *old != why {
		n.log.Info("readiness", "ready", why == "", "reason", why)
	}
	if why != "" {
		time.AfterFunc(50*time.Millisecond, n.refresh)
	}
}

func (n *Node) storeFailed(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	n.count.storeFailures.Inc()
	if n.storeOK.Swap(false) || n.readiness.Load() == nil {
		n.log.Warn("the store does not answer; counting goes on in memory", "error", err)
	}
	if n.readiness.Load() == nil {
		why := "the store does not answer"
		n.readiness.Store(&why)
	}
	// A node that was ready stays ready: it goes on counting in memory, up to its bound, and no other node could do
	// better. See docs/decisions/0003-ready-without-store.md.
}

func (n *Node) storeAnswered() {
	n.loader.failing.Store(false)
	if !n.storeOK.Swap(true) {
		n.log.Info("the store answers")
	}
}

// expire removes, now and then, what no longer protects anything.
func (n *Node) expire(ctx context.Context) {
	if time.Since(n.lastExpire) < time.Hour {
		return
	}
	n.lastExpire = time.Now()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if gone, err := n.cfg.Store.Expire(ctx, n.cfg.Retention); err != nil {
		n.log.Warn("could not remove expired processes", "error", err)
	} else if gone > 0 {
		n.log.Info("removed expired processes", "count", gone)
	}
}

// expireIDs removes idempotency keys whose time is over, in small steps.
func (n *Node) expireIDs(ctx context.Context) {
	const (
		pause = time.Minute
		chunk = 10_000
	)
	if time.Since(n.lastExpireIDs) < pause {
		return
	}
	n.lastExpireIDs = time.Now()
	ctx, cancel := context.WithTimeout(ctx, n.cfg.LeaseTTL/6)
	defer cancel()
	for {
		gone, err := n.cfg.Store.ExpireIDs(ctx, chunk)
		switch {
		case ctx.Err() != nil:
			n.lastExpireIDs = time.Time{} // there are more: at the next round
			return
		case err != nil:
			n.log.Warn("could not remove expired idempotency keys", "error", err)
			return
		case gone < chunk:
			return
		}
	}
}

// peerFault notes that a peer did not answer. A refused connection is strong evidence that its process is gone.
func (n *Node) peerFault(l *link, err error) {
	n.count.peerFaults.Inc()
	l.refused.Store(isRefused(err))
	switch {
	case errors.Is(err, errPeerForged):
		n.count.forged.Inc()
		n.seldom("an answer of another node is not to be trusted", "peer", l.peer, "error", err)
	case isTLSFault(err):
		n.seldom("no TLS connection to another node: compare --peer-tls-ca and --peer-tls-name, and whether both nodes have them",
			"peer", l.peer, "error", err)
	case errors.Is(err, errPeerRefused):
		n.seldom("another node refuses this node's messages", "peer", l.peer, "error", err)
	}
}

// lostToRange reports increments that were answered as accepted before their owner found that they leave the range.
func (n *Node) lostToRange(refused []counter.Refusal) {
	for _, d := range refused {
		n.count.unreported.Inc()
		n.log.Error("an increment that was answered as accepted would leave the range of a 64-bit counter and was not counted",
			"key", d.Key, "delta", d.Delta)
	}
}

// tooOld ends this node: the store came back from a state that lacks operations which are not kept any more (R6).
func (n *Node) tooOld(partition uint32, had, has uint64) {
	err := fmt.Errorf("the database came back from an older state: of this node's operations in partition %d it has %d, and once had %d; "+
		"those between are not kept for longer than %v and are missing. Restore a newer state, or start the node again to count on without them",
		partition, has, had, n.cfg.KeepPersisted)
	n.noteLost(n.id, partition, has+1, had) // now: it is the next process that shows it
	if n.doomed.Swap(true) {
		return // it is ending already
	}
	n.count.conflicts.Inc()
	n.fatal <- err
}
