package node

import (
	"encoding/binary"

	"github.com/pinocchio-nose/pinocchio/node/wire"
)

// retire makes the peer a former holder.
func (c *copier) retire() {
	if len(c.copied) == 0 {
		return
	}
	if c.former[c.peer] == nil {
		c.former[c.peer] = make(copiedMarks)
	}
	for id, number := range c.copied {
		c.former[c.peer][id] = max(number, c.former[c.peer][id])
	}
	c.copied = make(copiedMarks)
}

// wasHeld says that somebody was sent operations of the partition which the store may not have.
func (c *copier) wasHeld(partition uint32) bool {
	_, held := c.copied[partition]
	for _, marks := range c.former {
		_, here := marks[partition]
		held = held || here
	}
	return held
}

// tidyFormer tells earlier holders how far the store has what they hold: nobody else does, and their room is bounded (R10). Who does not
// answer would hold up the copies to the present one.
func (c *copier) tidyFormer() {
	w := c.node.world.Load()
	for peer, marks := range c.former {
		if w == nil || w.members[peer] == nil {
			delete(c.former, peer)
			continue
		}
		l := c.node.links.get(peer)
		ids := c.stored(marks)
		if len(ids) == 0 || l == nil || l.refused.Load() || !w.members[peer].alive || !c.release(l, ids) {
			continue
		}
		for _, id := range ids {
			delete(marks, id)
		}
		if len(marks) == 0 {
			delete(c.former, peer)
		}
	}
}

// stored returns the partitions of which the store has all that the marks stand for.
func (c *copier) stored(marks copiedMarks) (ids []uint32) {
	for id, number := range marks {
		sl := &c.node.slots.all[id]
		sl.mu.Lock()
		if sl.p.Persisted() >= number {
			ids = append(ids, id)
		}
		sl.mu.Unlock()
	}
	return ids
}

// release tells a peer that it need hold nothing of what it was sent of the partitions, and reports whether it heard.
func (c *copier) release(l *link, ids []uint32) bool {
	body := wire.AppendHeader(nil, c.node.header())
	body = binary.AppendUvarint(body, uint64(len(ids)))
	for _, id := range ids {
		sl := &c.node.slots.all[id]
		sl.mu.Lock()
		persisted := sl.p.Persisted()
		sl.mu.Unlock()
		body = wire.AppendCopy(body, &wire.Copy{Partition: id, Persisted: persisted, First: persisted + 1})
	}
	answer, err := l.call.post(copyPath, body, c.node.cfg.OwnerTimeout)
	if err != nil {
		c.node.peerFault(l, err)
		return false
	}
	answer.release()
	return true
}
