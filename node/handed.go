package node

import "sync"

// handed collects the partitions that their owners handed to this node, until the control loop acquires them.
type handed struct {
	mu   sync.Mutex
	all  map[uint32]uint64 // partition -> epoch
	wake chan struct{}     // capacity 1
}

func newHanded() *handed {
	return &handed{all: make(map[uint32]uint64), wake: make(chan struct{}, 1)}
}

func (h *handed) add(partition uint32, epoch uint64) {
	h.mu.Lock()
	h.all[partition] = max(h.all[partition], epoch)
	h.mu.Unlock()
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

func (h *handed) has(partition uint32) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, ok := h.all[partition]
	return ok
}

func (h *handed) take() map[uint32]uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := h.all
	h.all = make(map[uint32]uint64)
	return all
}
