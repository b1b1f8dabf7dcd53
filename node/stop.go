package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/flush"
)

// The order of a stop: not ready (Drain), hand partitions over while clients are still served, no more clients (the caller),
// no more increments, everything flushed, tombstone, goodbye, listeners closed.

const stopStep = 20 * time.Millisecond

// Drain hands this node's partitions to the others while it still serves, as a node that owns nothing. It returns when that
// is done, when there is nobody to hand them to, or with ctx. The node is not ready any more.
func (n *Node) Drain(ctx context.Context) {
	if n.draining.Swap(true) {
		return
	}
	n.log.Info("draining")
	if !n.markLeaving(ctx) {
		return
	}
	_ = n.gossip.SetMeta(n.meta())
	n.refresh()
	for ctx.Err() == nil && n.tally().owned > 0 && n.successors() {
		sleep(ctx, stopStep)
	}
}

// markLeaving has the store tell everybody that this node gets no partitions. It tries as long as ctx lasts: a store that is slow
// for a moment is no reason to go without handing over, which the others would notice only afterwards.
func (n *Node) markLeaving(ctx context.Context) bool {
	const pause = 100 * time.Millisecond
	for told := false; ; told = true {
		try, cancel := context.WithTimeout(ctx, n.cfg.LeaseTTL/3)
		err := n.cfg.Store.SetDraining(try, n.id)
		cancel()
		if err == nil {
			return true
		}
		if !told {
			n.log.Warn("could not mark this node as leaving; trying again", "error", err)
		}
		if ctx.Err() != nil || errors.Is(err, flush.ErrClosed) {
			return false
		}
		sleep(ctx, pause)
	}
}

// successors says whether another node could own partitions.
func (n *Node) successors() bool {
	w := n.world.Load()
	if w == nil {
		return false
	}
	for id, m := range w.members {
		if id != n.id && m.alive && m.LeaseLeft > 0 && !m.Draining {
			return true
		}
	}
	return false
}

// leave refuses further increments, waits until the store has everything, and closes this process in the store. The
// error says how much the store never got. stopRounds ends the control loop, which would take the tombstone for a fault.
func (n *Node) leave(failed bool, stopRounds func()) error {
	n.accepting.Store(false)
	n.slots.each(func(*slot, *counter.Partition) {}) // whoever saw accepting under a slot's lock is in its outbox by now
	ctx, cancel := context.WithTimeout(context.Background(), n.cfg.DrainTimeout)
	defer cancel()
	if !failed {
		n.Drain(ctx)
		n.empty(ctx)
		n.emptyForOthers(ctx)
	}
	stopRounds()
	n.lease.revoke() // others may claim what this node still owns as soon as it is closed
	left := n.slots.pending.Load()
	if left == 0 && !failed {
		n.closeInStore()
	}
	_ = n.gossip.Leave(ctx)
	if left > 0 {
		if n.logsAll() {
			n.log.Warn("operations did not reach the store; the log on disk has them for the next start of this node", "count", left)
			return nil
		}
		return fmt.Errorf("%d operations did not reach the store within %v and are lost with this process", left, n.cfg.DrainTimeout)
	}
	return nil
}

// closeInStore ends this process for good. It has a time of its own: waiting for others may have used up the drain's.
func (n *Node) closeInStore() {
	if !n.removeLog() {
		n.log.Warn("the log on disk could not be removed; the next start resends it, which is harmless")
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), min(n.cfg.LeaseTTL/3, 5*time.Second))
	defer cancel()
	if err := n.cfg.Store.CloseNode(ctx, n.id, true); err != nil {
		n.log.Warn("could not close this process in the store; its lease will run out", "error", err)
	}
}

// empty waits until the store has everything that this node accepted.
func (n *Node) empty(ctx context.Context) {
	for ctx.Err() == nil && n.slots.pending.Load() > 0 {
		n.flusher.Kick()
		n.sweep()
		sleep(ctx, stopStep)
	}
}

// releaseTime is how long a node that leaves waits for processes that live to find another holder, or the store, for what it holds of them.
const releaseTime = 3 * time.Second

// emptyForOthers waits until the store has what this node alone may hold of others: what it applied as an owner whom nobody
// follows, and copies. Durability replica promises that the loss of one more node does no harm (R7).
func (n *Node) emptyForOthers(ctx context.Context) {
	if err := n.flusher.Flush(ctx); err != nil {
		n.log.Warn("what other nodes sent may not be in the store yet; they send it to the next owner", "error", err)
	}
	began := time.Now()
	for ctx.Err() == nil && n.holdsForOthers(time.Since(began) < releaseTime) {
		sleep(ctx, stopStep)
	}
	if n.holdsForOthers(false) {
		n.log.Warn("copies of a process that is gone did not reach the store; only its own log has them now")
	}
}

// holdsForOthers says that this node holds copies of a process that is not there, or also of one that lives.
func (n *Node) holdsForOthers(living bool) bool {
	w := n.world.Load()
	if w == nil {
		return false
	}
	for _, origin := range n.copies.origins() {
		m := w.members[origin]
		if m == nil || !n.copies.waits(origin) {
			continue // the store has it, or will never take it
		}
		if living || !m.alive || m.LeaseLeft <= 0 {
			return true
		}
	}
	return false
}

// end closes links and listeners.
func (n *Node) end() {
	n.lease.end()
	n.links.update(n, nil)
	n.closing.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := n.peers.ShutdownWithContext(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		n.log.Warn("closing the listener for other nodes", "error", err)
	}
}

// logsAll writes what is left to the log on disk, and reports whether it is all there.
func (n *Node) logsAll() bool {
	if n.scribe == nil {
		return false
	}
	n.stopScribe()
	return n.scribe.fault() == nil
}

// removeLog deletes the log on disk: the store has everything. It goes before this process's row does, since a log whose process the store
// does not know looks like one of another database.
func (n *Node) removeLog() bool {
	if n.scribe == nil {
		return true
	}
	n.stopScribe()
	return n.scribe.end(true)
}

// stayLeaving tells the store again that this node is leaving, when it went back to before it was told: or else two that leave would hand
// partitions to each other.
func (n *Node) stayLeaving(ctx context.Context, w *world) {
	if m := w.members[n.id]; !n.draining.Load() || m == nil || m.Draining {
		return
	}
	ask, cancel := context.WithTimeout(ctx, n.cfg.LeaseTTL/3)
	defer cancel()
	if err := n.cfg.Store.SetDraining(ask, n.id); err != nil {
		n.log.Debug("could not mark this node as leaving; the next round tries again", "error", err)
	}
}
