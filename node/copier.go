package node

import (
	"bytes"
	"context"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/node/wire"
)

const (
	copyPath     = "/peer/v1/copy"
	copyPause    = 50 * time.Millisecond // before a copy that failed is tried again
	copyTidy     = time.Second           // between two looks at copies that are not needed any more
	maxCopyOps   = 4 << 10               // of one partition in one message
	maxCopyBytes = 4 << 20
)

// copier sends operations of durability `replica` whose origin owns their partition itself to a second node, which holds them
// until the store has them. (Those of other partitions are held by two nodes as it is: by their origin and by their owner.) With an
// operation goes everything before it that the store lacks, so that the other node can resend a stream without gaps.
type copier struct {
	node *Node
	wake chan struct{} // capacity 1
	used atomic.Bool   // somebody has asked for a copy

	mu    sync.Mutex
	queue []uint32

	// Only the copying goroutine uses these.
	peer   counter.Origin
	copied copiedMarks
	former map[counter.Origin]copiedMarks // what earlier holders have, until the store has it and they know
}

// copiedMarks are the partitions of which a peer holds something, with the highest number of it.
type copiedMarks map[uint32]uint64

// copyMark is what was sent of a partition.
type copyMark struct {
	logMark
	persisted uint64
}

func newCopier(n *Node) *copier {
	return &copier{
		node: n, wake: make(chan struct{}, 1),
		copied: make(copiedMarks), former: make(map[counter.Origin]copiedMarks),
	}
}

// note queues a slot, whose lock is held.
func (c *copier) note(sl *slot) {
	c.used.Store(true)
	if !sl.copyQueued {
		sl.copyQueued = true
		c.mu.Lock()
		c.queue = append(c.queue, sl.p.ID())
		c.mu.Unlock()
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *copier) run(ctx context.Context) {
	tidy := time.NewTicker(copyTidy)
	defer tidy.Stop()
	for {
		all := false
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		case <-tidy.C:
			all = true
		}
		if !c.used.Load() {
			continue
		}
		if all {
			c.tidyFormer()
		}
		l := c.holder()
		if l == nil {
			continue // until there is one; who waits is told that it takes too long
		}
		if ids := c.take(all); len(ids) > 0 && !c.send(l, ids) {
			sleep(ctx, copyPause)
		}
	}
}

// holder finds the link to the node that holds the copies. When that is another one than before, it gets everything anew.
func (c *copier) holder() *link {
	id := c.node.secondNode(c.peer)
	l := c.node.links.get(id)
	if l == nil || id != c.peer {
		c.retire()
	}
	if l == nil {
		return nil
	}
	if marks := c.former[id]; marks != nil { // it was the holder before
		c.copied = marks
		delete(c.former, id)
	}
	if id == c.peer {
		return l
	}
	c.peer = id
	c.node.slots.each(func(sl *slot, p *counter.Partition) {
		p.CopyAfresh()
		if p.HasToCopy() && c.wasHeld(p.ID()) {
			c.note(sl) // also where nothing new comes: what was answered by the former holder's word has one holder now
		}
	})
	return l
}

// secondNode picks a live process for copies: the one there was, if it still is, or else the next one by id. The nil UUID: none.
func (n *Node) secondNode(now counter.Origin) (next counter.Origin) {
	w := n.world.Load()
	if w == nil {
		return next
	}
	good := func(id counter.Origin) bool {
		m, l := w.members[id], n.links.get(id)
		return id != n.id && m != nil && m.alive && m.LeaseLeft > 0 && !m.Draining && l != nil && !l.refused.Load()
	}
	if good(now) {
		return now
	}
	behind := func(id counter.Origin) bool { return bytes.Compare(id[:], n.id[:]) > 0 }
	for id := range w.members {
		if !good(id) {
			continue
		}
		nearer := bytes.Compare(id[:], next[:]) < 0
		if next == (counter.Origin{}) || behind(id) && !behind(next) || behind(id) == behind(next) && nearer {
			next = id
		}
	}
	return next
}

// take returns the partitions to copy: those queued, or also those whose copies may be let go.
func (c *copier) take(all bool) []uint32 {
	c.mu.Lock()
	ids := c.queue
	c.queue = nil
	c.mu.Unlock()
	if !all {
		return ids
	}
	queued := make(map[uint32]bool, len(ids))
	for _, id := range ids {
		queued[id] = true
	}
	for id := range c.copied {
		if !queued[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

// send copies what the partitions have for the peer, and reports whether it arrived.
func (c *copier) send(l *link, ids []uint32) bool {
	n := c.node
	body := wire.AppendHeader(nil, n.header())
	at := len(body)
	body = append(body, make([]byte, binary.MaxVarintLen32)...)
	var marks []copyMark
	for i, id := range ids {
		if len(body) > maxCopyBytes {
			c.requeue(ids[i:])
			break
		}
		body, marks = c.encode(body, id, marks)
	}
	putPaddedUvarint(body[at:at+binary.MaxVarintLen32], uint64(len(marks)))
	answer, err := l.call.post(copyPath, body, n.cfg.OwnerTimeout)
	var held []uint64
	if err == nil {
		held, err = wire.DecodeHeld(answer.body, len(marks))
		answer.release()
	}
	if err != nil {
		n.peerFault(l, err)
		held = make([]uint64, len(marks))
		n.refresh()
	}
	all := err == nil
	for i, m := range marks {
		c.copiedTo(m, held[i], err == nil)
		all = all && held[i] >= m.number
	}
	return all // else not at once again: the peer may have no room
}

// encode appends a partition's part of the message.
func (c *copier) encode(body []byte, id uint32, marks []copyMark) ([]byte, []copyMark) {
	sl := &c.node.slots.all[id]
	sl.mu.Lock()
	defer sl.mu.Unlock()
	sl.copyQueued = false
	first, ops := sl.p.ToCopy(maxCopyOps)
	persisted := sl.p.Persisted()
	body = wire.AppendCopy(body, &wire.Copy{Partition: id, Persisted: persisted, First: first, Ops: ops})
	if sl.p.HasToCopy() {
		c.note(sl)
	}
	return body, append(marks, copyMark{logMark{id, first + uint64(len(ops)) - 1}, persisted})
}

// copiedTo notes what the peer holds of a partition; behind what was sent, it is to get it anew.
func (c *copier) copiedTo(m copyMark, held uint64, answered bool) {
	sl := &c.node.slots.all[m.partition]
	sl.mu.Lock()
	defer sl.mu.Unlock()
	if !answered || held < m.number {
		sl.p.CopyAfresh()
		c.copied[m.partition] = max(m.number, c.copied[m.partition]) // it may have come all the same
		if sl.p.HasToCopy() && sl.p.Phase() != counter.Following {
			c.note(sl)
		}
		return
	}
	sl.p.Copied(m.number)
	c.copied[m.partition] = m.number
	if m.persisted >= m.number {
		delete(c.copied, m.partition) // the peer has just been told that it need hold nothing
	}
}

func (c *copier) requeue(ids []uint32) {
	c.mu.Lock()
	c.queue = append(c.queue, ids...)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}
