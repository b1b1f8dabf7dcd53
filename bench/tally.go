package bench

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// Histograms hold latencies of up to ten minutes in nanoseconds with three significant digits, in steps of half a
// microsecond at the low end.
const (
	lowestLatency  = 1000
	highestLatency = int64(10 * time.Minute)
	latencyDigits  = 3
)

func newHistogram() *hdr.Histogram { return hdr.New(lowestLatency, highestLatency, latencyDigits) }

// counts of increments by their fate, as in the package comment; what is sent again, and responses, are requests.
type counts struct {
	responses                  int64
	answered, later            int64
	refused, rejected, unknown int64
	resentAfterClose           int64
	resentUnwritten            int64
	dialRetries                int64
	statuses                   [600]int64 // by status
}

func (c *counts) failed() int64 { return c.refused + c.rejected + c.unknown }

func (c *counts) add(d *counts) {
	c.responses += d.responses
	c.answered += d.answered
	c.later += d.later
	c.refused += d.refused
	c.rejected += d.rejected
	c.unknown += d.unknown
	c.resentAfterClose += d.resentAfterClose
	c.resentUnwritten += d.resentUnwritten
	c.dialRetries += d.dialRetries
	for i, n := range d.statuses {
		c.statuses[i] += n
	}
}

// fate is what became of a request.
type fate uint8

const (
	answered fate = iota
	refused
	rejected
	unknown
)

// fateOf reads a response's status.
func fateOf(status int) fate {
	switch {
	case status < 300:
		return answered
	case status == 503:
		return refused
	case status < 500:
		return rejected
	default:
		return unknown
	}
}

// tally is what one worker has seen. The worker locks it once a batch, the progress line and the report rarely.
type tally struct {
	mu       sync.Mutex
	counts   counts
	byTarget []int64 // answered
	latency  *hdr.Histogram
}

func newTally(targets int) *tally {
	return &tally{byTarget: make([]int64, targets), latency: newHistogram()}
}

// record enters requests that target responded to. Each latency is from its request's start to its done.
func (t *tally) record(target int, requests []request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range requests {
		r := &requests[i]
		t.counts.responses++
		for j := range r.increments() {
			t.count(target, r.at(j))
		}
		ns := min(max(int64(r.done.Sub(r.start)), 0), highestLatency)
		_ = t.latency.RecordValue(ns) // in range
	}
}

// count enters an increment that target answered. The lock is held.
func (t *tally) count(target int, it item) {
	t.counts.statuses[it.status]++
	switch fateOf(it.status) {
	case answered:
		t.counts.answered++
		t.byTarget[target]++
		if it.later {
			t.counts.later++
		}
	case refused:
		t.counts.refused++
	case rejected:
		t.counts.rejected++
	case unknown:
		t.counts.unknown++
	}
}

// edit changes the counts under the lock.
func (t *tally) edit(f func(*counts)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.counts)
}

// ledger knows what the totals must be: per key how many increments were answered, and how many may or may not count.
// Safe for concurrent use. A nil ledger keeps nothing.
type ledger struct {
	answered []atomic.Int64
	mu       sync.Mutex
	unknown  map[int]int64
}

func newLedger(keys int) *ledger {
	return &ledger{answered: make([]atomic.Int64, keys), unknown: make(map[int]int64)}
}

func (l *ledger) record(requests []request) {
	if l == nil {
		return
	}
	for i := range requests {
		r := &requests[i]
		for j := range r.increments() {
			switch it := r.at(j); fateOf(it.status) {
			case answered:
				l.answered[it.key].Add(1)
			case unknown:
				l.mu.Lock()
				l.unknown[it.key]++
				l.mu.Unlock()
			}
		}
	}
}

// doubt enters requests whose outcome is unknown.
func (l *ledger) doubt(requests []request) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range requests {
		for j := range requests[i].increments() {
			l.unknown[requests[i].at(j).key]++
		}
	}
}

// interval returns the least and the greatest sum that the answers allow for a key, in a run that adds value.
func (l *ledger) interval(key int, value int64) (low, high int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	low = l.answered[key].Load() * value
	open := l.unknown[key] * value
	return low + min(open, 0), low + max(open, 0)
}

// complaints keeps the first few different errors. Safe for concurrent use.
type complaints struct {
	mu    sync.Mutex
	texts []string
}

// maxComplaints is enough to see what goes wrong.
const maxComplaints = 5

func (c *complaints) add(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.texts) < maxComplaints && !slices.Contains(c.texts, text) {
		c.texts = append(c.texts, text)
	}
}

func (c *complaints) list() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.texts)
}
