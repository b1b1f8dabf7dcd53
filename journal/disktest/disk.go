// Package disktest is a disk in memory that behaves as badly as a real one may: it loses what was not synced, sector by
// sector and name by name, tears writes, and fails on demand. It implements journal.FS.
//
// The model is stricter than any file system in use. Of a file, each 512-byte sector written since the last good Sync
// survives a power cut by its own luck, and so does the size. Of a folder, each name made or removed since the last
// SyncDir survives or not on its own, in any combination. Syncing a file does not save its name. After a failed Sync
// the pages count as clean, as on Linux: a later Sync succeeds without saving them.
package disktest

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"

	"github.com/pinocchio-nose/pinocchio/journal"
)

// ErrCrashed is what every call returns from the moment of the crash on.
var ErrCrashed = errors.New("disktest: the power is off")

// Kind is a kind of call that changes the disk.
type Kind string

// Kinds.
const (
	Mkdir    Kind = "mkdir"
	Create   Kind = "create"
	Write    Kind = "write"
	Truncate Kind = "truncate"
	Sync     Kind = "sync"
	SyncDir  Kind = "syncdir"
	Remove   Kind = "remove"
)

// Call is one call that changes the disk, numbered from 1.
type Call struct {
	N    int
	Kind Kind
	Path string
}

// Disk is a file system in memory, rooted at "/". Safe for concurrent use.
type Disk struct {
	mu      sync.Mutex
	root    *dir
	calls   []Call
	crashAt int
	crashed bool
	fault   func(Call) error
	locks   map[string]*lock
}

// New returns an empty disk with the folder "/".
func New() *Disk { return &Disk{root: newDir(), locks: make(map[string]*lock)} }

// CrashAt cuts the power during the call numbered n, before the caller hears of it. 0: never.
func (d *Disk) CrashAt(n int) { d.with(func() { d.crashAt = n }) }

// FailOn lets calls fail with the error that fault returns for them. A failed write has written its first half.
func (d *Disk) FailOn(fault func(Call) error) { d.with(func() { d.fault = fault }) }

// Calls returns the calls so far that change the disk.
func (d *Disk) Calls() (calls []Call) {
	d.with(func() { calls = append(calls, d.calls...) })
	return calls
}

func (d *Disk) with(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}

// step counts a call and says whether it fails. cut: the power goes during it, so it leaves what an unsynced call leaves.
func (d *Disk) step(kind Kind, path string) (cut bool, err error) {
	if d.crashed {
		return false, ErrCrashed
	}
	c := Call{len(d.calls) + 1, kind, path}
	d.calls = append(d.calls, c)
	if c.N == d.crashAt {
		d.crashed = true
		return true, nil
	}
	if d.fault != nil {
		return false, d.fault(c)
	}
	return false, nil
}

// find returns the folder that holds path, and path's name in it.
func (d *Disk) find(path string) (*dir, string, error) {
	at := d.root
	parts := strings.Split(strings.Trim(filepath.Clean(path), "/"), "/")
	for _, name := range parts[:len(parts)-1] {
		next, ok := at.names[name].(*dir)
		if !ok {
			return nil, "", &fs.PathError{Op: "find", Path: path, Err: fs.ErrNotExist}
		}
		at = next
	}
	return at, parts[len(parts)-1], nil
}

func (d *Disk) folder(path string) (*dir, error) {
	if filepath.Clean(path) == "/" {
		return d.root, nil
	}
	parent, name, err := d.find(path)
	if err != nil {
		return nil, err
	}
	if at, ok := parent.names[name].(*dir); ok {
		return at, nil
	}
	return nil, &fs.PathError{Op: "find", Path: path, Err: fs.ErrNotExist}
}

// enter puts a new node under path.
func (d *Disk) enter(kind Kind, path string, n node) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	cut, err := d.step(kind, path)
	if err != nil {
		return err
	}
	parent, name, err := d.find(path)
	if err != nil {
		return err
	}
	if parent.names[name] != nil {
		return &fs.PathError{Op: string(kind), Path: path, Err: fs.ErrExist}
	}
	parent.set(name, n)
	if cut {
		return ErrCrashed
	}
	return nil
}

// Mkdir implements journal.FS.
func (d *Disk) Mkdir(path string) error { return d.enter(Mkdir, path, newDir()) }

// Create implements journal.FS.
func (d *Disk) Create(path string, _ int64) (journal.File, error) {
	f := &file{}
	if err := d.enter(Create, path, f); err != nil {
		return nil, err
	}
	return &handle{d, f, path}, nil
}

// List implements journal.FS.
func (d *Disk) List(path string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.crashed {
		return nil, ErrCrashed
	}
	at, err := d.folder(path)
	if err != nil {
		return nil, err
	}
	var names []string
	for name := range at.names {
		names = append(names, name)
	}
	return names, nil
}

// Open implements journal.FS.
func (d *Disk) Open(path string) (journal.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.crashed {
		return nil, ErrCrashed
	}
	f, err := d.file(path)
	if err != nil {
		return nil, err
	}
	return &handle{d, f, path}, nil
}

func (d *Disk) file(path string) (*file, error) {
	parent, name, err := d.find(path)
	if err != nil {
		return nil, err
	}
	f, ok := parent.names[name].(*file)
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return f, nil
}

// Remove implements journal.FS.
func (d *Disk) Remove(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	cut, err := d.step(Remove, path)
	if err != nil {
		return err
	}
	parent, name, err := d.find(path)
	if err != nil {
		return err
	}
	n := parent.names[name]
	if n == nil {
		return &fs.PathError{Op: "remove", Path: path, Err: fs.ErrNotExist}
	}
	if at, ok := n.(*dir); ok && len(at.names) > 0 {
		return &fs.PathError{Op: "remove", Path: path, Err: errors.New("the folder is not empty")}
	}
	parent.set(name, nil)
	if cut {
		return ErrCrashed
	}
	return nil
}

// SyncDir implements journal.FS.
func (d *Disk) SyncDir(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	cut, err := d.step(SyncDir, path)
	if err != nil {
		return err
	}
	at, err := d.folder(path)
	if err != nil {
		return err
	}
	if cut {
		return ErrCrashed
	}
	at.sync()
	return nil
}

type lock struct {
	disk *Disk
	path string
}

// Lock implements journal.FS. A lock file's name and emptiness are as fragile as any other's.
func (d *Disk) Lock(path string) (io.Closer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.crashed {
		return nil, ErrCrashed
	}
	parent, name, err := d.find(path)
	if err != nil {
		return nil, err
	}
	if d.locks[path] != nil {
		return nil, journal.ErrLocked
	}
	if parent.names[name] == nil {
		parent.set(name, &file{})
	}
	l := &lock{d, path}
	d.locks[path] = l
	return l, nil
}

func (l *lock) Close() error {
	l.disk.with(func() {
		if l.disk.locks[l.path] == l {
			delete(l.disk.locks, l.path)
		}
	})
	return nil
}
