package clock

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// ErrNoLibrary says that Postgres' clock cannot be stepped on this machine.
var ErrNoLibrary = errors.New("libfaketime is not installed: scripts/need faketime")

// places where distributions put the library. The variant for threads is the safe one.
func places() []string {
	return []string{"/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib*/faketime/libfaketimeMT.so.1", "/usr/local/lib/faketime/libfaketimeMT.so.1"}
}

// Store is the clock of Postgres' processes. Safe for concurrent use.
type Store struct {
	library, path string

	mu       sync.Mutex
	by, most time.Duration
}

// NewStore finds libfaketime and makes the file, with the host's time of day. ErrNoLibrary when it is not installed.
func NewStore(path string) (*Store, error) {
	for _, pattern := range places() {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			s := &Store{library: found[0], path: path}
			return s, s.write(0)
		}
	}
	return nil, ErrNoLibrary
}

// Environment is what the server needs to follow the clock.
func (s *Store) Environment() []string {
	return []string{
		"LD_PRELOAD=" + s.library,
		"FAKETIME_TIMESTAMP_FILE=" + s.path,
		"FAKETIME_NO_CACHE=1", // all processes step in one moment, as those of one host do
		"FAKETIME_DONT_FAKE_MONOTONIC=1",
		"NO_FAKE_STAT=1",
	}
}

// Step moves the clock by d, on top of what it was moved before, in one moment.
func (s *Store) Step(d time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.write(s.by + d); err != nil {
		return err
	}
	s.by += d
	s.most = max(s.most, s.by)
	return nil
}

// Behind is how far the clock is behind the latest that it ever was, compared with the host's.
func (s *Store) Behind() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.most - s.by
}

// Ahead returns an error unless the clock, which Postgres told in seconds since 1970, is that much ahead of this program's, give or
// take what starting a program and asking takes.
func Ahead(told string, want time.Duration) error {
	const slack = 30 * time.Second
	seconds, err := strconv.ParseFloat(told, 64)
	if err != nil {
		return fmt.Errorf("the time of Postgres: %w", err)
	}
	got := time.Until(time.UnixMicro(int64(seconds * 1e6)))
	if got < want-slack || got > want+slack {
		return fmt.Errorf("the clock of Postgres is ahead by %v, not %v: does it run under libfaketime?", got, want)
	}
	return nil
}

// write replaces the file: no process may see half of it.
func (s *Store) write(by time.Duration) error {
	next := s.path + ".next"
	err := os.WriteFile(next, fmt.Appendf(nil, "%+.6f\n", by.Seconds()), 0o644)
	return errors.Join(err, os.Rename(next, s.path))
}
