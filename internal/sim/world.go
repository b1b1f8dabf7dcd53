package sim

import (
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// Report is how a history ended.
type Report struct {
	Err    error // the first broken rule, or nil
	Marks  Marks // how often each rare path was taken
	Events int
}

// Run plays the history of a seed. trace, when not nil, gets a line for each thing that happens.
func Run(seed uint64, trace io.Writer) (r Report) {
	w := newWorld(seed, trace)
	defer func() {
		if v := recover(); v != nil { // a broken invariant, found by the auditor or by the core itself
			r.Err = fmt.Errorf("seed %d, at %d: %v", seed, w.now, v)
		}
		r.Marks, r.Events = w.marks, w.events
	}()
	w.play()
	return r
}

// world is everything in a history.
type world struct {
	cfg    config
	rng    *rand.Rand
	trace  io.Writer
	now    ticks
	agenda agenda
	events int
	marks  Marks

	store *store
	up    bool // the store answers
	audit *auditor

	slots  []*node // the process that a host runs now
	starts []int   // how many it has run
	hosts  []host
	byID   map[counter.Origin]*node
	cut    map[[2]int]bool // hosts that do not hear each other; storeSlot is the store
	calm   bool            // the faults have ended
	keys   []string
	hashes []uint64
}

// storeSlot stands for the store in cut.
const storeSlot = -1

func newWorld(seed uint64, trace io.Writer) *world {
	rng := rand.New(rand.NewPCG(seed, 0x5eed))
	w := &world{
		cfg: draw(rng), rng: rng, trace: trace, up: true,
		byID: make(map[counter.Origin]*node), cut: make(map[[2]int]bool),
	}
	w.store = newStore(w.cfg.partitions)
	w.audit = newAuditor(w)
	for i := range w.cfg.keys {
		w.keys = append(w.keys, fmt.Sprintf("k%d", i))
		w.hashes = append(w.hashes, counter.Hash(w.keys[i]))
	}
	if w.cfg.extreme {
		w.audit.seed(w.keys)
	}
	w.starts = make([]int, w.cfg.slots)
	w.slots = make([]*node, w.cfg.slots)
	w.hosts = make([]host, w.cfg.slots)
	return w
}

// play runs the history: faults and clients, then calm, then the last comparison.
func (w *world) play() {
	w.logf("%+v", w.cfg)
	for slot := range w.slots {
		w.at(w.between(0, 20), func() { w.start(slot) })
	}
	w.planFaults()
	w.planClients()
	w.runUntil(w.cfg.until, nil)
	w.endFaults()
	w.runUntil(w.now+calmLimit, w.quiet)
	w.mustBe(w.quiet(), "R12", "not at rest %d after the faults ended: %v", calmLimit, w.unrest())
	w.audit.compare()
}

func (w *world) runUntil(end ticks, stop func() bool) {
	for look := w.now; ; {
		if stop != nil && w.now >= look {
			if stop() {
				return
			}
			look = w.now + 50
		}
		if len(w.agenda.heap) == 0 || w.agenda.heap[0].at > end {
			w.now = end
			return
		}
		e := w.agenda.next()
		w.now = e.at
		w.events++
		e.do()
	}
}

func (w *world) at(d ticks, do func()) { w.agenda.add(w.now+d, do) }

func (w *world) chance(percent int) bool { return w.rng.IntN(100) < percent }

// between returns a number in [a, b).
func (w *world) between(a, b ticks) ticks { return a + w.rng.Int64N(b-a) }

// fault is chance while there are faults.
func (w *world) fault(percent int) bool { return !w.calm && w.chance(percent) }

func (w *world) logf(format string, args ...any) {
	if w.trace != nil {
		_, _ = fmt.Fprintf(w.trace, "%6d  %s\n", w.now, fmt.Sprintf(format, args...))
	}
}

// tracing guards the traces of hot paths.
func (w *world) tracing() bool { return w.trace != nil }

// broken ends the history: a rule does not hold.
func (w *world) broken(rule, format string, args ...any) {
	panic(rule + ": " + fmt.Sprintf(format, args...))
}

func (w *world) mustBe(ok bool, rule, format string, args ...any) {
	if !ok {
		w.broken(rule, format, args...)
	}
}

// partitionOf places the keys so that every partition has some.
func (w *world) partitionOf(key int) uint32 { return uint32(key % w.cfg.partitions) }

// name is a process's short name in traces.
func (w *world) name(id counter.Origin) string {
	if n := w.byID[id]; n != nil {
		return n.name
	}
	return "nobody"
}
