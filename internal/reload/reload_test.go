package reload

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestWatch_TellsEachWayInWhichAFileChanges(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(one, "a")
	f := Look(one, two)
	write(one, "b") // between the look and the watch
	ctx, cancel := context.WithCancel(t.Context())
	changes, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		f.Watch(ctx, time.Millisecond, func() { changes <- struct{}{} })
	}()
	for _, c := range []struct {
		what   string
		change func()
	}{
		{"before the watch began", func() {}},
		{"a file comes", func() { write(two, "x") }},
		{"the same length at the same time", func() {
			info, err := os.Stat(two)
			if err != nil {
				t.Fatal(err)
			}
			temporary := filepath.Join(dir, "temporary")
			write(temporary, "y")
			if err := os.Chtimes(temporary, info.ModTime(), info.ModTime()); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(temporary, two); err != nil {
				t.Fatal(err)
			}
		}},
		{"a link is switched", func() {
			if err := os.Symlink(two, filepath.Join(dir, "link")); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(filepath.Join(dir, "link"), one); err != nil {
				t.Fatal(err)
			}
		}},
		{"a file goes", func() {
			if err := os.Remove(two); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		c.change()
		select {
		case <-changes:
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: not noticed", c.what)
		}
	}
	cancel()
	<-done
}
