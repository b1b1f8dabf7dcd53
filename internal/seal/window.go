package seal

import (
	"bytes"
	"slices"
	"sync"
	"time"
)

const (
	// windowSize is how many numbers below a sender's highest may still come, out of order: questions under way at the same time overtake
	// each other, one that lost a packet by some 100 ms. At 20,000 a second this is three seconds, and 8 KiB for each sender.
	windowSize = 1 << 16
	// windowRest is when a silent sender's window is folded into one number. No question is under way for so long.
	windowRest = 2 * time.Minute
	// maxSenders is how many senders are remembered. Each is a process that held the secret while this one ran.
	maxSenders = 4096
)

// Window remembers which questions a process has taken, from each sender. Safe for concurrent use.
//
// A sender that is silent keeps the number that it had reached, and nothing at or below it is taken any more. Of more than
// maxSenders those that are not alive are forgotten, and no unknown sender that began before them is taken: ids are in order of time
// (UUIDv7). So forgetting never makes an old question new.
type Window struct {
	now   func() time.Time
	alive func(ID) bool

	mu      sync.Mutex
	senders map[ID]*sender
	before  ID // unknown senders up to this one are refused
}

// sender is what was taken from one process.
type sender struct {
	floor uint64 // nothing up to here is taken
	high  uint64 // the highest that was taken
	heard time.Time
	bits  *[windowSize / 64]uint64 // those taken of the last windowSize numbers up to high; nil: see floor
}

// NewWindow returns a window that has taken nothing. alive tells who may not be forgotten; it is called under the window's lock.
func NewWindow(alive func(ID) bool) *Window {
	return &Window{now: time.Now, alive: alive, senders: make(map[ID]*sender)}
}

// Take returns true once for each number of a sender, and false when it was taken before or is too old to tell.
func (w *Window) Take(from ID, number uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	s := w.senders[from]
	if s == nil {
		if w.before != (ID{}) && bytes.Compare(from[:], w.before[:]) <= 0 {
			return false
		}
		w.rest(now)
		s = new(sender)
		w.senders[from] = s
	}
	s.heard = now
	return s.take(number)
}

func (s *sender) take(n uint64) bool {
	switch {
	case n <= s.floor || n+windowSize <= s.high:
		return false
	case s.bits == nil:
		s.bits = new([windowSize / 64]uint64)
	}
	if n > s.high {
		s.advance(n)
	}
	word, bit := n%windowSize/64, uint64(1)<<(n%64)
	if s.bits[word]&bit != 0 {
		return false
	}
	s.bits[word] |= bit
	return true
}

// advance makes n the highest: the places of the numbers between are free again.
func (s *sender) advance(n uint64) {
	if n-s.high >= windowSize {
		clear(s.bits[:])
	} else {
		for i := s.high + 1; i <= n; i++ {
			s.bits[i%windowSize/64] &^= 1 << (i % 64)
		}
	}
	s.high = n
}

// rest folds the windows of silent senders, and forgets some when there are too many. It runs when a sender is new, which is rare.
func (w *Window) rest(now time.Time) {
	for _, s := range w.senders {
		if s.bits != nil && now.Sub(s.heard) > windowRest {
			s.floor, s.bits = s.high, nil
		}
	}
	if len(w.senders) < maxSenders {
		return
	}
	var gone []ID
	for id, s := range w.senders {
		if s.bits == nil && !w.alive(id) {
			gone = append(gone, id)
		}
	}
	slices.SortFunc(gone, func(a, b ID) int { return bytes.Compare(a[:], b[:]) })
	for _, id := range gone[:(len(gone)+1)/2] { // the earlier half
		delete(w.senders, id)
		if bytes.Compare(id[:], w.before[:]) > 0 {
			w.before = id
		}
	}
}
