package topk

import (
	"math"
	"slices"
	"strings"
	"time"
)

// Sketch counts keys. It is not safe for concurrent use.
type Sketch struct {
	capacity int
	fade     time.Duration
	index    map[string]int // position in heap
	heap     []entry        // smallest count first
	began    time.Time
	faded    time.Time // counts are as of this moment
}

type entry struct {
	key        string
	count, err float64
}

// Rate is how often a key was seen in one second: surely Least, and at most Most.
type Rate struct {
	Key         string
	Least, Most float64
}

// New returns a sketch of that many counters, at least one. A key counts 1/e of its weight once fade has passed.
func New(capacity int, fade time.Duration, now time.Time) *Sketch {
	capacity = max(capacity, 1)
	return &Sketch{capacity: capacity, fade: fade, index: make(map[string]int, capacity), began: now, faded: now}
}

// Add notes one occurrence of key, which is copied if it is kept.
func (s *Sketch) Add(key []byte) {
	if i, ok := s.index[string(key)]; ok { // without an allocation
		s.heap[i].count++
		s.down(i)
		return
	}
	if len(s.heap) < s.capacity {
		k := string(key)
		s.heap = append(s.heap, entry{key: k, count: 1})
		s.index[k] = len(s.heap) - 1
		s.up(len(s.heap) - 1)
		return
	}
	least := &s.heap[0]
	delete(s.index, least.key)
	*least = entry{key: string(key), count: least.count + 1, err: least.count}
	s.index[least.key] = 0
	s.down(0)
}

// Top returns the n keys of the highest sure rates, highest first, and lets the counts fade until now. scale is how many
// occurrences each Add stands for.
func (s *Sketch) Top(n int, scale float64, now time.Time) []Rate {
	s.fadeUntil(now)
	// A constant rate r adds up to r*fade*(1-exp(-age/fade)).
	window := s.fade.Seconds() * -math.Expm1(-now.Sub(s.began).Seconds()/s.fade.Seconds())
	if window <= 0 {
		return nil
	}
	var out []Rate
	for _, e := range s.heap {
		if sure := e.count - e.err; sure > 0 {
			out = append(out, Rate{Key: e.key, Least: sure * scale / window, Most: e.count * scale / window})
		}
	}
	slices.SortFunc(out, func(a, b Rate) int {
		if a.Least != b.Least {
			return -int(math.Copysign(1, a.Least-b.Least))
		}
		return strings.Compare(a.Key, b.Key)
	})
	return out[:min(n, len(out))]
}

// fadeUntil shrinks all counts alike, which keeps their order.
func (s *Sketch) fadeUntil(now time.Time) {
	by := math.Exp(-now.Sub(s.faded).Seconds() / s.fade.Seconds())
	s.faded = now
	for i := range s.heap {
		s.heap[i].count *= by
		s.heap[i].err *= by
	}
}

func (s *Sketch) swap(i, j int) {
	s.heap[i], s.heap[j] = s.heap[j], s.heap[i]
	s.index[s.heap[i].key], s.index[s.heap[j].key] = i, j
}

func (s *Sketch) up(i int) {
	for i > 0 && s.heap[i].count < s.heap[(i-1)/2].count {
		s.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
}

func (s *Sketch) down(i int) {
	for {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(s.heap); c++ {
			if s.heap[c].count < s.heap[least].count {
				least = c
			}
		}
		if least == i {
			return
		}
		s.swap(i, least)
		i = least
	}
}
