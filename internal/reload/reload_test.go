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
		f.Watch(ctx, time.Millisecond, func() error { changes <- struct{}{}; return nil })
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

// looks is a context that is asked between two looks.
type looks struct {
	context.Context
	between func(n int)
	n       *int
}

func (l looks) Done() <-chan struct{} {
	*l.n++
	l.between(*l.n)
	return nil
}

// A writer that writes in place, piece by piece, is waited for.
func TestSettled_WaitsForTheEndOfWriting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Error(err)
		}
	}
	write("old")
	f := Look(path)
	text := ""
	ctx := looks{t.Context(), func(n int) {
		if n < 3 { // before each of the first looks, some more
			text += "new "
			write(text)
		}
	}, new(int)}
	write("")
	got := f.settled(ctx, time.Microsecond)
	if want := Look(path).seen; got != want || text == "" {
		t.Errorf("settled while %q was written", text)
	}
	// One that never ends is not waited for for ever.
	endless := looks{t.Context(), func(n int) { write(text + time.Duration(n).String()) }, new(int)}
	f.settled(endless, time.Microsecond)
	if *endless.n != settleLooks {
		t.Errorf("looked %d times, want %d", *endless.n, settleLooks)
	}
}

func TestInForce_IsWhetherTheLastReadingWasOfUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	f := Look(path)
	ctx, cancel := context.WithCancel(t.Context())
	read, done := make(chan error), make(chan struct{})
	go func() {
		defer close(done)
		f.Watch(ctx, time.Millisecond, func() error { return <-read })
	}()
	for text, err := range map[string]error{"one": os.ErrInvalid, "two": nil, "three": os.ErrInvalid} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		read <- err
		for deadline := time.Now().Add(20 * time.Second); f.InForce() != (err == nil); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: in force %v", text, f.InForce())
			}
		}
	}
	cancel()
	<-done
}
