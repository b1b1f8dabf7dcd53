package sim

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/journal"
	"github.com/pinocchio-nose/pinocchio/journal/disktest"
)

// host is what outlives its processes.
type host struct {
	disk    *disktest.Disk
	crashed bool // its last process crashed, and none has started since
}

// segmentBytes is the smallest that a log takes.
const segmentBytes = 4 << 10

var errDiskFault = errors.New("input/output error")

// scribe writes a process's operations to its log: the real one, on a modelled disk. Nil: there is none.
type scribe struct {
	n      *node
	log    *journal.Log
	busy   bool // a Sync is under way
	failed bool
	next   []uint64 // by partition: the number behind the last that the log has
	marks  []streamNumber
}

type streamNumber struct {
	partition uint32
	number    uint64
}

func (n *node) logConfig() journal.Config {
	w := n.w
	return journal.Config{
		Dir: "/log", Origin: n.id, Cluster: 1, SegmentBytes: segmentBytes, FS: w.hosts[n.slot].disk,
		Now:    func() time.Time { return time.UnixMilli(w.now) },
		Logger: slog.New(&tornTails{w: w}),
	}
}

// tornTails listens to what the log says of a crash.
type tornTails struct{ w *world }

func (t *tornTails) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }

func (t *tornTails) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "torn tail") {
		t.w.mark(markLogTorn)
	}
	return nil
}

func (t *tornTails) WithAttrs([]slog.Attr) slog.Handler { return t }

func (t *tornTails) WithGroup(string) slog.Handler { return t }

// openLog reads the logs of the host's past processes, and makes this one's.
func (n *node) openLog() {
	w, h := n.w, &n.w.hosts[n.slot]
	h.crashed = false
	if !w.cfg.logs {
		return
	}
	if h.disk == nil {
		h.disk = disktest.New()
	}
	olds, err := journal.Recover(n.logConfig())
	w.mustBe(err == nil, "R6", "%s cannot read the logs of its host: %v", n.name, err)
	log, err := journal.Create(n.logConfig())
	w.mustBe(err == nil, "R6", "%s cannot make a log: %v", n.name, err)
	n.scribe = &scribe{n: n, log: log, next: make([]uint64, len(n.parts))}
	for _, old := range olds {
		n.haunt(old)
	}
}

// write hands over to the log what it lacks. It is durable a moment later.
func (s *scribe) write() {
	if s == nil || s.busy || s.failed {
		return
	}
	w := s.n.w
	s.marks = s.marks[:0]
	for _, p := range s.n.parts {
		s.take(p)
	}
	if len(s.marks) == 0 {
		return
	}
	s.busy = true
	d := w.between(1, 8)
	if w.fault(5) {
		d = w.between(20, 100)
	}
	s.n.after(d, s.sync)
}

func (s *scribe) take(p *part) {
	first, ops := p.ToLog(s.n.w.cfg.logOps)
	if len(ops) == 0 {
		return
	}
	if next := s.next[p.id]; next != 0 && first > next {
		s.n.w.mark(markLogSkip)
		s.log.Skip(p.id, first)
	}
	out := make([]journal.Op, len(ops))
	for i := range ops {
		out[i] = journal.Op{Key: ops[i].Key, Delta: ops[i].Delta, ID: ops[i].ID}
	}
	s.log.Append(p.id, first, out)
	last := first + uint64(len(ops)) - 1
	s.n.w.audit.toLog(p, first, ops)
	s.next[p.id] = last + 1
	s.marks = append(s.marks, streamNumber{p.id, last})
}

// sync makes everything that was handed over durable, and tells those who wait for it (R7).
func (s *scribe) sync() {
	w := s.n.w
	s.busy = false
	if s.failed {
		return
	}
	if err := s.log.Sync(); err != nil {
		w.mark(markLogFailed)
		w.logf("%s: %v", s.n.name, err)
		s.failed = true
		for _, p := range s.n.parts {
			p.LogFailed()
		}
		return
	}
	for _, m := range s.marks {
		p := s.n.parts[m.partition]
		w.audit.logged(p, m.number)
		p.Logged(m.number)
	}
	if w.chance(30) {
		err := s.log.Trim(func(id uint32) uint64 { return s.n.parts[id].Kept() })
		w.mustBe(err == nil, "R6", "%s cannot trim its log: %v", s.n.name, err)
	}
}

// keepsLog says that durability disk can be had here.
func (n *node) keepsLog() bool { return n.scribe != nil && !n.scribe.failed }

// failLog lets the next write or the next fsync of a host fail, while its process goes on.
func (w *world) failLog() {
	n := w.victim()
	if n == nil || !n.keepsLog() {
		return
	}
	kind := disktest.Sync
	if w.chance(50) {
		kind = disktest.Write
	}
	armed := true
	w.hosts[n.slot].disk.FailOn(func(c disktest.Call) error {
		if !armed || c.Kind != kind {
			return nil
		}
		armed = false
		return errDiskFault
	})
}

// powerOff is what a crash does to the disk: a write that is under way may be cut off at any of its calls, and with the
// power goes whatever was not synced.
func (n *node) powerOff() {
	w, h := n.w, &n.w.hosts[n.slot]
	h.crashed = true
	if h.disk == nil {
		return
	}
	if s := n.scribe; s.busy && !s.failed && w.chance(70) {
		h.disk.CrashAt(len(h.disk.Calls()) + 1 + w.rng.IntN(3))
		_ = s.log.Sync()
	}
	if w.chance(w.cfg.power) {
		h.disk = h.disk.PowerCut(w.rng.Uint64())
		return
	}
	h.disk = h.disk.Kill()
}

// removeLog deletes the log of a process that leaves in good order: the store has all that it accepted. It goes before the
// process's row does.
func (n *node) removeLog() {
	if n.scribe == nil {
		return
	}
	n.scribe.failed = true // nothing is written any more
	err := n.scribe.log.Remove()
	n.w.mustBe(err == nil, "R6", "%s cannot remove its log: %v", n.name, err)
}

// closeGhosts leaves logs that are not resent yet to the host's next process.
func (n *node) closeGhosts() {
	n.ghosts = slices.DeleteFunc(n.ghosts, func(g *ghost) bool { return g.old == nil })
	for _, g := range n.ghosts {
		err := g.old.Close()
		n.w.mustBe(err == nil, "R6", "%s cannot close a log: %v", n.name, err)
	}
	if h := &n.w.hosts[n.slot]; h.disk != nil {
		h.disk = h.disk.Kill() // the next process is spared the faults of this one
		h.crashed = len(n.ghosts) > 0
	}
}

// haunt resends what a past process of this host left.
func (n *node) haunt(old *journal.Old) {
	w := n.w
	w.mark(markLogReplay)
	g := &ghost{n: n, old: old, origin: old.Origin}
	for _, p := range n.parts {
		s := old.Streams[p.id]
		ops := make([]counter.Op, len(s.Ops))
		for i, op := range s.Ops {
			ops[i] = counter.Op{Key: op.Key, Delta: op.Delta, ID: op.ID}
		}
		first := max(1, s.First)
		w.audit.recovered(p.id, old.Origin, first, ops)
		g.parts = append(g.parts, &ghostPart{Partition: counter.Restore(p.id, old.Origin, first, ops)})
	}
	w.logf("%s resends the log of %s: %v", n.name, w.name(old.Origin), old.Streams)
	n.ghosts = append(n.ghosts, g)
}
