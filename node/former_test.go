package node

import (
	"testing"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/flush"
	"github.com/pinocchio-nose/pinocchio/node/wire"
)

// The owner has changed to a node that this one has no link to yet: what stands in the former owner's queue waits for that link.
func TestLane_SendsNothingToTheFormerOwnerWhileThereIsNoLinkToTheNewOne(t *testing.T) {
	n, a, _ := resting(t)
	hold(n, 0, 1)
	next := counter.Origin{8}
	n.learn(wire.Route{Partition: 0, Epoch: 2, Owner: next})
	if f := (&flight{epochs: make(map[uint32]uint64)}); a.build(f) {
		t.Errorf("sent to the former owner: %v", f.epochs)
	}
	l := &link{peer: next, node: n}
	l.lanes[0] = &lane{link: l, wake: make(chan struct{}, 1)}
	n.links.byID[next] = l
	n.sweep()
	if f := (&flight{epochs: make(map[uint32]uint64)}); !l.lanes[0].build(f) || f.epochs[0] != 2 {
		t.Error("not sent to the new owner")
	}
}

// The flush that a later owner's epoch refused says who that is: what this node holds can go there without a look at the store.
func TestNode_LearnsTheOwnerFromTheFlushThatWasRefused(t *testing.T) {
	n, _, _ := resting(t)
	sl := &n.slots.all[0]
	n.slots.change(sl, func(p *counter.Partition) { p.Acquire(5, nil, nil, nil) })
	later := flush.Ownership{Partition: 0, Epoch: 6, Owner: counter.Origin{8}}
	source{n}.Done(flush.Batch{Partition: 0, Epoch: 5}, flush.Outcome{Verdict: flush.NotOwner, Owner: later})
	if owner, epoch := sl.p.Owner(); owner != later.Owner || epoch != later.Epoch {
		t.Errorf("it takes %v at epoch %d for the owner", owner, epoch)
	}
}
