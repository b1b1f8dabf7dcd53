package disktest

import (
	"io"
	"math/rand/v2"
)

// sector is what a disk writes whole or not at all, in bytes.
const sector = 512

// node is a file or a folder.
type node interface {
	// after returns what a power cut leaves of the node.
	after(luck *luck) node
}

// luck decides what survives: nothing, everything, or each thing by a coin.
type luck struct {
	rng   *rand.Rand
	share float64
}

func (l *luck) survives() bool { return l.rng.Float64() < l.share }

type change struct {
	name string
	to   node // nil: removed
}

type dir struct {
	names, stable map[string]node
	changes       []change // since the last sync
}

func newDir() *dir { return &dir{names: make(map[string]node), stable: make(map[string]node)} }

func (d *dir) set(name string, to node) {
	apply(d.names, change{name, to})
	d.changes = append(d.changes, change{name, to})
}

func apply(names map[string]node, c change) {
	if c.to == nil {
		delete(names, c.name)
	} else {
		names[c.name] = c.to
	}
}

func (d *dir) sync() {
	for _, c := range d.changes {
		apply(d.stable, c)
	}
	d.changes = nil
}

func (d *dir) after(luck *luck) node {
	names := make(map[string]node)
	for name, n := range d.stable {
		names[name] = n
	}
	for _, c := range d.changes {
		if luck.survives() {
			apply(names, c)
		}
	}
	left := newDir()
	for name, n := range names {
		n = n.after(luck)
		left.names[name], left.stable[name] = n, n
	}
	return left
}

// file has what was written and what is stable. Sectors that differ are at the mercy of the power.
type file struct {
	data, stable []byte
	dirty        map[int]bool // sectors written or cut since the last sync
	resized      bool
}

func (f *file) touch(from, to int) {
	if f.dirty == nil {
		f.dirty = make(map[int]bool)
	}
	for s := from / sector; s*sector < to; s++ {
		f.dirty[s] = true
	}
}

func (f *file) write(p []byte, at int) {
	if end := at + len(p); end > len(f.data) {
		f.data = append(f.data, make([]byte, end-len(f.data))...)
		f.resized = true
	}
	copy(f.data[at:], p)
	f.touch(at, at+len(p))
}

func (f *file) truncate(size int) {
	if size < len(f.data) {
		f.touch(size, len(f.data))
	}
	f.data = append(f.data[:min(size, len(f.data))], make([]byte, max(0, size-len(f.data)))...)
	f.resized = true
}

// sync saves what is dirty. A sector that a failed sync let go as clean stays as it was on the disk.
func (f *file) sync() {
	f.stable = f.image(func(int) bool { return true }, len(f.data))
	f.forget()
}

func (f *file) forget() { f.dirty, f.resized = nil, false }

// image is the file at the given size with the dirty sectors that keep says, and zeros where nothing ever came.
func (f *file) image(keep func(sector int) bool, size int) []byte {
	b := make([]byte, size)
	copy(b, f.stable)
	for s := 0; s*sector < size; s++ {
		if f.dirty[s] && keep(s) {
			from, to := s*sector, min((s+1)*sector, size)
			clear(b[from:to])
			if from < len(f.data) {
				copy(b[from:to], f.data[from:])
			}
		}
	}
	return b
}

func (f *file) after(luck *luck) node {
	size := len(f.stable)
	if f.resized && luck.survives() {
		// The size on disk may run ahead of the data, or be one that the file had in between.
		lo, hi := min(size, len(f.data)), max(size, len(f.data))
		size = len(f.data)
		if luck.rng.IntN(4) == 0 {
			size = lo + luck.rng.IntN(hi-lo+1)
		}
	}
	b := f.image(func(int) bool { return luck.survives() }, size)
	return &file{data: b, stable: append([]byte(nil), b...)}
}

// PowerCut returns the disk as it may be when the power is back. Each seed is another outcome; among them are the loss of
// all that was not synced and the loss of nothing. The disk itself stays as it was.
func (d *Disk) PowerCut(seed uint64) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	rng := rand.New(rand.NewPCG(seed, 0))
	l := &luck{rng: rng, share: float64(seed%5) / 4}
	left := New()
	left.root = d.root.after(l).(*dir)
	return left
}

// Kill returns the disk as the process's end leaves it: everything written is there, nothing more of it is synced, and
// locks are free. It is the same disk, switched on again.
func (d *Disk) Kill() *Disk {
	d.with(func() {
		d.crashed, d.crashAt, d.fault = false, 0, nil
		clear(d.locks)
	})
	return d
}

// handle is an open file.
type handle struct {
	disk *Disk
	file *file
	path string
}

func (h *handle) ReadAt(p []byte, at int64) (n int, err error) {
	h.disk.with(func() {
		if h.disk.crashed {
			err = ErrCrashed
			return
		}
		if at < int64(len(h.file.data)) {
			n = copy(p, h.file.data[at:])
		}
		if n < len(p) {
			err = io.EOF
		}
	})
	return n, err
}

func (h *handle) WriteAt(p []byte, at int64) (n int, err error) {
	h.disk.with(func() {
		var cut bool
		cut, err = h.disk.step(Write, h.path)
		switch {
		case cut:
			h.file.write(p, int(at))
			err = ErrCrashed
		case err != nil && !h.disk.crashed:
			n = len(p) / 2
			h.file.write(p[:n], int(at))
		case err == nil:
			n = len(p)
			h.file.write(p, int(at))
		}
	})
	return n, err
}

func (h *handle) Truncate(size int64) (err error) {
	h.disk.with(func() {
		var cut bool
		if cut, err = h.disk.step(Truncate, h.path); err != nil {
			return
		}
		h.file.truncate(int(size))
		if cut {
			err = ErrCrashed
		}
	})
	return err
}

func (h *handle) Sync() (err error) {
	h.disk.with(func() {
		var cut bool
		cut, err = h.disk.step(Sync, h.path)
		switch {
		case cut:
			err = ErrCrashed
		case err != nil && !h.disk.crashed:
			h.file.forget() // the pages are clean now, and lost with the power
		case err == nil:
			h.file.sync()
		}
	})
	return err
}

func (h *handle) Size() (size int64, err error) {
	h.disk.with(func() {
		if h.disk.crashed {
			err = ErrCrashed
		}
		size = int64(len(h.file.data))
	})
	return size, err
}

// Close implements io.Closer.
func (h *handle) Close() error { return nil }
