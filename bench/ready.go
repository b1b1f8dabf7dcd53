package bench

import (
	"bufio"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// condition of a target, in the order of preference.
type condition uint8

const (
	down    condition = iota // not ready by the last probe, or refused a connection since
	suspect                  // ready by the last probe, but closed a connection since
	ready
)

// probeTimeout bounds one look at /readyz. Longer than a busy machine needs, shorter than people wait.
const probeTimeout = time.Second

// readiness knows which targets take load, and how many workers sit on each. Safe for concurrent use.
type readiness struct {
	places  []place
	version atomic.Uint64 // grows with each change: a cheap look for workers between batches

	mu      sync.Mutex
	targets []targetState
	changed chan struct{} // closed at the next change
}

// targetState is guarded by readiness.mu.
type targetState struct {
	condition condition
	since     time.Time // of the latest doubt by a worker: a probe begun earlier does not disprove it
	workers   int
	err       error // of the latest failed probe or dial
}

func newReadiness(places []place) *readiness {
	return &readiness{places: places, targets: make([]targetState, len(places)), changed: make(chan struct{})}
}

// pick chooses a target for a worker and seats it there, until leave: home if that is ready, else the ready one with
// the fewest workers, else the same among the suspects. Without any it returns a channel that closes at the next change.
func (r *readiness) pick(home int) (target int, ok bool, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	target, best := r.best(home)
	if best == down {
		return 0, false, r.changed
	}
	r.targets[target].workers++
	return target, true, nil
}

func (r *readiness) best(home int) (int, condition) {
	if r.targets[home].condition == ready {
		return home, ready
	}
	best := home
	for i := range r.targets {
		t, b := &r.targets[i], &r.targets[best]
		if t.condition > b.condition || t.condition == b.condition && t.workers < b.workers {
			best = i
		}
	}
	return best, r.targets[best].condition
}

// leave takes a worker off its target.
func (r *readiness) leave(target int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.targets[target].workers--
}

// shouldMove tells a worker that a ready target waits for it: its home, or any when its own is not ready. As long as no
// target is ready a connection that works is kept.
func (r *readiness) shouldMove(home, current int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if home != current && r.targets[home].condition == ready {
		return true
	}
	if r.targets[current].condition == ready {
		return false
	}
	_, best := r.best(home)
	return best == ready
}

// doubt says that a worker's connection to a target was closed (suspect) or refused (down). It holds until a probe that
// begins later finds the target ready.
func (r *readiness) doubt(target int, c condition, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := &r.targets[target]
	t.since = time.Now()
	if err != nil {
		t.err = err
	}
	r.set(t, min(t.condition, c))
}

// probed enters the result of a probe that began at start.
func (r *readiness) probed(target int, start time.Time, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := &r.targets[target]
	switch {
	case err != nil:
		t.err = err
		r.set(t, down)
	case !start.Before(t.since):
		r.set(t, ready)
	}
}

func (r *readiness) set(t *targetState, c condition) {
	if t.condition == c {
		return
	}
	t.condition = c
	r.version.Add(1)
	close(r.changed)
	r.changed = make(chan struct{})
}

// count returns how many targets are ready.
func (r *readiness) count() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.targets {
		if r.targets[i].condition == ready {
			n++
		}
	}
	return n
}

// reason says why the targets are not ready.
func (r *readiness) reason() (err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.targets {
		if t := &r.targets[i]; t.err != nil {
			return fmt.Errorf("%s: %w", r.places[i].host, t.err)
		}
	}
	return nil
}

// run probes all targets once, calls first, and goes on each interval until ctx ends.
func (r *readiness) run(ctx context.Context, interval time.Duration, first func()) {
	var all, once sync.WaitGroup
	once.Add(len(r.places))
	for i := range r.places {
		all.Go(func() {
			tick := time.NewTicker(interval)
			defer tick.Stop()
			r.probe(ctx, i)
			once.Done()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					r.probe(ctx, i)
				}
			}
		})
	}
	once.Wait()
	first()
	all.Wait()
}

// probe looks at a target's /readyz on a connection of its own: that the listener accepts is part of the question.
func (r *readiness) probe(ctx context.Context, target int) {
	start := time.Now()
	err := askReady(ctx, r.places[target])
	if ctx.Err() == nil {
		r.probed(target, start, err)
	}
}

// askReady returns nil when the target takes load. A server that has no such route does: 404 is not a refusal.
func askReady(ctx context.Context, at place) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	c, err := at.connect(ctx, probeTimeout)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) }) // ends reads and writes at once
	defer stop()

	req := newRequest(fasthttp.MethodGet, at.host, "/readyz")
	req.SetConnectionClose()
	w := bufio.NewWriter(c)
	if err := req.Write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	var resp fasthttp.Response
	if err := resp.ReadLimitBody(bufio.NewReader(c), maxBody); err != nil {
		return err
	}
	if resp.StatusCode() >= 500 {
		return fmt.Errorf("/readyz answers %d", resp.StatusCode())
	}
	return nil
}
