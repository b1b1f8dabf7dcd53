// Package reload notices that files have changed while a process runs.
//
// It compares contents, by polling: that sees every way in which files are replaced (written in place, renamed over, the
// switched links of a mounted Kubernetes secret), also on network file systems, and the few small files that it is for cost nothing.
package reload

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"time"
)

// Files is some files as they were last seen. It is used by one goroutine.
type Files struct {
	paths []string
	seen  [sha256.Size]byte
}

// Look notes what is in the files now. Look first, and read them afterwards: then no change is missed.
func Look(paths ...string) *Files {
	f := &Files{paths: paths}
	f.seen = f.digest()
	return f
}

// Watch calls changed after each change, a file's coming and going included, until ctx is done. Several changes within the interval may be
// one call.
func (f *Files) Watch(ctx context.Context, every time.Duration, changed func()) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now := f.digest(); now != f.seen {
			f.seen = now
			changed()
		}
	}
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
