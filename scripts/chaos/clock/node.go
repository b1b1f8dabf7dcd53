package clock

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"
	"time"
)

// Variable is the environment variable that names a node's file.
const Variable = "STEPPED_CLOCK"

const (
	markAt = 8 // a process that has mapped the file writes 1 here
	size   = 16
)

// Node is the clock of one node's processes: a file that they map. Safe for concurrent use.
type Node struct {
	path string

	mu sync.Mutex
	by time.Duration
}

// NewNode makes the file, with the host's time of day.
func NewNode(path string) (*Node, error) {
	return &Node{path: path}, os.WriteFile(path, make([]byte, size), 0o600)
}

// Environment is what a process needs to follow the clock.
func (n *Node) Environment() string { return Variable + "=" + n.path }

// Step moves the clock by d, on top of what it was moved before, in one moment.
func (n *Node) Step(d time.Duration) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	f, err := os.OpenFile(n.path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	// Eight aligned bytes of a page that is mapped elsewhere: Linux copies them as one word.
	if _, err := f.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(n.by+d)), 0); err != nil {
		return err
	}
	n.by += d
	return nil
}

// Followed says whether a process has ever mapped the file: whether the program was built with the overlay.
func (n *Node) Followed() (bool, error) {
	b, err := os.ReadFile(n.path)
	if err != nil {
		return false, err
	}
	if len(b) != size {
		return false, fmt.Errorf("%s has %d bytes, not %d", n.path, len(b), size)
	}
	return binary.NativeEndian.Uint64(b[markAt:]) == 1, nil
}
