package main

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"time"

	"github.com/pinocchio-nose/pinocchio/scripts/chaos/check"
	"github.com/pinocchio-nose/pinocchio/scripts/chaos/clock"
	"github.com/pinocchio-nose/pinocchio/scripts/internal/rig"
)

// times are the clocks that can be stepped, beside those of the members.
type times struct {
	store  *clock.Store // nil: Postgres has the host's clock
	noNode bool         // the program under test has the host's clock
}

// fakeStore starts Postgres again with a clock of its own, when libfaketime is there, and proves that it follows: a step that nobody
// sees would pass for a fault that broke nothing.
func (w *world) fakeStore() (err error) {
	w.times.store, err = clock.NewStore(filepath.Join(w.folder, "postgres.clock"))
	if errors.Is(err, clock.ErrNoLibrary) {
		return nil // missing says it
	}
	if err != nil {
		return err
	}
	w.pg.SetEnv(w.times.store.Environment()...)
	w.pg.Kill9()
	if err := w.pg.Restart(); err != nil {
		return err
	}
	const far = time.Hour // back first: catchUp must not count the trial
	return errors.Join(w.times.store.Step(-far), w.storeIsAhead(-far), w.times.store.Step(far), w.storeIsAhead(0))
}

// checkNodes finds out whether the nodes, which run, follow their clocks.
func (w *world) checkNodes() error {
	followed, err := w.members[0].clock.Followed()
	w.times.noNode = !followed
	return err
}

// storeIsAhead compares Postgres' clock with the host's.
func (w *world) storeIsAhead(want time.Duration) error {
	w.store.Lock()
	defer w.store.Unlock()
	text, err := w.pg.SQL("postgres", "select extract(epoch from clock_timestamp())")
	if err != nil {
		return err
	}
	return clock.Ahead(text, want)
}

// missing says which clocks are not stepped in this run, and why.
func (t *times) missing() (out []string) {
	if t.store == nil {
		out = append(out, "clock-store: "+clock.ErrNoLibrary.Error())
	}
	if t.noNode {
		out = append(out, "clock-node: the program under test was not built for it; \"make chaos\" does that")
	}
	return out
}

// stepNode steps the time of day of a node's processes, and back again after hold; 0: it stays so.
func (w *world) stepNode(ctx context.Context, m *member, by, hold time.Duration) error {
	if w.times.noNode {
		return errSkipped
	}
	if err := m.clock.Step(by); err != nil || hold == 0 {
		return err
	}
	rig.Pause(ctx, hold)
	return m.clock.Step(-by)
}

// stepStore steps Postgres' time of day, and back again after hold; 0: it stays so.
func (w *world) stepStore(ctx context.Context, by, hold time.Duration) error {
	if w.times.store == nil {
		return errSkipped
	}
	if err := w.shiftStore(by); err != nil || hold == 0 {
		return err
	}
	rig.Pause(ctx, hold)
	return w.shiftStore(-by)
}

// shiftStore moves Postgres' clock and notes for the judge when that ended leases: a former owner may trust its own for less than
// a lease more. A step back only makes leases longer.
func (w *world) shiftStore(by time.Duration) error {
	span := check.Span{From: w.clock()}
	err := w.times.store.Step(by)
	span.To = w.clock() + int64(w.opt.lease)
	w.event("Postgres' clock moved by %v", by)
	w.mu.Lock()
	defer w.mu.Unlock()
	if by > 0 {
		w.mu.steps = append(w.mu.steps, span)
	}
	return err
}

// catchUp moves Postgres' clock to the latest that it ever was, as waiting would: the lease of a process that died while the clock was
// ahead ends only then, and nobody gets its partitions, or its name, before.
func (w *world) catchUp() {
	if w.times.store == nil || w.times.store.Behind() == 0 {
		return
	}
	if err := w.shiftStore(w.times.store.Behind()); err != nil {
		w.violate("Postgres' clock cannot be moved: %v", err)
	}
}

// stepped returns when totals may have been told by an owner that Postgres' clock had deposed.
func (w *world) stepped() []check.Span {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.mu.steps)
}
