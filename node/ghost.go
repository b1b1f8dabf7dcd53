package node

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/journal"
	"github.com/pinocchio-nose/pinocchio/node/wire"
)

const (
	ghostPause    = 20 * time.Millisecond // between two rounds of a ghost that waits for the store
	maxGhostOps   = 4 << 10               // operations in one section of a ghost
	maxGhostBatch = 16 << 10              // and in one batch
)

// ghost stands for a past process: it resends what that one left, under its old numbers, until the store has it. It may do so
// beside any other holder of the same operations, since numbers make repeats harmless (R2).
type ghost struct {
	node   *Node
	origin counter.Origin
	parts  []*ghostPart
	count  int          // operations at the start
	sure   bool         // the store has had everything for a while
	torn   bool         // some of it cannot be counted: the log stays
	whole  bool         // nobody else holds anything of the process: it is closed in the end
	remove func() error // when the store has everything
	close  func() error // when this process ends before
}

type ghostPart struct {
	*counter.Partition
	done bool
	gap  bool // of copies: the store lacks what comes before all that this ghost has
}

// newLogGhost resends a log on disk. It says hello for every partition: also for those of which the log has nothing, the
// owners may hold operations that the process never got to log, and the process may be closed only when the store has them.
func newLogGhost(n *Node, old *journal.Old) *ghost {
	g := &ghost{node: n, origin: old.Origin, whole: true, remove: old.Remove, close: old.Close}
	for id := range n.slots.all {
		s := old.Streams[uint32(id)]
		ops := make([]counter.Op, len(s.Ops))
		for i, op := range s.Ops {
			ops[i] = counter.Op{Key: op.Key, Delta: op.Delta, ID: op.ID}
		}
		g.add(counter.Restore(uint32(id), old.Origin, max(1, s.First), ops))
	}
	return g
}

// add takes a partition of the past process. Its last operation is urgent: while its owner waits for the interval, a ghost
// can neither let go of a log nor of copies.
func (g *ghost) add(p *counter.Partition) {
	p.Hurry()
	p.With(counter.Holders{Keep: g.node.cfg.KeepPersisted > 0})
	g.parts = append(g.parts, &ghostPart{Partition: p})
	g.count += p.Pending()
}

// run resends until the store has everything. An error is one that no further try mends.
func (g *ghost) run(ctx context.Context) error {
	n := g.node
	if !g.gaps() { // it was told when they were found
		n.log.Info("resending what a past process of this node left", "origin", g.origin, "operations", g.count)
	}
	for {
		if err := g.round(ctx); err != nil {
			return errors.Join(err, g.close())
		}
		if g.finished() {
			n.ghostDone(g.origin)
			if g.again(ctx) {
				continue
			}
			return g.finish(ctx)
		}
		sleep(ctx, ghostPause)
		if ctx.Err() != nil {
			return g.close()
		}
	}
}

// again makes the ghost look once more, when the store has had everything for as long as it may lose it again (R6).
func (g *ghost) again(ctx context.Context) bool {
	if g.sure || g.node.cfg.KeepPersisted <= 0 {
		return false
	}
	g.sure = true
	sleep(ctx, g.node.cfg.KeepPersisted)
	for _, p := range g.parts {
		p.done = false
	}
	return true
}

func (g *ghost) finished() bool {
	for _, p := range g.parts {
		if !p.done {
			return false
		}
	}
	return true
}

// gaps says that the store lacks what comes before some of the copies that the ghost has.
func (g *ghost) gaps() bool {
	return slices.ContainsFunc(g.parts, func(p *ghostPart) bool { return p.gap })
}

// finish forgets the past process: first what it left, then its row, since the row without the log harms nobody.
func (g *ghost) finish(ctx context.Context) error {
	n := g.node
	if g.torn {
		return g.close()
	}
	if g.gaps() {
		return g.remove()
	}
	n.log.Info("the store has everything that a past process of this node left", "origin", g.origin)
	if err := g.remove(); err != nil {
		n.log.Warn("could not remove the log of a past process; it will be resent at the next start, which is harmless", "error", err)
		return nil
	}
	if !g.whole {
		return nil
	}
	ask, cancel := context.WithTimeout(ctx, n.cfg.LeaseTTL)
	defer cancel()
	if err := n.cfg.Store.CloseNode(ask, g.origin, true); err != nil && ctx.Err() == nil {
		n.log.Warn("could not close a past process in the store; it will expire", "origin", g.origin, "error", err)
	}
	return nil
}

// round sends each partition's next section to whoever owns it now.
func (g *ghost) round(ctx context.Context) error {
	if w := g.node.world.Load(); w == nil {
		return nil // no round has seen the store yet
	} else if w.members[g.origin] == nil {
		return g.unknown()
	} else if !g.whole && w.members[g.origin].LeaseLeft > 0 {
		return errBack
	}
	batches := make(map[counter.Origin][]*ghostPart)
	for _, p := range g.parts {
		if p.done {
			continue
		}
		sl := &g.node.slots.all[p.ID()]
		sl.mu.Lock()
		owner, epoch := sl.p.Owner()
		sl.mu.Unlock()
		p.LearnStored(owner, epoch)
		p.Hello()
		if owner, _ = p.Owner(); owner != (counter.Origin{}) {
			batches[owner] = append(batches[owner], p)
		}
	}
	for owner, parts := range batches {
		for len(parts) > 0 && ctx.Err() == nil {
			k, err := g.send(owner, parts)
			if err != nil {
				return err
			}
			parts = parts[k:]
		}
	}
	return nil
}

// errBack ends the ghost of a process that was not dead: it sends what it holds itself.
var errBack = errors.New("the process is back")

// unknown is the end of a ghost whose process is not in the store.
func (g *ghost) unknown() error {
	if !g.whole || g.count == 0 {
		for _, p := range g.parts {
			p.done = true
		}
		return nil
	}
	return fmt.Errorf("the log on disk holds %d operations of process %s, which the database does not know: it came back from an older "+
		"state, or it is another one. Give this node the database that belongs to its --data, or, to give these operations up, remove that process's folder below --data",
		g.count, g.origin)
}

// send sends sections of the first k partitions, in one batch.
func (g *ghost) send(owner counter.Origin, parts []*ghostPart) (k int, err error) {
	var sections []counter.Section
	for ops := 0; k < len(parts) && ops < maxGhostBatch; k++ {
		if s, ok := parts[k].Next(maxGhostOps); ok {
			sections = append(sections, s)
			ops += len(s.Ops)
		}
	}
	answers := g.deliver(owner, sections)
	byID := make(map[uint32]*counter.Answer, len(answers))
	for i := range answers {
		byID[answers[i].Partition] = &answers[i]
	}
	for _, p := range parts[:k] {
		if err := g.take(p, byID[p.ID()]); err != nil {
			return k, err
		}
	}
	return k, nil
}

func (g *ghost) deliver(owner counter.Origin, sections []counter.Section) (answers []counter.Answer) {
	n := g.node
	if owner == n.id {
		for i := range sections {
			a, _ := n.handle(g.origin, &sections[i])
			answers = append(answers, a)
		}
		n.flusher.Kick()
		return answers
	}
	l := n.links.get(owner)
	if l == nil {
		n.refresh()
		return nil
	}
	body := wire.AppendOrigin(wire.AppendHeader(nil, n.header()), g.origin)
	body = wire.AppendProgress(wire.AppendRoutes(body, nil), nil)
	body = binary.AppendUvarint(body, uint64(len(sections)))
	for i := range sections {
		body = wire.AppendSection(body, &sections[i])
	}
	answer, err := l.call.post(batchPath, body, n.cfg.OwnerTimeout)
	if err != nil {
		n.peerFault(l, err)
		return nil
	}
	defer answer.release()
	answers, err = wire.DecodeAnswers(answer.body, nil)
	if err != nil {
		n.peerFault(l, err)
	}
	return answers
}

func (g *ghost) take(p *ghostPart, a *counter.Answer) error {
	_, epoch := p.Owner()
	if a == nil {
		p.Retry(epoch)
		return nil
	}
	switch p.Take(epoch, a) {
	case counter.Diverge:
		return g.giveUp(p, a.Applied)
	case counter.Lookup:
		g.node.refresh()
	case counter.Later:
		if a.Code == counter.Unknown {
			g.node.refresh()
		}
	}
	// With a lease in doubt, somebody else may be the owner by now, and have more than this one.
	p.gap = p.gap && a.Code != counter.OK
	p.done = a.Code == counter.OK && !a.Doubt && p.Pending() == 0 && a.Applied == a.Persisted
	return nil
}

// giveUp ends what the ghost does for a partition of which the store lacks operations that the ghost does not hold: those behind them cannot
// be counted without them (R2). The process that finds it out stops and says so; one that is started again counts on without them.
// Of copies, the log of their process may hold what is missing, which is sent when that one is back.
func (g *ghost) giveUp(p *ghostPart, has uint64) error {
	if !g.whole {
		if !p.gap {
			g.node.log.Error("copies of a past process cannot be counted, as the database came back from a state older than the first of them; "+
				"they wait for that process' log", "origin", g.origin, "partition", p.ID(), "first", has+1, "last", p.Persisted())
		}
		p.done, p.gap = true, true
		return nil
	}
	told := g.node.noteLost(g.origin, p.ID(), has+1, max(p.Persisted(), p.Last()))
	if !told {
		return fmt.Errorf("the store lacks operations %d to %d of process %s in partition %d, and its log does not hold them either: "+
			"the database came back from a state older than what is kept. Restore a newer state, or start the node again to count on without them and the %d after them",
			has+1, p.Persisted(), g.origin, p.ID(), p.Pending())
	}
	if !p.done {
		g.node.log.Error("counting on without operations that are lost; their log stays for a database that has a newer state",
			"origin", g.origin, "partition", p.ID(), "first", has+1, "last", p.Last())
	}
	p.done, g.torn = true, true
	return nil
}

// ghostDone forgets a ghost: nobody awaits it any more.
func (n *Node) ghostDone(origin counter.Origin) {
	n.haunting.Delete(origin)
	n.slots.each(func(_ *slot, p *counter.Partition) { p.StopAwaiting(origin) })
}

// haunted says whether a ghost here still resends what origin left.
func (n *Node) haunted(origin counter.Origin) bool {
	_, ok := n.haunting.Load(origin)
	return ok
}
