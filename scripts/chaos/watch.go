package main

import (
	"bufio"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pinocchio-nose/pinocchio/scripts/chaos/history"
)

// watch asks every node, again and again, what it still holds, and how much memory it takes.
type watch struct {
	w       *world
	stop    chan struct{}
	running sync.WaitGroup

	mu     sync.Mutex
	safe   map[history.Life]int64   // all that was accepted before this moment is in the table
	age    map[history.Life]float64 // pending_age_seconds, when last asked
	memory int64                    // most of one node, in bytes
}

func newWatch(w *world) *watch {
	return &watch{w: w, stop: make(chan struct{}), safe: map[history.Life]int64{}, age: map[history.Life]float64{}}
}

const (
	watchInterval = 500 * time.Millisecond
	watchLimit    = 2 * time.Second
	// ageSlack is how roughly a node knows the age of what it holds: to a flush interval of 1 s, and as much again.
	ageSlack = 2 * time.Second
)

// start watches the member until close.
func (h *watch) start(m *member) {
	h.running.Go(func() {
		cl := newClient()
		defer cl.close()
		ticker := time.NewTicker(watchInterval)
		defer ticker.Stop()
		for {
			select {
			case <-h.stop:
				return
			case <-ticker.C:
				if i := m.running(); i != nil {
					h.look(cl, m, i)
				}
			}
		}
	})
}

func (h *watch) close() {
	close(h.stop)
	h.running.Wait()
}

// status is what GET /api/v1/cluster says.
type status struct {
	Unowned  int     `json:"unowned"`
	Settling int     `json:"settling"`
	Pending  int     `json:"pending"`
	Age      float64 `json:"pending_age_seconds"`
	StoreOK  bool    `json:"store_ok"`
	Members  []struct {
		Name  string `json:"name"`
		Alive bool   `json:"alive"`
	} `json:"members"`
}

func askStatus(cl *client, m *member, limit time.Duration) (status, error) {
	body, err := cl.get(m.HTTP, "/api/v1/cluster", limit)
	if err != nil {
		return status{}, err
	}
	var answer struct{ Data status }
	err = json.Unmarshal(body, &answer)
	return answer.Data, err
}

func (h *watch) look(cl *client, m *member, i *incarnation) {
	h.remember(i)
	began := h.w.clock()
	s, err := askStatus(cl, m, watchLimit)
	if err != nil || m.now.Load() != i {
		return
	}
	if !i.ready.Load() {
		if _, err := cl.get(m.HTTP, "/readyz", watchLimit); err == nil {
			i.ready.Store(true)
			h.w.event("%v is ready", i.id)
		}
	}
	h.note(i.id, began, s)
}

// note learns from a node's answer to a question put at began. The age is measured when the node flushes, so it says something
// about the time since the last question only if it has changed.
func (h *watch) note(id history.Life, began int64, s status) {
	h.mu.Lock()
	defer h.mu.Unlock()
	last, asked := h.age[id]
	h.age[id] = s.Age
	safe := h.safe[id]
	switch {
	case s.Pending == 0:
		safe = began
	case asked && s.Age != last:
		safe = began - int64(s.Age*float64(time.Second)) - int64(watchInterval+watchLimit+ageSlack)
	}
	h.safe[id] = max(h.safe[id], safe)
}

// safeUntil returns until when all that the process accepted is known to be in the table.
func (h *watch) safeUntil(id history.Life) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.safe[id]
}

func (h *watch) remember(i *incarnation) {
	peak := peakMemory(i.ID())
	h.mu.Lock()
	defer h.mu.Unlock()
	h.memory = max(h.memory, peak)
}

// peakMemory returns the most memory that the process has had, in bytes; 0 when it is gone.
func peakMemory(pid int) int64 {
	f, err := os.Open("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10
		}
	}
	return 0
}

// most returns the most memory of a node so far, in bytes.
func (h *watch) most() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.memory
}
