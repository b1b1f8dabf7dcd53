package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Old is the log of an earlier origin, whole and locked. Its operations are to be sent again under their numbers until
// the store has them all; then Remove it.
type Old struct {
	Origin  uuid.UUID
	Created time.Time // of the oldest segment that is left
	Newest  time.Time // when the last record was written
	Bytes   int64     // on disk
	// Streams holds every partition with operations; numbers without gaps.
	Streams map[uint32]Stream

	cfg    Config
	folder string
	paths  []string // segments, oldest first
	lock   io.Closer
}

// Recover reads the logs of all origins in the folder but the present one, oldest origin first, and holds their locks. A
// log without operations is removed. If any log cannot be trusted, it returns only an error, which names every such
// log and says what to do; every log with operations stays as it was, but for torn tails.
func Recover(cfg Config) ([]*Old, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	names, err := cfg.FS.List(cfg.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("journal: listing %s: %w", cfg.Dir, err)
	}
	slices.Sort(names) // version 7 UUIDs: by time
	var olds []*Old
	var faults []error
	for _, name := range names {
		id, err := uuid.Parse(name)
		if err != nil || id.String() != name {
			cfg.Logger.Warn("the journal's folder holds something that is no log", slog.String("path", filepath.Join(cfg.Dir, name)))
			continue
		}
		if id == cfg.Origin {
			continue
		}
		old, err := recoverLog(cfg, id)
		if err != nil {
			faults = append(faults, err)
		} else if old != nil {
			olds = append(olds, old)
		}
	}
	if len(faults) == 0 {
		return olds, nil
	}
	for _, old := range olds {
		faults = append(faults, old.Close())
	}
	return nil, errors.Join(faults...)
}

// recoverLog reads one log, or removes it and returns nil when nothing is in it.
func recoverLog(cfg Config, origin uuid.UUID) (_ *Old, err error) {
	o := &Old{Origin: origin, cfg: cfg, folder: folderOf(cfg, origin)}
	if o.lock, err = cfg.FS.Lock(lockOf(o.folder)); err != nil {
		return nil, lockError(o.folder, err)
	}
	if err := o.read(); err != nil {
		return nil, errors.Join(err, o.Close())
	}
	if len(o.Streams) > 0 {
		return o, nil
	}
	if err := o.Remove(); err != nil {
		return nil, err
	}
	cfg.Logger.Info("removed an earlier log with nothing in it", slog.String("folder", o.folder))
	return nil, nil
}

// scan is the state of reading one log.
type scan struct {
	reader
	old     *Old
	streams map[uint32]*Stream
	path    string // of the segment being read
	last    bool   // it is the last one
}

func (o *Old) read() error {
	numbers, err := o.segments()
	if err != nil {
		return err
	}
	s := scan{old: o, streams: make(map[uint32]*Stream)}
	for i, n := range numbers {
		s.path, s.last = o.paths[i], i == len(numbers)-1
		if err := s.segment(n, i == 0); err != nil {
			return err
		}
	}
	o.Streams = make(map[uint32]Stream, len(s.streams))
	for partition, stream := range s.streams {
		if len(stream.Ops) > 0 {
			o.Streams[partition] = *stream
		}
	}
	return o.fresh()
}

// segments lists the log's files and their numbers, which have no gap: Trim deletes from the oldest on. The names are made
// durable as they are now: the process before may have died between deleting a segment and syncing the folder, and if
// Remove then deleted the next one, a power cut could bring the first back and leave a gap.
func (o *Old) segments() (numbers []uint64, err error) {
	if err := o.cfg.FS.SyncDir(o.folder); err != nil {
		return nil, fmt.Errorf("journal: syncing %s: %w", o.folder, err)
	}
	names, err := o.cfg.FS.List(o.folder)
	if err != nil {
		return nil, fmt.Errorf("journal: listing %s: %w", o.folder, err)
	}
	for _, name := range names {
		digits, isLog := strings.CutSuffix(name, ".log")
		n, err := strconv.ParseUint(digits, 10, 64)
		if isLog && err == nil && segmentPath(o.folder, n) == filepath.Join(o.folder, name) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	for i, n := range numbers {
		if want := numbers[0] + uint64(i); n != want {
			return nil, &DamageError{o.folder, segmentPath(o.folder, want), 0, "the file is missing"}
		}
		o.paths = append(o.paths, segmentPath(o.folder, n))
	}
	return numbers, nil
}

// segment reads one file to its end.
func (s *scan) segment(number uint64, first bool) (err error) {
	f, err := s.old.cfg.FS.Open(s.path)
	if err != nil {
		return fmt.Errorf("journal: opening a segment: %w", err)
	}
	defer func() {
		err = cmp.Or(err, f.Close())
	}()
	before := s.next
	h, err := s.open(f)
	if errors.Is(err, errTornHeader) && s.last {
		return s.unfinished()
	}
	if err := s.header(h, err, number); err != nil {
		return err
	}
	if first {
		s.old.Created = h.created
	} else if h.before != uint64(before) {
		return s.damage(before, fmt.Sprintf("it ended at byte %d when the next segment was made", h.before),
			segmentPath(s.old.folder, number-1))
	}
	if err := s.records(); err != nil {
		return err
	}
	s.old.Bytes += s.next
	if !s.last {
		return nil
	}
	// What is about to be replayed must not vanish with a later crash of the host.
	if err := f.Sync(); err != nil {
		return fmt.Errorf("journal: syncing %s: %w", s.path, err)
	}
	return nil
}

// header judges what open returned.
func (s *scan) header(h header, err error, number uint64) error {
	o := s.old
	switch {
	case errors.Is(err, errTornHeader):
		return s.damage(0, err.Error(), s.path)
	case errors.Is(err, ErrFormat):
		return fmt.Errorf("journal: %s: %w", s.path, err)
	case err != nil:
		return fmt.Errorf("journal: reading %s: %w", s.path, err)
	case h.origin != o.Origin || h.segment != number:
		return s.damage(0, fmt.Sprintf("it is segment %d of origin %v, and does not belong here", h.segment, h.origin), s.path)
	case h.cluster != o.cfg.Cluster:
		return fmt.Errorf("journal: %s: %w: it was written for another database, or with other cluster settings: digest %016x, this node has %016x: start "+
			"with the name and settings of its cluster, or move the folder away and accept that operations which stand only "+
			"there are not counted", o.folder, ErrOtherCluster, h.cluster, o.cfg.Cluster)
	}
	return nil
}

// unfinished is a last segment whose header was never whole: nothing was written behind it, or else it is damage.
func (s *scan) unfinished() error {
	blank, err := s.blank(headerBytes)
	if err != nil {
		return fmt.Errorf("journal: reading %s: %w", s.path, err)
	}
	if !blank {
		return s.damage(0, "the header does not check, though something stands behind it", s.path)
	}
	s.old.cfg.Logger.Info("a segment of the log was never finished and is empty", slog.String("file", s.path))
	return nil
}

// records reads the segment's records, and cuts off a torn tail.
func (s *scan) records() error {
	for {
		at := s.next
		body, err := s.record()
		var bad *badRecord
		switch {
		case errors.Is(err, errEnd):
			return nil
		case errors.As(err, &bad):
			return s.tail(bad)
		case err != nil:
			return fmt.Errorf("journal: reading %s: %w", s.path, err)
		}
		written, err := decode(body, s.streams)
		if errors.Is(err, ErrFormat) {
			return fmt.Errorf("journal: %s at byte %d: %w", s.path, at, err)
		}
		if err != nil {
			return s.damage(at, err.Error(), s.path)
		}
		if written.After(s.old.Newest) {
			s.old.Newest = written
		}
	}
}

// tail judges what stands where the next record should be: torn, and cut off, or damage.
func (s *scan) tail(bad *badRecord) error {
	if !s.last {
		return s.damage(s.next, bad.reason, s.path)
	}
	not, err := s.torn()
	if err != nil {
		return fmt.Errorf("journal: reading %s: %w", s.path, err)
	}
	if not != nil {
		return s.damage(s.next, bad.reason+", and "+not.reason, s.path)
	}
	s.old.cfg.Logger.Warn("cut off the log's torn tail: the record that was being written when the process or the host stopped", slog.String("file", s.path), slog.Int64("offset", s.next),
		slog.Int64("bytes", s.size-s.next), slog.String("found", bad.reason))
	if err := s.file.Truncate(s.next); err != nil {
		return fmt.Errorf("journal: cutting %s: %w", s.path, err)
	}
	return nil
}

func (s *scan) damage(offset int64, reason, file string) error {
	return &DamageError{Folder: s.old.folder, File: file, Offset: offset, Reason: reason}
}

// fresh refuses operations that the ledger may have forgotten.
func (o *Old) fresh() error {
	age := o.cfg.Now().Sub(o.Newest)
	if len(o.Streams) == 0 || o.cfg.MaxAge == 0 || age <= o.cfg.MaxAge {
		return nil
	}
	return fmt.Errorf("journal: %s: %w: its newest record is of %s, %v ago, and the ledger keeps %v: a replay might count "+
		"twice. Move the folder away and accept that operations which stand only there are not counted",
		o.folder, ErrTooOld, o.Newest.UTC().Format(time.RFC3339), age.Round(time.Second), o.cfg.MaxAge)
}

// Remove deletes the log: the store has all of it (R6). It releases the folder.
func (o *Old) Remove() error {
	return errors.Join(removeLog(o.cfg, o.folder, o.paths), o.Close())
}

// Close releases the folder and keeps the log for the next start. Streams stay valid.
func (o *Old) Close() error {
	if o.lock == nil {
		return nil
	}
	lock := o.lock
	o.lock = nil
	return lock.Close()
}
