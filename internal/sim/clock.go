package sim

// ticks are virtual time; think of milliseconds.
type ticks = int64

// event is something that happens at a moment. Events of one moment happen in the order in which they were scheduled.
type event struct {
	at  ticks
	seq uint64
	do  func()
}

func (e *event) before(f *event) bool { return e.at < f.at || e.at == f.at && e.seq < f.seq }

// agenda is a binary heap of events.
type agenda struct {
	heap []event
	seq  uint64
}

func (a *agenda) add(at ticks, do func()) {
	a.seq++
	a.heap = append(a.heap, event{at: at, seq: a.seq, do: do})
	h := a.heap
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if !h[i].before(&h[up]) {
			return
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
}

// next takes the first event off a heap that is not empty.
func (a *agenda) next() event {
	h := a.heap
	first := h[0]
	last := len(h) - 1
	h[0], h[last] = h[last], event{}
	h = h[:last]
	a.heap = h
	for i := 0; ; {
		small := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(h); c++ {
			if h[c].before(&h[small]) {
				small = c
			}
		}
		if small == i {
			return first
		}
		h[i], h[small] = h[small], h[i]
		i = small
	}
}
