package node

import "time"

// clock tells the time since some moment of the past. Leases are judged by it: it must go on while the machine is suspended
// where the system has such a clock, and must never be set back.
type clock func() time.Duration
