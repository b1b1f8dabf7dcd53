package node

import (
	"time"

	"golang.org/x/sys/unix"
)

// leaseClock is CLOCK_BOOTTIME: monotonic, and it goes on in suspend.
func leaseClock() clock {
	return func() time.Duration {
		var ts unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
			panic("node: CLOCK_BOOTTIME: " + err.Error()) // Linux has had it since 2.6.39
		}
		return time.Duration(ts.Nano())
	}
}
