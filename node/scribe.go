package node

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/journal"
)

const (
	// logPause is the longest that an operation waits for the log when nobody waits for it. Each pass ends the combining of increments: at
	// 20 ms the log cost a node that counts in memory an eighth of its rate, at 100 ms half of that.
	logPause = 100 * time.Millisecond
	// trimPause is the time between two looks at what the log no longer needs.
	trimPause = 500 * time.Millisecond
	// maxLogOps bounds what is taken from one partition at a time.
	maxLogOps = 16 << 10
)

// scribe writes this node's operations to its log on disk. All operations go there, in the order of their numbers: those
// of memory durability a moment later. Whoever waits for the disk waits for the next Sync, which serves all that wait (group commit).
type scribe struct {
	node   *Node
	log    *journal.Log
	wake   chan struct{} // capacity 1
	failed atomic.Pointer[error]

	mu    sync.Mutex
	queue []uint32 // partitions with operations for the log

	// Only the writing goroutine uses these.
	next  []uint64 // by partition: the number behind the last that the log has; 0: none
	marks []logMark
	ops   []journal.Op
}

type logMark struct {
	partition uint32
	number    uint64
}

func (n *Node) logConfig() journal.Config {
	return journal.Config{
		Dir:     filepath.Join(n.cfg.DataDir, "log"),
		Origin:  n.id,
		Cluster: n.logCluster(),
		// A disk holds the segments of some processes that were killed one after another, until the last has resent them.
		SegmentBytes: 16 << 20,
		MaxAge:       n.cfg.Retention,
		Logger:       n.log,
	}
}

// openLog reads the logs of past processes and makes this one's. Errors say what to do.
func (n *Node) openLog() error {
	if n.cfg.DataDir == "" {
		return nil
	}
	if err := n.losses.open(n.cfg.DataDir); err != nil {
		return err
	}
	olds, err := journal.Recover(n.logConfig())
	if err != nil {
		return fmt.Errorf("the log on disk (choose another folder with --data): %w", err)
	}
	log, err := journal.Create(n.logConfig())
	full := errors.Is(err, syscall.ENOSPC) && len(olds) > 0
	if err != nil && !full {
		for _, o := range olds {
			err = errors.Join(err, o.Close())
		}
		return fmt.Errorf("the log on disk (choose another folder with --data): %w", err)
	}
	n.scribe = &scribe{node: n, log: log, wake: make(chan struct{}, 1), next: make([]uint64, len(n.slots.all))}
	if full { // with the logs of past processes, which go when they have been resent; so this one must run to make room
		n.log.Error("there is no room for a log on disk: durability disk is refused until a restart; resending what is there", "error", err)
		n.scribe.fail(err)
	}
	for _, o := range olds {
		n.ghosts = append(n.ghosts, newLogGhost(n, o))
		n.haunting.Store(o.Origin, struct{}{})
	}
	return nil
}

// note queues a slot, whose lock is held. urgent: somebody waits.
func (s *scribe) note(sl *slot, urgent bool) {
	if !sl.logQueued && sl.p.HasToLog() {
		sl.logQueued = true
		s.mu.Lock()
		s.queue = append(s.queue, sl.p.ID())
		s.mu.Unlock()
	}
	if urgent {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// run writes until ctx is done. It leaves the log open: see end.
func (s *scribe) run(ctx context.Context) {
	tick := time.NewTicker(logPause)
	defer tick.Stop()
	trimmed := time.Now()
	for s.failed.Load() == nil {
		select {
		case <-ctx.Done():
			for s.queued() && s.failed.Load() == nil { // nothing is accepted any more: this is the log's end
				s.write()
			}
			return
		case <-s.wake:
			runtime.Gosched() // those who are about to add more come first: one batch for them all
		case <-tick.C:
		}
		s.write()
		if time.Since(trimmed) > trimPause {
			s.trim()
			trimmed = time.Now()
		}
	}
}

func (s *scribe) queued() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue) > 0
}

// write makes everything that is queued durable, and tells those who wait for it (R7).
func (s *scribe) write() {
	s.mu.Lock()
	queue := s.queue
	s.queue = nil
	s.mu.Unlock()
	if len(queue) == 0 {
		return
	}
	s.marks = s.marks[:0]
	for _, id := range queue {
		s.take(id)
	}
	began := time.Now()
	if err := s.log.Sync(); err != nil {
		s.fail(err)
		return
	}
	s.node.count.logSync.Observe(0, time.Since(began))
	for _, m := range s.marks {
		sl := &s.node.slots.all[m.partition]
		sl.mu.Lock()
		sl.p.Logged(m.number)
		sl.mu.Unlock()
	}
}

// take encodes what a partition has for the log, under its lock.
func (s *scribe) take(id uint32) {
	sl := &s.node.slots.all[id]
	sl.mu.Lock()
	defer sl.mu.Unlock()
	sl.logQueued = false
	first, ops := sl.p.ToLog(maxLogOps)
	if len(ops) == 0 {
		return
	}
	if next := s.next[id]; next != 0 && first > next {
		s.log.Skip(id, first) // the store had what stands between before the log came to it
	}
	s.ops = s.ops[:0]
	for i := range ops {
		s.ops = append(s.ops, journal.Op{Key: ops[i].Key, Delta: ops[i].Delta, ID: ops[i].ID})
	}
	s.log.Append(id, first, s.ops)
	last := first + uint64(len(ops)) - 1
	s.next[id] = last + 1
	s.marks = append(s.marks, logMark{id, last})
	s.note(sl, true) // what did not fit
}

// trim lets the log delete what the store has, and has had for as long as it may be lost again (R6).
func (s *scribe) trim() {
	err := s.log.Trim(func(id uint32) uint64 {
		sl := &s.node.slots.all[id]
		sl.mu.Lock()
		defer sl.mu.Unlock()
		return sl.p.Kept()
	})
	if err != nil {
		s.node.log.Warn("could not trim the log on disk", "error", err)
	}
}

// fail ends the log: it is never tried again, for after a failed fsync nobody knows what the disk has. Counting goes on, but
// durability `disk` and `replica` are refused until a restart.
func (s *scribe) fail(err error) {
	s.failed.Store(&err)
	s.node.slots.each(func(_ *slot, p *counter.Partition) { p.LogFailed() })
	s.node.refresh()
}

// fault returns why the log does not work, or nil.
func (s *scribe) fault() error {
	if s == nil {
		return nil
	}
	if err := s.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// end closes the log, or removes it when the store has everything. False: the log stays although it was to go.
func (s *scribe) end(persisted bool) bool {
	if s == nil {
		return true
	}
	if s.log == nil {
		return true
	}
	do := s.log.Close
	if persisted {
		do = s.log.Remove
	}
	if err := do(); err != nil {
		s.node.log.Warn("closing the log on disk", "error", err)
		return !persisted
	}
	return true
}
