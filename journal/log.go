package journal

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// Log is the present origin's log. One goroutine appends, syncs, trims and closes it: only Failed, Bytes, Segments and
// Stats may be called at the same time by others.
type Log struct {
	cfg    Config
	folder string
	lock   io.Closer

	current *segment
	sealed  []*segment        // oldest first
	last    map[uint32]uint64 // partition → highest number appended
	pending encoder
	newest  time.Time // when the last record was written

	failure atomic.Pointer[error]
	counts  counts
}

// Create makes the origin's folder with its first segment, all durable before it returns, so that a disk that cannot hold
// a log shows at start. The folder must not exist: an origin is never used twice.
func Create(cfg Config) (*Log, error) {
	faults := cfg.Validate()
	if cfg.Origin == uuid.Nil {
		faults = errors.Join(faults, errors.New("journal: the origin is not set"))
	}
	if faults != nil {
		return nil, faults
	}
	cfg = cfg.withDefaults()
	l := &Log{cfg: cfg, folder: folderOf(cfg, cfg.Origin), last: make(map[uint32]uint64)}
	if err := makeDir(cfg.FS, cfg.Dir); err != nil {
		return nil, fmt.Errorf("journal: making %s: %w", cfg.Dir, err)
	}
	if err := cfg.FS.Mkdir(l.folder); err != nil {
		return nil, fmt.Errorf("journal: making the origin's folder: %w", err)
	}
	if err := l.start(); err != nil {
		// Nothing was acknowledged: what stays behind, Recover removes as an empty log.
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Log) start() (err error) {
	if l.lock, err = l.cfg.FS.Lock(lockOf(l.folder)); err != nil {
		return lockError(l.folder, err)
	}
	if err := l.rotate(); err != nil {
		return fmt.Errorf("journal: making the first segment: %w", err)
	}
	if err := l.cfg.FS.SyncDir(l.cfg.Dir); err != nil {
		return fmt.Errorf("journal: making %s durable: %w", l.folder, err)
	}
	return nil
}

// Append encodes operations first, first+1, ... of a partition in memory; Sync makes them durable. A partition's first
// append may begin at any number, each later one continues where the one before ended: anything else, and an operation
// that fits no record, would make a log that Recover refuses, so it fails this one. Append copies what it keeps. It
// is not safe for concurrent use.
func (l *Log) Append(partition uint32, first uint64, ops []Op) {
	if len(ops) == 0 || l.failure.Load() != nil {
		return
	}
	last, known := l.last[partition]
	switch {
	case first == 0, first > math.MaxUint64-uint64(len(ops)):
		l.fail(fmt.Errorf("operations of partition %d from number %d", partition, first))
		return
	case known && first != last+1:
		l.fail(fmt.Errorf("operations of partition %d go on with number %d behind %d", partition, first, last))
		return
	}
	if err := l.pending.add(partition, first, ops); err != nil {
		l.fail(err)
		return
	}
	l.last[partition] = first + uint64(len(ops)) - 1
}

// Skip says that the store has everything of the partition before next, so that a log which was overtaken by the store
// may go on there without the operations between. Recover forgets the operations before next.
func (l *Log) Skip(partition uint32, next uint64) {
	last, known := l.last[partition]
	if !known || next == last+1 || l.failure.Load() != nil {
		return
	}
	if next <= last {
		l.fail(fmt.Errorf("partition %d skips to number %d behind %d", partition, next, last))
		return
	}
	l.pending.skip(partition, next)
	l.last[partition] = next - 1
}

// Sync makes everything appended durable, and returns nil only then (R7). The first failure is for ever: this and every
// later call return an error that wraps ErrFailed and the cause, and nothing is tried again.
func (l *Log) Sync() error {
	if err := l.Failed(); err != nil {
		return err
	}
	defer l.pending.reset()
	notes := 0
	for _, r := range l.pending.records {
		if err := l.write(r, l.pending.notes[notes:r.notes]); err != nil {
			return l.fail(err)
		}
		notes = r.notes
	}
	return nil
}

// write makes one record durable before the next is begun: only so is a torn record always the last one.
func (l *Log) write(r record, notes []note) error {
	b := l.pending.buf[r.start:r.end]
	if l.current.size+int64(len(b)) > l.cfg.SegmentBytes && l.current.size > headerBytes {
		if err := l.rotate(); err != nil {
			return err
		}
	}
	s := l.current
	l.newest = l.cfg.Now()
	frame(b, s.mark, s.size, l.newest)
	if n, err := s.file.WriteAt(b, s.size); err != nil {
		return fmt.Errorf("writing %s: %d of %d bytes: %w", s.path, n, len(b), err)
	}
	if err := s.file.Sync(); err != nil {
		return fmt.Errorf("syncing %s: %w", s.path, err)
	}
	s.size += int64(len(b))
	for _, n := range notes {
		s.high[n.partition] = n.last
	}
	l.counts.wrote(r.ops, len(b))
	return nil
}

// fail ends the log. Its callers have seen that it had not failed before.
func (l *Log) fail(cause error) error {
	err := fmt.Errorf("journal: %w: %w", ErrFailed, cause)
	l.failure.Store(&err)
	l.pending.reset()
	l.cfg.Logger.Error("the journal has failed: durability disk is refused until a restart",
		slog.String("folder", l.folder), slog.Any("error", cause))
	return err
}

// Failed returns nil while the log works, then for ever the error that Sync returns.
func (l *Log) Failed() error {
	if err := l.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// Close releases the folder and keeps what is in it. What was appended since the last Sync is not written, and every later
// Sync returns ErrClosed.
func (l *Log) Close() error {
	l.failure.CompareAndSwap(nil, &errClosed)
	var errs []error
	if l.current != nil {
		errs = append(errs, l.current.file.Close())
	}
	if l.lock != nil {
		errs = append(errs, l.lock.Close())
	}
	l.current, l.lock = nil, nil
	return errors.Join(errs...)
}

// Remove closes the log and deletes its folder: the store has everything (R6).
func (l *Log) Remove() error {
	var paths []string
	for _, s := range l.sealed {
		paths = append(paths, s.path)
	}
	if l.current != nil {
		paths = append(paths, l.current.path)
	}
	return errors.Join(removeLog(l.cfg, l.folder, paths), l.Close())
}
