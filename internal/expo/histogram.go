package expo

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
)

// Histogram counts durations in buckets without a lock. Observers spread over stripes, so that two cores seldom write to
// one cache line; a reader adds the stripes up. An observation is two atomic additions.
type Histogram struct {
	bounds []time.Duration
	mask   uint64 // stripes - 1; the count of stripes is a power of two
	width  uint64 // cells of a stripe, a whole number of cache lines
	cells  []atomic.Uint64
}

// cellsPerLine is how many 8-byte cells fill the 64 bytes that cores hand to each other.
const cellsPerLine = 8

// NewHistogram returns a histogram with the given upper bounds, which must rise and be above zero, and room for at
// least the given count of observers that do not disturb each other. It panics on bounds that cannot be: they are
// written in the source, not configured.
func NewHistogram(bounds []time.Duration, stripes int) *Histogram {
	if len(bounds) == 0 || bounds[0] <= 0 {
		panic("expo: a histogram needs bounds above zero")
	}
	for i := 1; i < len(bounds); i++ {
		if bounds[i] <= bounds[i-1] {
			panic(fmt.Sprintf("expo: bound %v does not rise above %v", bounds[i], bounds[i-1]))
		}
	}
	count := uint64(1)
	for count < uint64(max(stripes, 1)) {
		count *= 2
	}
	// One cell for each bound, one for what lies beyond the last, one for the sum.
	width := (uint64(len(bounds)) + 2 + cellsPerLine - 1) / cellsPerLine * cellsPerLine
	return &Histogram{
		bounds: slices.Clone(bounds),
		mask:   count - 1,
		width:  width,
		cells:  make([]atomic.Uint64, count*width),
	}
}

// Observe counts d. The stripe is any number that differs between concurrent observers, such as the number of a
// connection. A negative d (a clock that was set back) counts as zero.
func (h *Histogram) Observe(stripe uint64, d time.Duration) {
	d = max(d, 0)
	bucket := 0
	for bucket < len(h.bounds) && d > h.bounds[bucket] {
		bucket++
	}
	first := (stripe & h.mask) * h.width
	h.cells[first+uint64(bucket)].Add(1)
	h.cells[first+uint64(len(h.bounds))+1].Add(uint64(d))
}

// Count returns how many durations were observed.
func (h *Histogram) Count() uint64 {
	var total uint64
	for _, n := range h.buckets() {
		total += n
	}
	return total
}

// Sum returns the sum of all durations observed.
func (h *Histogram) Sum() time.Duration {
	var sum uint64
	for first := uint64(0); first < uint64(len(h.cells)); first += h.width {
		sum += h.cells[first+uint64(len(h.bounds))+1].Load()
	}
	return time.Duration(sum)
}

// buckets adds the stripes up: one count for each bound, and one for what lies beyond.
func (h *Histogram) buckets() []uint64 {
	counts := make([]uint64, len(h.bounds)+1)
	for first := uint64(0); first < uint64(len(h.cells)); first += h.width {
		for i := range counts {
			counts[i] += h.cells[first+uint64(i)].Load()
		}
	}
	return counts
}

// Expose writes the samples of h, in seconds, as the family name with the given labels (`route="/metrics"`, or none).
// The count is that of the buckets written, whatever is observed meanwhile, as a reader may rely on.
func (h *Histogram) Expose(w io.Writer, name, labels string) {
	separator, braced := "", ""
	if labels != "" {
		separator, braced = ",", "{"+labels+"}"
	}
	var total uint64
	for i, n := range h.buckets() {
		total += n
		le := "+Inf"
		if i < len(h.bounds) {
			le = seconds(h.bounds[i])
		}
		fmt.Fprintf(w, "%s_bucket{%s%sle=%q} %d\n", name, labels, separator, le, total)
	}
	fmt.Fprintf(w, "%s_sum%s %s\n%s_count%s %d\n", name, braced, seconds(h.Sum()), name, braced, total)
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'g', -1, 64) }
