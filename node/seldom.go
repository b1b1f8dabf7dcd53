package node

import (
	"sync"
	"time"
)

// rarelyPause is the least time between two log lines with the same text.
const rarelyPause = 30 * time.Second

// rarely remembers when which line was logged last. Texts are constants, so there are few.
type rarely struct {
	mu   sync.Mutex
	last map[string]time.Time
	held map[string]int
}

// seldom logs a warning that strangers can cause as often as they like: once in a while, with how many were held back since.
func (n *Node) seldom(text string, more ...any) {
	if due, held := n.rarely.again(text, time.Now()); due {
		n.log.Warn(text, append(more, "not_logged", held)...)
	}
}

func (r *rarely) again(text string, now time.Time) (due bool, held int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if last, ok := r.last[text]; ok && now.Sub(last) < rarelyPause {
		r.held[text]++
		return false, 0
	}
	if r.last == nil {
		r.last, r.held = make(map[string]time.Time), make(map[string]int)
	}
	held = r.held[text]
	r.last[text], r.held[text] = now, 0
	return true, held
}
