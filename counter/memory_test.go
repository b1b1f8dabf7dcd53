package counter

import (
	"fmt"
	"runtime"
	"testing"
)

// A counter that the store has all of costs little more than its key. Redis takes 88 bytes for each of a million keys of 20 bytes.
func TestPartition_TakesUnderAHundredBytesForAnIdleCounter(t *testing.T) {
	const partitions, counters = 271, 1_000_000
	before := heap()
	var all [partitions]*Partition
	for i := range all {
		all[i] = owner(me, nil)
		values := make(map[string]int64)
		for k := i; k < counters; k += partitions {
			values[fmt.Sprintf("key:%016x", k)] = 1
		}
		load(t, all[i], values, nil)
	}
	each := float64(heap()-before) / counters
	t.Logf("%d idle counters with keys of 20 bytes: %.1f bytes each", counters, each)
	if each > 100 {
		t.Errorf("%.1f bytes for each counter, want at most 100", each)
	}
	v, state := all[0].Total(Hash("key:0000000000000000"), "key:0000000000000000")
	equal(t, "state", state, Read)
	equal(t, "total", v, 1)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
