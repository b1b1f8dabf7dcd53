package node

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/flush"
	"github.com/pinocchio-nose/pinocchio/node/wire"
)

// resting returns a node that runs nothing, and a lane of a link to a peer which owns all partitions; the link runs nothing either.
func resting(t *testing.T) (n *Node, a *lane, peer counter.Origin) {
	t.Helper()
	cfg := validConfig()
	cfg.Ring = testSettings()
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	peer = counter.Origin{7}
	l := &link{peer: peer, node: n}
	for i := range l.lanes {
		l.lanes[i] = &lane{link: l, wake: make(chan struct{}, 1), routes: map[uint32]wire.Route{}, progress: map[uint32]uint64{}}
	}
	n.links.byID[peer] = l
	n.slots.each(func(_ *slot, p *counter.Partition) { p.Learn(peer, 1) })
	return n, l.lanes[0], peer
}

// hold puts count operations of different keys into a partition's outbox.
func hold(n *Node, partition uint32, count int) {
	sl := &n.slots.all[partition]
	n.slots.change(sl, func(p *counter.Partition) {
		for k := range count {
			key := fmt.Sprintf("p%dk%d", partition, k)
			if _, err := p.Add(counter.Hash(key), key, 1); err != nil {
				panic(err)
			}
		}
		n.enqueue(sl)
	})
}

func decode(t *testing.T, f *flight) (b wire.Batch, ops int) {
	t.Helper()
	if err := b.Decode(bytes.Clone(f.body)); err != nil {
		t.Fatal(err)
	}
	for i := range b.Sections {
		ops += len(b.Sections[i].Ops)
	}
	return b, ops
}

// R10: a batch has a bound; what is beyond it goes in the next ones.
func TestLane_SendsALotInSeveralBatches(t *testing.T) {
	n, a, peer := resting(t)
	const each = maxBatchOps / 2
	for p := uint32(0); p < 10; p += lanesPerLink {
		hold(n, p, each)
	}
	f := &flight{epochs: make(map[uint32]uint64)}
	total := 0
	for batch := 0; a.build(f); batch++ {
		b, ops := decode(t, f)
		if total += ops; ops > maxBatchOps || len(b.Sections) == 0 || batch > 5 {
			t.Fatalf("batch %d has %d operations in %d sections", batch, ops, len(b.Sections))
		}
		f.answers = f.answers[:0]
		for _, s := range b.Sections {
			if len(s.Ops) == 0 {
				t.Error("an empty section")
			}
			f.answers = append(f.answers, counter.Answer{Partition: s.Partition, Epoch: 1, Owner: peer, Applied: s.First - 1 + uint64(len(s.Ops))})
		}
		if a.answered(f) {
			t.Error("a pause is wanted")
		}
	}
	if total != 5*each {
		t.Errorf("sent %d operations of %d", total, 5*each)
	}
}

func TestLane_SendsAgainWhatThePeerLeftOut(t *testing.T) {
	n, a, peer := resting(t)
	hold(n, 0, 3)
	hold(n, 2, 4)
	f := &flight{epochs: make(map[uint32]uint64)}
	if !a.build(f) {
		t.Fatal("nothing to send")
	}
	first, _ := decode(t, f)
	if len(first.Sections) != 2 {
		t.Fatalf("%d sections", len(first.Sections))
	}
	stranger := counter.Answer{Partition: 4, Epoch: 1, Owner: peer, Applied: 9} // never asked: not heeded
	f.answers = []counter.Answer{stranger, {Partition: 2, Epoch: 1, Owner: peer, Applied: 4}}
	if !a.answered(f) {
		t.Error("no pause after an incomplete answer")
	}
	if !a.build(f) {
		t.Fatal("nothing is sent again")
	}
	again, ops := decode(t, f)
	if len(again.Sections) != 1 || again.Sections[0].Partition != 0 || ops != 3 {
		t.Errorf("sent again: %+v", again.Sections)
	}
}

func TestLane_KeepsItsNewsUntilThePeerAnswered(t *testing.T) {
	_, a, peer := resting(t)
	a.tellRoute(wire.Route{Partition: 0, Epoch: 5, Owner: peer})
	a.tellRoute(wire.Route{Partition: 0, Epoch: 4}) // older: not told
	a.tellProgress(2, 8)
	a.tellProgress(2, 7)
	f := &flight{epochs: make(map[uint32]uint64)}
	for try := range 2 {
		if !a.build(f) {
			t.Fatalf("try %d: nothing to tell", try)
		}
		b, _ := decode(t, f)
		if len(b.Routes) != 1 || b.Routes[0].Epoch != 5 || len(b.Progress) != 1 || b.Progress[0].Number != 8 {
			t.Errorf("try %d: %+v", try, b)
		}
		if try == 0 {
			a.failed(f)
		}
	}
	if a.answered(f); a.build(f) {
		t.Error("told again after the answer")
	}
}

// A partition whose owner changed while it stood in a queue goes out by the new owner's link.
func TestLane_LeavesToAnotherLinkWhatHasAnotherOwner(t *testing.T) {
	n, a, _ := resting(t)
	hold(n, 0, 1)
	next := counter.Origin{8}
	l := &link{peer: next, node: n}
	l.lanes[0] = &lane{link: l, wake: make(chan struct{}, 1)}
	n.links.byID[next] = l
	n.learn(wire.Route{Partition: 0, Epoch: 2, Owner: next})
	f := &flight{epochs: make(map[uint32]uint64)}
	if a.build(f) {
		t.Error("sent to the old owner")
	}
	if !l.lanes[0].build(f) || f.epochs[0] != 2 {
		t.Error("not sent to the new owner")
	}
}

func TestLane_AsksTheStoreWhenThePeerDoesNotKnowTheOwner(t *testing.T) {
	n, a, _ := resting(t)
	hold(n, 0, 1)
	f := &flight{epochs: make(map[uint32]uint64)}
	a.build(f)
	f.answers = []counter.Answer{{Partition: 0, Code: counter.Moved}}
	if !a.answered(f) {
		t.Error("no pause")
	}
	select {
	case <-n.wanted:
	default:
		t.Error("no round is wanted")
	}
}

func TestLane_FreesWhatWaitsWhenItEnds(t *testing.T) {
	n, a, _ := resting(t)
	hold(n, 0, 1)
	a.abandon()
	if n.slots.all[0].queued != nil {
		t.Error("the partition stands in the queue of a link that has ended")
	}
}

func TestPutPaddedUvarint_WritesWhatUvarintReads(t *testing.T) {
	for _, v := range []uint64{0, 1, 127, 128, 300, math.MaxUint32} {
		b := make([]byte, binary.MaxVarintLen32)
		putPaddedUvarint(b, v)
		if got, size := binary.Uvarint(b); got != v || size != len(b) {
			t.Errorf("%d: %d in %d bytes", v, got, size)
		}
	}
}

// R10: the queue of reads has a bound; beyond it the answer is to ask again.
func TestReadLane_RefusesAReadWhenItsQueueIsFull(t *testing.T) {
	r := newReadLane(nil)
	for range cap(r.queue) {
		select {
		case res := <-r.ask(wire.Ask{Key: "k"}):
			t.Fatalf("answered %+v", res)
		default:
		}
	}
	select {
	case res := <-r.ask(wire.Ask{Key: "k"}):
		if res.Code != wire.Again {
			t.Errorf("answered %+v", res)
		}
	default:
		t.Error("queued beyond the bound")
	}
}

// The store names another owner, at no later epoch than this node's: it came back from an older state.
func TestNode_GivesUpAPartitionThatTheStoreSaysIsNotItsOwn(t *testing.T) {
	n, _, _ := resting(t)
	sl := &n.slots.all[0]
	n.slots.change(sl, func(p *counter.Partition) { p.Acquire(5, nil, nil, nil) })
	b := flush.Batch{Partition: 0, Epoch: 5}
	source{n}.Done(b, flush.Outcome{Verdict: flush.NotOwner, Owner: flush.Ownership{Partition: 0, Epoch: 3}})
	if sl.p.Phase() != counter.Following {
		t.Error("it goes on as the owner")
	}
	n.slots.change(sl, func(p *counter.Partition) { p.Acquire(6, nil, nil, nil) })
	source{n}.Done(b, flush.Outcome{Verdict: flush.NotOwner, Owner: flush.Ownership{Partition: 0, Epoch: 6, Owner: n.id}})
	if sl.p.Phase() != counter.Owning {
		t.Error("it gives up a later epoch for the end of an earlier one's batch")
	}
}

func TestQuiet_LogsConnectionsOnlyForWhoDebugs(t *testing.T) {
	for level, want := range map[slog.Level]bool{slog.LevelDebug: true, slog.LevelInfo: false} {
		var b strings.Builder
		quiet{slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: level}))}.Printf("%s %d", "gone", 1)
		if strings.Contains(b.String(), "gone 1") != want {
			t.Errorf("%v: %q", level, b.String())
		}
	}
}

// R12: a link that was closed with a partition in its queue, or got one just after, is not the partition's link any more; the next one to the
// same peer is.
func TestEnqueue_GoesToTheLinkThatThereIs(t *testing.T) {
	n, a, peer := resting(t)
	n.links.byID[peer] = a.link
	sl := &n.slots.all[0]
	again := &link{peer: peer, node: n}
	for i := range again.lanes {
		again.lanes[i] = &lane{link: again, wake: make(chan struct{}, 1), routes: map[uint32]wire.Route{}, progress: map[uint32]uint64{}}
	}
	n.slots.change(sl, func(p *counter.Partition) {
		p.Learn(peer, 99)
		n.enqueue(sl)
		if sl.queued != a.link {
			t.Fatal("not queued")
		}
		n.links.byID[peer] = again
		n.enqueue(sl)
	})
	if sl.queued != again || len(again.lane(0).queue) != 1 {
		t.Error("the partition waits in the queue of a link that is closed")
	}
}
