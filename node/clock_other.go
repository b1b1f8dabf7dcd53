//go:build !linux

package node

// leaseClock is Go's monotonic clock, the best there is here.
func leaseClock() clock { return hotClock() }
