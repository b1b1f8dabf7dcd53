// Package reload notices that files have changed while a process runs.
//
// It compares contents, by polling: that sees every way in which files are replaced (written in place, renamed over, the
// switched links of a mounted Kubernetes secret), also on network file systems, and the few small files that it is for cost nothing.
// What is still being written is waited for, so that whoever reads seldom sees half of it; a file that is replaced by renaming is
// never seen by halves.
package reload

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// Files is some files as they were last seen. It is used by one goroutine, but for InForce.
type Files struct {
	paths  []string
	seen   [sha256.Size]byte
	failed atomic.Bool
}

// Bounds of the wait for the end of writing.
const (
	settlePause = 200 * time.Millisecond // between two looks that must show the same
	settleLooks = 10                     // then a file that changes all the time is read as it is
)

// Look notes what is in the files now. Look first, and read them afterwards: then no change is missed.
func Look(paths ...string) *Files {
	f := &Files{paths: paths}
	f.seen = f.digest()
	return f
}

// InForce tells whether what the files hold now could be used when it was read last. False: something older is in use.
func (f *Files) InForce() bool { return !f.failed.Load() }

// Watch calls changed after each change, a file's coming and going included, until ctx is done. Several changes within the interval may be
// one call. An error of changed says that the files cannot be used as they are.
func (f *Files) Watch(ctx context.Context, every time.Duration, changed func() error) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now := f.settled(ctx, min(every, settlePause)); now != f.seen && ctx.Err() == nil {
			f.seen = now
			f.failed.Store(changed() != nil)
		}
	}
}

// settled is what stands in the files once two looks show the same: those that have not changed are looked at once.
func (f *Files) settled(ctx context.Context, pause time.Duration) [sha256.Size]byte {
	last, now := f.seen, f.digest()
	for looks := 0; now != last && looks < settleLooks; looks++ {
		select {
		case <-ctx.Done():
			return now
		case <-time.After(pause):
		}
		last, now = now, f.digest()
	}
	return now
}

// digest is over the contents, or why there are none.
func (f *Files) digest() (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, p := range f.paths {
		text, err := os.ReadFile(p)
		fmt.Fprintf(h, "%d %v\n", len(text), err)
		h.Write(text)
	}
	h.Sum(sum[:0])
	return sum
}
