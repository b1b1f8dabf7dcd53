package journal

import "io"

// FS is what the journal needs of a file system. Config.FS replaces it in tests, which lose power, tear writes and fill the
// disk. Paths are built with path/filepath.
type FS interface {
	// Mkdir makes one folder. It fails with fs.ErrExist or, without its parent, fs.ErrNotExist.
	Mkdir(path string) error
	// List returns the names in a folder in any order, or fs.ErrNotExist.
	List(path string) ([]string, error)
	// Create makes a file that must not exist, with space reserved for size bytes where the file system can do that
	// without changing the file's size.
	Create(path string, size int64) (File, error)
	// Open opens a file for reading and writing.
	Open(path string) (File, error)
	// Remove deletes a file or an empty folder, or fails with fs.ErrNotExist.
	Remove(path string) error
	// SyncDir makes the names in a folder durable: files made in it, and removed from it.
	SyncDir(path string) error
	// Lock makes the file if it is missing and holds it exclusively until closed or until the process ends. It fails at
	// once with ErrLocked if somebody holds it.
	Lock(path string) (io.Closer, error)
}

// File is an open file. After a failed Sync nothing is known of what was written since the last good one.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Size is the file's length in bytes.
	Size() (int64, error)
	// Truncate cuts the file to size bytes.
	Truncate(size int64) error
	// Sync makes content and size durable; not the file's name: that is SyncDir's.
	Sync() error
}
