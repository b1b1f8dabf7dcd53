//go:build !linux

package node

import "time"

// leaseClock is Go's monotonic clock, the best there is here.
func leaseClock() clock {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}
