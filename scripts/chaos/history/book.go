package history

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"sync"
)

// Book holds all calls in memory and writes them to a file. Its methods are safe for concurrent use.
type Book struct {
	mu    sync.Mutex
	calls []Call
	file  *os.File
	out   *bufio.Writer
	err   error // the first of writing
}

// Create opens a book with a new file.
func Create(path string) (*Book, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	b := &Book{file: f, out: bufio.NewWriterSize(f, 1<<18)}
	_, b.err = b.out.WriteString("start_ns\tend_ns\tkind\tlevel\tkey\tdelta\top\tidempotent\tlife\tstatus\toutcome\tvalue\tflags\n")
	return b, nil
}

// Record adds a call that has ended.
func (b *Book) Record(c Call) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls = append(b.calls, c)
	if b.err == nil {
		b.err = c.write(b.out)
	}
}

func (c Call) write(w *bufio.Writer) error {
	value, flags := "-", ""
	if c.HasValue {
		value = fmt.Sprint(c.Value)
	}
	if c.Replayed {
		flags += "replayed "
	}
	if c.Stale {
		flags += "stale"
	}
	_, err := fmt.Fprintf(w, "%d\t%d\t%v\t%v\t%s\t%d\t%d\t%t\t%v\t%d\t%v\t%s\t%s\n",
		c.Start, c.End, c.Kind, c.Level, c.Key, c.Delta, c.Op, c.Idempotent, c.Life, c.Status, c.Outcome, value, flags)
	return err
}

// Calls returns what was recorded, in the order of the ends. Nobody records any more.
func (b *Book) Calls() []Call {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.calls
}

// Close completes the file.
func (b *Book) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return errors.Join(b.err, b.out.Flush(), b.file.Close())
}
