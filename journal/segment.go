package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
)

// segment is one file of the present log.
type segment struct {
	path   string
	file   File // only of the current one
	number uint64
	size   int64
	mark   uint32
	high   map[uint32]uint64 // partition → highest number in it
}

// persisted says whether the store has every operation of the segment.
func (s *segment) persisted(by func(partition uint32) uint64) bool {
	for partition, number := range s.high {
		if number > by(partition) {
			return false
		}
	}
	return true
}

// rotate begins a new segment. The current one is durable to its end: write saw to that.
func (l *Log) rotate() error {
	h := header{cluster: l.cfg.Cluster, origin: l.cfg.Origin, segment: 1, created: l.cfg.Now()}
	if l.current != nil {
		h.segment, h.before = l.current.number+1, uint64(l.current.size)
	}
	s := &segment{path: segmentPath(l.folder, h.segment), number: h.segment, size: headerBytes, high: make(map[uint32]uint64)}
	var err error
	if s.file, err = l.cfg.FS.Create(s.path, l.cfg.SegmentBytes); err != nil {
		return fmt.Errorf("making a segment: %w", err)
	}
	b, mark := h.encode()
	s.mark = mark
	if err := l.commit(s, b[:]); err != nil {
		return errors.Join(fmt.Errorf("making %s: %w", s.path, err), s.file.Close())
	}
	if old := l.current; old != nil {
		_ = old.file.Close() // its content is durable already: nothing hangs on this
		old.file = nil
		l.sealed = append(l.sealed, old)
	}
	l.current = s
	l.counts.made(headerBytes)
	return nil
}

// commit makes the segment's header and name durable: a record in a file that a crash takes away is not.
func (l *Log) commit(s *segment, header []byte) error {
	if _, err := s.file.WriteAt(header, 0); err != nil {
		return err
	}
	if err := s.file.Sync(); err != nil {
		return err
	}
	return l.cfg.FS.SyncDir(l.folder)
}

// Trim deletes the oldest segments whose operations the store has: persisted gives the highest number that it has of a
// partition (R6; the caller may hold back what it wants kept for a store that goes back in time). A current segment
// that the store has wholly is followed by a new one once it is a quarter full, so that an idle node replays little. A
// failed log is left as it is.
func (l *Log) Trim(persisted func(partition uint32) uint64) error {
	if err := l.Failed(); err != nil {
		return err
	}
	if l.stale() && l.current.persisted(persisted) {
		if err := l.rotate(); err != nil {
			return l.fail(err)
		}
	}
	for len(l.sealed) > 0 && l.sealed[0].persisted(persisted) {
		if err := l.drop(l.sealed[0]); err != nil {
			return err
		}
		l.sealed = l.sealed[1:]
	}
	return nil
}

// stale says that the current segment is a quarter full, or that its last record is old: a log whose newest record is older than MaxAge is
// refused, though this process may just have had nothing to write since.
func (l *Log) stale() bool {
	old := l.cfg.MaxAge > 0 && l.current.size > headerBytes && l.cfg.Now().Sub(l.newest) > l.cfg.MaxAge/4
	return old || l.current.size >= l.cfg.SegmentBytes/4
}

// drop deletes the oldest segment. Its name is gone for good before the next may go: a crash never leaves a hole in the
// segments' numbers. A segment that cannot be deleted is tried again by the next Trim.
func (l *Log) drop(s *segment) error {
	if err := removeFile(l.cfg.FS, s.path); err != nil {
		return fmt.Errorf("journal: deleting a segment that the store has: %w", err)
	}
	if err := l.cfg.FS.SyncDir(l.folder); err != nil {
		return l.fail(fmt.Errorf("syncing %s: %w", l.folder, err))
	}
	l.counts.dropped(s.size)
	return nil
}

func folderOf(cfg Config, origin fmt.Stringer) string { return filepath.Join(cfg.Dir, origin.String()) }

func lockOf(folder string) string { return filepath.Join(folder, "lock") }

func segmentPath(folder string, number uint64) string {
	return filepath.Join(folder, fmt.Sprintf("%010d.log", number))
}

// makeDir makes a folder with its parents, each durable in the one above it. The last step is repeated for a folder that
// is there: the process that made it may have died in between.
func makeDir(fsys FS, path string) error {
	parent := filepath.Dir(path)
	err := fsys.Mkdir(path)
	if errors.Is(err, fs.ErrNotExist) && parent != path {
		if err := makeDir(fsys, parent); err != nil {
			return err
		}
		err = fsys.Mkdir(path)
	}
	if errors.Is(err, fs.ErrExist) {
		if err := fsys.SyncDir(parent); !errors.Is(err, fs.ErrPermission) {
			return err
		}
		return nil // whoever may not read the parent has not made a folder in it
	}
	if err != nil {
		return err
	}
	return fsys.SyncDir(parent)
}

// removeLog deletes a log's segments, oldest first and each for good before the next, then its folder. Interrupted
// anywhere, it leaves a log that Recover reads or removes. A folder that holds something else stays, without the log.
func removeLog(cfg Config, folder string, segments []string) error {
	for _, path := range segments {
		if err := removeFile(cfg.FS, path); err != nil {
			return fmt.Errorf("journal: removing %s: %w", folder, err)
		}
		if err := cfg.FS.SyncDir(folder); err != nil {
			return fmt.Errorf("journal: removing %s: %w", folder, err)
		}
	}
	if err := removeFile(cfg.FS, lockOf(folder)); err != nil {
		return fmt.Errorf("journal: removing %s: %w", folder, err)
	}
	if names, err := cfg.FS.List(folder); err == nil && len(names) > 0 {
		cfg.Logger.Warn("the folder of a finished log holds something else and stays",
			slog.String("folder", folder), slog.Any("names", names))
		return nil
	}
	if err := removeFile(cfg.FS, folder); err != nil {
		return fmt.Errorf("journal: removing %s: %w", folder, err)
	}
	if err := cfg.FS.SyncDir(cfg.Dir); err != nil {
		return fmt.Errorf("journal: removing %s: %w", folder, err)
	}
	return nil
}

func removeFile(fsys FS, path string) error {
	if err := fsys.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
