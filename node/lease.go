package node

import (
	"sync/atomic"
	"time"
)

// lease is this node's right to own partitions. It lasts ttl from the moment that the store renewed it; this node trusts it
// only until 0.6 ttl after the moment before it asked, so that it stops trusting long before anybody else may take over.
// With the lease in doubt the node still counts (its outbox holds everything), but says so in its answers.
type lease struct {
	ttl   time.Duration
	now   clock        // goes on in suspend
	till  atomic.Int64 // by now
	doubt atomic.Bool  // set by timer: what increments look at, for they must not pay for a clock
	timer *time.Timer
}

func newLease(ttl time.Duration) *lease {
	l := &lease{ttl: ttl, now: leaseClock()}
	l.doubt.Store(true)
	l.timer = time.AfterFunc(time.Hour, func() { l.doubt.Store(true) })
	l.timer.Stop()
	return l
}

// renewed notes that the store renewed the lease; asked is the time by now before it was asked.
func (l *lease) renewed(asked time.Duration) {
	trust := l.ttl * 6 / 10
	l.till.Store(int64(asked + trust))
	if left := l.left(); left > 0 {
		l.timer.Reset(left)
		l.doubt.Store(false)
	}
}

// revoke ends the trust before its time.
func (l *lease) revoke() {
	l.doubt.Store(true)
	l.till.Store(0)
}

// end stops the timer.
func (l *lease) end() { l.timer.Stop() }

// trusted says whether this node surely still holds its lease.
func (l *lease) trusted() bool { return int64(l.now()) < l.till.Load() }

// probably is trusted without the price of a clock. It may be a moment late, which an increment can bear: it is exact whoever
// owns the partition. A read cannot.
func (l *lease) probably() bool { return !l.doubt.Load() }

// left is how long the lease will be trusted from now; negative: in doubt for so long.
func (l *lease) left() time.Duration { return time.Duration(l.till.Load()) - l.now() }
