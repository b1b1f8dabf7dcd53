package node

import (
	"sync/atomic"
	"time"
)

// lease is this node's right to own partitions. It lasts ttl from the moment that the store renewed it; this node trusts it
// only until 0.6 ttl after the moment before it asked, so that it stops trusting long before anybody else may take over.
// With the lease in doubt the node still counts (its outbox holds everything), but says so in its answers.
type lease struct {
	ttl  time.Duration
	now  clock // goes on in suspend: for reads and for sections of other nodes
	hot  clock // cheap: for increments, which are exact whoever owns the partition
	till atomic.Int64
	htil atomic.Int64
}

func newLease(ttl time.Duration) *lease {
	return &lease{ttl: ttl, now: leaseClock(), hot: hotClock()}
}

// asking returns the moments to hand to renewed, taken before the store is asked.
func (l *lease) asking() (at, hot time.Duration) { return l.now(), l.hot() }

func (l *lease) renewed(at, hot time.Duration) {
	trust := l.ttl * 6 / 10
	l.till.Store(int64(at + trust))
	l.htil.Store(int64(hot + trust))
}

// trusted says whether this node surely still holds its lease.
func (l *lease) trusted() bool { return int64(l.now()) < l.till.Load() }

// probably is trusted by the cheap clock.
func (l *lease) probably() bool { return int64(l.hot()) < l.htil.Load() }

// left is how long the lease will be trusted from now; negative: in doubt for so long.
func (l *lease) left() time.Duration { return time.Duration(l.till.Load()) - l.now() }
