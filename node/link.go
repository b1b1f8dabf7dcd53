package node

import (
	"context"
	"encoding/binary"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/node/wire"
)

const (
	lanesPerLink   = 2        // batches that may be under way to one peer at a time, of different partitions
	maxBatchOps    = 16 << 10 // operations in one batch, so that no answer takes long
	maxBatchBytes  = 4 << 20  // of keys and numbers in one batch
	laterPause     = 2 * time.Millisecond
	firstPeerPause = 20 * time.Millisecond
	maxPeerPause   = 500 * time.Millisecond
)

// link carries batches to one peer. Everything that waits for the peer goes in the next batch of its lane; a lane has one batch
// under way. There is no timer: batches are small when the load is low and large when it is high. A batch without an answer is
// sent again, to whoever owns the partition by then (R2 makes that safe).
type link struct {
	peer  counter.Origin
	node  *Node
	call  *caller
	lanes [lanesPerLink]*lane
	reads *readLane
	rates *limitLane      // nil: there is no rate limit
	gone  <-chan struct{} // closed when the peer is taken for gone
	turns chan struct{}   // holds one for each command under way
	stop  context.CancelFunc
	done  sync.WaitGroup

	refused atomic.Bool // the last call found nobody listening
}

// lane is one queue of a link.
type lane struct {
	link *link
	wake chan struct{} // capacity 1

	mu       sync.Mutex
	queue    []uint32              // partitions with something to send
	routes   map[uint32]wire.Route // to tell the peer, until it answered
	progress map[uint32]uint64
}

func (n *Node) newLink(peer counter.Origin, addr string) *link {
	ctx, cancel := context.WithCancel(context.Background())
	l := &link{peer: peer, node: n, call: newCaller(peer, addr, n.auth), gone: ctx.Done(), stop: cancel, turns: make(chan struct{}, commandsUnderWay)}
	for i := range l.lanes {
		l.lanes[i] = &lane{
			link: l, wake: make(chan struct{}, 1),
			routes: make(map[uint32]wire.Route), progress: make(map[uint32]uint64),
		}
		l.done.Go(func() { l.lanes[i].run(ctx) })
	}
	l.reads = newReadLane(l)
	l.done.Go(func() { l.reads.run(ctx) })
	if n.rates != nil {
		l.rates = newLimitLane(l)
		l.done.Go(func() { l.rates.run(ctx) })
	}
	return l
}

// close stops the link's goroutines and waits for them. What was under way goes to the next owner.
func (l *link) close() {
	l.stop()
	l.call.close()
	l.done.Wait()
}

func (l *link) lane(partition uint32) *lane { return l.lanes[partition%lanesPerLink] }

func (a *lane) signal() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// push queues a partition. The caller holds the slot's lock and has set queued to this link.
func (a *lane) push(partition uint32) {
	a.mu.Lock()
	a.queue = append(a.queue, partition)
	a.mu.Unlock()
	a.signal()
}

// tellRoute and tellProgress leave news for the peer; the newest stands.
func (a *lane) tellRoute(r wire.Route) {
	a.mu.Lock()
	if old, ok := a.routes[r.Partition]; !ok || old.Epoch < r.Epoch {
		a.routes[r.Partition] = r
	}
	a.mu.Unlock()
	a.signal()
}

func (a *lane) tellProgress(partition uint32, number uint64) {
	a.mu.Lock()
	a.progress[partition] = max(a.progress[partition], number)
	a.mu.Unlock()
	a.signal()
}

// flight is one batch under way.
type flight struct {
	body     []byte
	epochs   map[uint32]uint64 // of each section sent
	routes   []wire.Route
	progress []wire.Progress
	answers  []counter.Answer
}

func (a *lane) run(ctx context.Context) {
	f := &flight{epochs: make(map[uint32]uint64)}
	pause := firstPeerPause
	for {
		select {
		case <-ctx.Done():
			a.abandon()
			return
		case <-a.wake:
			runtime.Gosched() // those who are about to add more come first: one batch for them all
		}
		if !a.build(f) {
			continue
		}
		err := a.post(f)
		if err == nil {
			a.link.refused.Store(false)
		}
		switch {
		case err != nil:
			a.failed(f)
			a.link.node.peerFault(a.link, err)
			sleep(ctx, pause)
			pause = min(2*pause, maxPeerPause)
			a.signal()
		case a.answered(f):
			pause = firstPeerPause
			sleep(ctx, laterPause)
			a.signal()
		default:
			pause = firstPeerPause
		}
	}
}

// build takes what waits into the next batch; false when there is nothing to say.
func (a *lane) build(f *flight) bool {
	a.mu.Lock()
	queue := a.queue
	a.queue = nil
	f.routes, f.progress = f.routes[:0], f.progress[:0]
	for _, r := range a.routes {
		f.routes = append(f.routes, r)
	}
	for p, n := range a.progress {
		f.progress = append(f.progress, wire.Progress{Partition: p, Number: n})
	}
	clear(a.routes)
	clear(a.progress)
	a.mu.Unlock()

	n := a.link.node
	clear(f.epochs)
	f.body = wire.AppendOrigin(wire.AppendHeader(f.body[:0], n.header()), n.id)
	f.body = wire.AppendRoutes(f.body, f.routes)
	f.body = wire.AppendProgress(f.body, f.progress)
	// The count of sections is known only afterwards: room for it is kept, as a varint of fixed length.
	at := len(f.body)
	f.body = append(f.body, make([]byte, binary.MaxVarintLen32)...)
	ops := 0
	for i, id := range queue {
		if ops >= maxBatchOps || len(f.body) > maxBatchBytes {
			a.requeue(queue[i:])
			break
		}
		ops += a.section(f, id, maxBatchOps-ops)
	}
	putPaddedUvarint(f.body[at:at+binary.MaxVarintLen32], uint64(len(f.epochs)))
	return len(f.epochs) > 0 || len(f.routes) > 0 || len(f.progress) > 0
}

// section encodes the partition's next section under its lock, and returns the count of its operations.
func (a *lane) section(f *flight, id uint32, maxOps int) int {
	n := a.link.node
	sl := &n.slots.all[id]
	sl.mu.Lock()
	defer sl.mu.Unlock()
	if sl.queued != a.link {
		return 0
	}
	sl.queued = nil
	if owner, _ := sl.p.Owner(); owner != a.link.peer {
		n.enqueue(sl) // the owner has changed: another link's now
		return 0
	}
	s, ok := sl.p.Next(maxOps)
	if !ok {
		return 0
	}
	f.epochs[id] = s.Epoch
	f.body = wire.AppendSection(f.body, &s)
	n.count.forwardedOut.Add(len(s.Ops))
	return len(s.Ops)
}

func (a *lane) requeue(ids []uint32) {
	a.mu.Lock()
	a.queue = append(a.queue, ids...)
	a.mu.Unlock()
	a.signal()
}

// putPaddedUvarint writes v in exactly len(b) bytes.
func putPaddedUvarint(b []byte, v uint64) {
	for i := range b {
		b[i] = byte(v&0x7f) | 0x80
		v >>= 7
	}
	b[len(b)-1] &= 0x7f
}

func (a *lane) post(f *flight) error {
	answer, err := a.link.call.post(batchPath, f.body, a.link.node.cfg.OwnerTimeout)
	if err != nil {
		return err
	}
	defer answer.release()
	f.answers, err = wire.DecodeAnswers(answer.body, f.answers[:0])
	return err
}

// failed gives everything back, to be sent again.
func (a *lane) failed(f *flight) {
	for _, r := range f.routes {
		a.tellRoute(r)
	}
	for _, p := range f.progress {
		a.tellProgress(p.Partition, p.Number)
	}
	n := a.link.node
	for id, epoch := range f.epochs {
		sl := &n.slots.all[id]
		sl.mu.Lock()
		sl.p.Retry(epoch)
		n.enqueue(sl)
		sl.mu.Unlock()
	}
}

// answered hands the answers to their partitions. It reports whether some of them want a pause.
func (a *lane) answered(f *flight) (pause bool) {
	n := a.link.node
	for i := range f.answers {
		ans := &f.answers[i]
		epoch, sent := f.epochs[ans.Partition]
		if !sent {
			continue
		}
		delete(f.epochs, ans.Partition)
		sl := &n.slots.all[ans.Partition]
		var v counter.Verdict
		var refused []counter.Refusal
		had := uint64(0)
		n.slots.change(sl, func(p *counter.Partition) {
			v = p.Take(epoch, ans)
			refused = p.Refused()
			had = p.Persisted()
			n.enqueue(sl)
		})
		n.lostToRange(refused)
		switch v {
		case counter.Later:
			pause = true
		case counter.Lookup:
			pause = true
			n.refresh()
		case counter.Diverge:
			pause = true
			n.tooOld(ans.Partition, had, ans.Applied)
		}
	}
	if len(f.epochs) > 0 { // the peer left a section out: as good as no answer
		f.routes, f.progress = nil, nil
		a.failed(f)
		return true
	}
	return pause
}

// abandon leaves the queue to the sweep of the control loop: the peer is gone.
func (a *lane) abandon() {
	a.mu.Lock()
	queue := a.queue
	a.queue = nil
	a.mu.Unlock()
	for _, id := range queue {
		sl := &a.link.node.slots.all[id]
		sl.mu.Lock()
		if sl.queued == a.link {
			sl.queued = nil
		}
		sl.mu.Unlock()
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := getTimer(d)
	defer putTimer(t)
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
