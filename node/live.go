package node

import (
	"context"
	"encoding/binary"
	"runtime"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/valyala/fasthttp"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/internal/topk"
	"github.com/pinocchio-nose/pinocchio/node/wire"
)

const (
	livePath    = "/peer/v1/live"
	livePeriod  = time.Second
	livePoints  = 15 * 60                // of one node: 15 minutes
	liveTimeout = 700 * time.Millisecond // of a peer's answer, within livePeriod
	liveWatch   = 5 * time.Second        // keys are sampled for so long after somebody looked
	hotKeys     = 512                    // counters of the sketch
	hotTold     = 20                     // keys told
	hotFade     = 10 * time.Second
	hotShift    = 58 // one increment of 2^(64-58) = 64 is sampled
	hotScale    = 1 << (64 - hotShift)
	hotSpread   = 0x9E3779B97F4A7C15 // 2^64 / golden ratio: spreads the samples so that they fall in step with no client
)

// LivePoint is what one node did in one second.
type LivePoint struct {
	Time       int64   `json:"t"`          // Unix seconds of the node's clock; rises by at least 1
	Rate       float64 `json:"rate"`       // increments accepted from clients per second
	Denied     float64 `json:"denied"`     // increments denied by the rate limit per second
	Rows       float64 `json:"rows"`       // counter rows flushed per second
	Flush      float64 `json:"flush"`      // mean seconds of a flush statement; 0: there was none
	Pending    int64   `json:"pending"`    // operations that the store does not have
	Lag        float64 `json:"lag"`        // age of the oldest of them in seconds
	Memory     uint64  `json:"memory"`     // bytes that the process has from the system
	Goroutines int     `json:"goroutines"` // of the process
}

// LiveNode is what one node tells of itself.
type LiveNode struct {
	ID       string      `json:"id"`
	Name     string      `json:"name"`
	Trusted  bool        `json:"trusted"` // it surely holds its lease
	Lease    float64     `json:"lease"`   // seconds for which it will
	StoreOK  bool        `json:"store"`
	Ready    bool        `json:"ready"`
	Owned    int         `json:"owned"`
	Settling int         `json:"settling"`
	Counters int         `json:"counters"` // in memory
	Interval float64     `json:"interval"` // seconds from flush to flush, at which the lag is measured
	Points   []LivePoint `json:"points"`   // newer than what was asked for, oldest first
	Top      []HotKey    `json:"top"`
}

// HotKey is one of the keys that a node is asked to increment most often. Rates are per second, estimated from samples.
type HotKey struct {
	Key   string  `json:"key"`
	Least float64 `json:"least"`
	Most  float64 `json:"most"`
}

// LiveStatus is the whole cluster, as one node sees it and as the others tell.
type LiveStatus struct {
	Cluster ClusterStatus
	Owners  []string   // ID of each partition's owner, as far as this node knows; "": none
	Nodes   []LiveNode // this node and the peers that answered in time
}

// live records what the live page shows. Recording goes on all the time, so that a page that is opened has a history; keys are
// only sampled while somebody looks. The zero value samples nothing.
type live struct {
	denied  atomic.Uint64
	watched atomic.Int64 // Unix nanoseconds until when keys are sampled

	keys struct {
		sync.Mutex
		sketch *topk.Sketch // nil: nobody has looked for a while
	}
	mu struct {
		sync.Mutex
		ring [livePoints]LivePoint
		next int // position of the next point
		used int
	}
}

// NoteDenied counts an increment that the rate limit denied.
func (n *Node) NoteDenied() { n.live.denied.Add(1) }

// sampled picks one in hotScale of a slot's increments.
func sampled(count uint64) bool { return count*hotSpread>>hotShift == 0 }

// sample notes a key. The slot's lock is held, so it never waits: a sample that meets another is dropped.
func (l *live) sample(key []byte) {
	if l.watched.Load() == 0 || !l.keys.TryLock() {
		return
	}
	if l.keys.sketch != nil {
		l.keys.sketch.Add(key)
	}
	l.keys.Unlock()
}

// top tells the most frequent keys and keeps the sampling on.
func (l *live) top(now time.Time) (out []HotKey) {
	l.watched.Store(now.Add(liveWatch).UnixNano())
	l.keys.Lock()
	defer l.keys.Unlock()
	if l.keys.sketch == nil {
		l.keys.sketch = topk.New(hotKeys, hotFade, now)
	}
	for _, r := range l.keys.sketch.Top(hotTold, hotScale, now) {
		out = append(out, HotKey(r))
	}
	return out
}

// rest ends the sampling when nobody has looked for a while.
func (l *live) rest(now time.Time) {
	if till := l.watched.Load(); till == 0 || now.UnixNano() < till || !l.watched.CompareAndSwap(till, 0) {
		return
	}
	l.keys.Lock()
	l.keys.sketch = nil
	l.keys.Unlock()
}

func (l *live) add(p LivePoint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.ring[l.mu.next] = p
	l.mu.next = (l.mu.next + 1) % livePoints
	l.mu.used = min(l.mu.used+1, livePoints)
}

// since returns the points newer than t, oldest first.
func (l *live) since(t int64) (out []LivePoint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.mu.used {
		if p := l.mu.ring[(l.mu.next-l.mu.used+i+livePoints)%livePoints]; p.Time > t {
			out = append(out, p)
		}
	}
	return out
}

// totals only rise; points are their differences.
type totals struct {
	at             time.Time
	accepted, rows uint64
	denied         uint64
	flushes        uint64
	flushing       time.Duration
}

func (n *Node) totals(now time.Time) totals {
	return totals{
		at: now, accepted: n.tally().accepted, rows: n.count.flushRows.Get(), denied: n.live.denied.Load(),
		flushes: n.count.flushDuration.Count(), flushing: n.count.flushDuration.Sum(),
	}
}

// runLive takes a point every second until ctx is done.
func (n *Node) runLive(ctx context.Context) {
	tick := time.NewTicker(livePeriod)
	defer tick.Stop()
	last := n.totals(time.Now())
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := n.totals(time.Now())
		n.live.add(n.point(last, now))
		n.live.rest(now.at)
		last = now
	}
}

func (n *Node) point(from, to totals) LivePoint {
	seconds := max(to.at.Sub(from.at).Seconds(), 1e-3)
	p := LivePoint{
		Time: to.at.Unix(), Rate: float64(to.accepted-from.accepted) / seconds, Denied: float64(to.denied-from.denied) / seconds,
		Rows: float64(to.rows-from.rows) / seconds, Pending: n.slots.pending.Load(),
		Lag: time.Duration(n.oldest.Load()).Seconds(), Memory: processMemory(), Goroutines: runtime.NumGoroutine(),
	}
	if flushes := to.flushes - from.flushes; flushes > 0 {
		p.Flush = (to.flushing - from.flushing).Seconds() / float64(flushes)
	}
	return p
}

// processMemory is what Go has from the system and not given back. Unlike runtime.ReadMemStats, it stops nothing.
func processMemory() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64() - s[1].Value.Uint64()
}

// liveSelf is what this node tells of itself: its points newer than since.
func (n *Node) liveSelf(since int64) LiveNode {
	t := n.tally()
	return LiveNode{
		ID: n.id.String(), Name: n.cfg.Name, Trusted: n.lease.trusted(), Lease: n.lease.left().Seconds(),
		StoreOK: n.storeOK.Load(), Ready: n.Ready() == nil, Owned: t.owned, Settling: t.settling, Counters: t.counters,
		Interval: n.cfg.FlushInterval.Seconds(), Points: n.live.since(since), Top: n.live.top(time.Now()),
	}
}

// Live asks all peers, in less than a second, and returns what they and this node know. since holds, by the node's ID, the time
// of the last point that the caller has.
func (n *Node) Live(since map[string]int64) LiveStatus {
	s := LiveStatus{Owners: n.liveOwners()}
	links := n.links.all()
	told := make([]*LiveNode, len(links))
	var asked sync.WaitGroup
	for i, l := range links {
		asked.Go(func() { told[i] = l.live(since[l.peer.String()]) })
	}
	asked.Wait()
	s.Cluster = n.Cluster()
	s.Nodes = append(s.Nodes, n.liveSelf(since[n.id.String()]))
	for _, t := range told {
		if t != nil {
			s.Nodes = append(s.Nodes, *t)
		}
	}
	return s
}

// liveOwners is who owns what by the latest news, which may be newer than the last round's view.
func (n *Node) liveOwners() []string {
	out := make([]string, len(n.slots.all))
	n.slots.each(func(_ *slot, p *counter.Partition) {
		if owner, _ := p.Owner(); owner != (counter.Origin{}) {
			out[p.ID()] = owner.String()
		}
	})
	return out
}

// live asks the peer; nil: it did not answer. That is no fault to count: nothing but a picture depends on it.
func (l *link) live(since int64) *LiveNode {
	body := binary.BigEndian.AppendUint64(wire.AppendHeader(nil, l.node.header()), uint64(since))
	a, err := l.call.post(livePath, body, liveTimeout)
	if err != nil {
		return nil
	}
	defer a.release()
	var told LiveNode
	if json.Unmarshal(a.body, &told) != nil || told.ID != l.peer.String() {
		return nil
	}
	told.Points = told.Points[max(len(told.Points)-livePoints, 0):]
	told.Top = told.Top[:min(len(told.Top), hotTold)]
	return &told
}

// serveLive answers a peer that shows the live page.
func (n *Node) serveLive(ctx *fasthttp.RequestCtx, rest []byte) {
	if len(rest) != 8 {
		n.count.mangled.Inc()
		ctx.Error("a time is missing", fasthttp.StatusBadRequest)
		return
	}
	body, err := json.Marshal(n.liveSelf(int64(binary.BigEndian.Uint64(rest))))
	if err != nil {
		ctx.Error(err.Error(), fasthttp.StatusInternalServerError)
		return
	}
	ctx.Response.SetBodyRaw(body)
}
