package node

import "time"

// clock tells the time since some moment of the past. Leases are judged by it: it must go on while the machine is suspended
// where the system has such a clock, and must never be set back.
type clock func() time.Duration

// hotClock is the monotonic clock without a system call; it may stand still in suspend.
func hotClock() clock {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}
