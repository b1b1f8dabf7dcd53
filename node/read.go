package node

import (
	"context"
	"errors"
	"strings"
	"time"
	"unsafe"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/node/wire"
)

// readPause is how long a read waits before it looks again, when the owner is changing or settling.
const readPause = 2 * time.Millisecond

var errMoved = errors.New("this node does not own the partition")

// Total returns a counter's total from its owner. ErrUnreachable: the owner did not answer in time.
func (n *Node) Total(key []byte) (Reading, error) {
	if !n.accepting.Load() {
		return Reading{}, ErrNotReady
	}
	k := unsafe.String(unsafe.SliceData(key), len(key))
	hash := counter.Hash(k)
	sl := n.slots.of(hash)
	deadline := time.Now().Add(n.cfg.OwnerTimeout)
	for {
		sl.mu.Lock()
		phase := sl.p.Phase()
		owner, _ := sl.p.Owner()
		sl.mu.Unlock()
		var r Reading
		err := errMoved
		switch {
		case phase == counter.Owning:
			r, err = n.readHere(sl, hash, k, deadline)
		case phase == counter.Following && owner != n.id:
			r, err = n.readThere(owner, k, deadline)
		}
		if err == nil {
			return r, nil
		}
		if !time.Now().Add(readPause).Before(deadline) {
			return Reading{}, ErrUnreachable
		}
		time.Sleep(readPause)
	}
}

// readHere reads a total as the owner. The lease is looked at after the total was read: then this node was the owner when it
// read (R8).
func (n *Node) readHere(sl *slot, hash uint64, key string, deadline time.Time) (Reading, error) {
	for asked := false; ; {
		sl.mu.Lock()
		v, state := sl.p.Total(hash, key)
		sl.mu.Unlock()
		switch state {
		case counter.Read:
			return Reading{Value: v, Stale: !n.lease.trusted()}, nil
		case counter.ReadMoved:
			return Reading{}, errMoved
		case counter.ReadMissing:
			if asked {
				time.Sleep(readPause) // what was read could not be used, which a pause mends sooner than the next read
			}
			asked = true
			c := n.loader.load(map[uint32]counter.Wanted{sl.p.ID(): {Keys: []string{key}}})
			select {
			case <-c.done:
			case <-time.After(time.Until(deadline)):
				return Reading{}, ErrUnreachable
			}
			if c.err != nil {
				return Reading{}, ErrUnreachable
			}
		case counter.ReadSettle:
			time.Sleep(readPause)
		}
		if !time.Now().Before(deadline) {
			return Reading{}, ErrUnreachable
		}
	}
}

// readThere asks the owner.
func (n *Node) readThere(owner counter.Origin, key string, deadline time.Time) (Reading, error) {
	l := n.links.get(owner)
	if l == nil {
		n.refresh()
		return Reading{}, errMoved
	}
	c := l.reads.ask(wire.Ask{Key: key})
	timer := getTimer(time.Until(deadline))
	defer putTimer(timer)
	select {
	case res := <-c:
		switch res.Code {
		case wire.Value, wire.Doubtful:
			return Reading{Value: res.Total, Stale: res.Code == wire.Doubtful}, nil
		case wire.Moved:
			n.refresh()
		}
		return Reading{}, errMoved
	case <-l.gone: // whatever it was asked, the next owner may answer
		return Reading{}, errMoved
	case <-timer.C:
		return Reading{}, ErrUnreachable
	}
}

// Counter returns a counter's total beside the value that SQL shows.
func (n *Node) Counter(key []byte) (Detail, error) {
	r, err := n.Total(key)
	if err != nil {
		return Detail{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), loadTimeout)
	defer cancel()
	k := string(key)
	snap, err := n.cfg.Store.Read(ctx, []string{k}, nil, nil)
	if err != nil {
		return Detail{Reading: r}, nil // the total stands without it; the caller sees that it is missing
	}
	return Detail{Reading: r, Persisted: snap.Values[k], HasPersisted: true}, nil
}

const (
	readsUnderWay = 2    // read batches under way to one peer
	maxReads      = 1024 // reads in one batch
)

// readLane carries reads to one peer, all that wait in one batch.
type readLane struct {
	link  *link
	queue chan readCall
}

type readCall struct {
	ask  wire.Ask
	done chan wire.ReadResult // capacity 1
}

func newReadLane(l *link) *readLane {
	return &readLane{link: l, queue: make(chan readCall, 16<<10)}
}

// ask queues a read. Its strings are copied. A full queue answers Again (R10).
func (r *readLane) ask(a wire.Ask) <-chan wire.ReadResult {
	c := readCall{ask: wire.Ask{Key: strings.Clone(a.Key), ID: strings.Clone(a.ID)}, done: make(chan wire.ReadResult, 1)}
	select {
	case r.queue <- c:
	default:
		c.done <- wire.ReadResult{Code: wire.Again}
	}
	return c.done
}

func (r *readLane) run(ctx context.Context) {
	for {
		var calls []readCall
		select {
		case <-ctx.Done():
			return
		case c := <-r.queue:
			calls = append(calls, c)
		}
		for more := true; more && len(calls) < maxReads; {
			select {
			case c := <-r.queue:
				calls = append(calls, c)
			default:
				more = false
			}
		}
		results, err := r.post(calls)
		for i, c := range calls {
			if err != nil {
				c.done <- wire.ReadResult{Code: wire.Failed}
				continue
			}
			c.done <- results[i]
		}
	}
}

func (r *readLane) post(calls []readCall) ([]wire.ReadResult, error) {
	n := r.link.node
	asks := make([]wire.Ask, len(calls))
	for i, c := range calls {
		asks[i] = c.ask
	}
	body := wire.AppendReads(wire.AppendHeader(nil, n.header()), asks)
	answer, err := r.link.call.post(readPath, body, n.cfg.OwnerTimeout)
	if err != nil {
		n.peerFault(r.link, err)
		return nil, err
	}
	defer answer.release()
	return wire.DecodeReadResults(answer.body, len(asks))
}
