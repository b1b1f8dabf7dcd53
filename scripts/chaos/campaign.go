package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/pinocchio-nose/pinocchio/scripts/chaos/schedule"
	"github.com/pinocchio-nose/pinocchio/scripts/internal/rig"
)

const (
	startLimit  = 60 * time.Second // for all nodes to be ready
	answerLimit = 60 * time.Second // for what is repeated until answered, after the faults
	restLimit   = 90 * time.Second // for nothing to be pending, after the load
	auditLimit  = 30 * time.Second // for the leases of dead processes to run out, and for nothing to move
)

// campaign is the run: start, load and faults, calm, checks.
func (w *world) campaign(ctx context.Context) (*report, error) {
	rep := &report{Seed: w.opt.seed, Duration: w.opt.duration.String(), Nodes: w.opt.nodes, Lease: w.opt.lease.String()}
	_, _ = fmt.Fprintf(w.out, "chaos: seed %d, %v, %d nodes, logs and history in %s\n", w.opt.seed, w.opt.duration, w.opt.nodes, w.folder)
	if err := w.startAll(ctx); err != nil {
		return rep, err
	}
	load := &workload{world: w}
	var err error
	if rep.Missing, err = load.probe(ctx); err != nil {
		return rep, err
	}
	if err := w.checkNodes(); err != nil {
		return rep, err
	}
	w.disturb(ctx, load)
	if err := ctx.Err(); err != nil {
		return rep, errors.New("interrupted")
	}
	if err := w.rest(ctx); ctx.Err() != nil {
		return rep, errors.New("interrupted")
	} else if err != nil {
		w.violate("after the faults ended, the cluster is not at rest: %v", err)
		w.dump()
	}
	w.audit(ctx, rep)
	w.judge(ctx, load, rep)
	w.tell(load, rep)
	return rep, ctx.Err()
}

// startAll starts the nodes of the beginning and waits until all are ready.
func (w *world) startAll(ctx context.Context) error {
	for _, m := range w.members {
		w.watch.start(m)
	}
	for _, m := range w.members[:w.opt.nodes] {
		m.life.Lock()
		err := w.begin(m)
		m.life.Unlock()
		if err != nil {
			return err
		}
	}
	return w.await(ctx, startLimit, "all nodes ready", func(cl *client) error {
		for _, m := range w.members[:w.opt.nodes] {
			if i := m.running(); i == nil || !i.ready.Load() {
				return fmt.Errorf("%s is not ready, see %s", m.Name, m.Log)
			}
		}
		return nil
	})
}

// disturb puts on the load, lets the faults happen, and returns when both have ended and every repeated call is answered or given up.
func (w *world) disturb(ctx context.Context, load *workload) {
	plan := schedule.Plan(schedule.Settings{
		Seed: w.opt.seed, Duration: w.opt.duration, Nodes: w.opt.nodes, Spare: spares, Only: w.opt.only, Often: w.opt.often,
	})
	loading, stop := context.WithCancel(ctx)
	giveUp, cancel := context.WithCancel(ctx)
	defer cancel()
	load.start(loading, giveUp)
	began := time.Now()
	w.inject(ctx, plan)
	rig.Pause(ctx, w.opt.duration-time.Since(began))
	w.catchUp()
	for _, m := range w.members {
		m.proxy.Disarm()
	}
	stop()
	late := time.AfterFunc(answerLimit, cancel)
	defer late.Stop()
	load.running.Wait()
	w.event("load and faults have ended")
}

// rest waits until nothing is pending anywhere and all partitions have owners that know them.
func (w *world) rest(ctx context.Context) error {
	return w.await(ctx, restLimit, "all nodes at rest", func(cl *client) error {
		for _, m := range w.members {
			if m.running() == nil {
				continue
			}
			s, err := askStatus(cl, m, watchLimit)
			if err != nil {
				return err
			}
			if s.Pending != 0 {
				return fmt.Errorf("%s says: %+v", m.Name, s)
			}
			if err := s.complete(w.opt.nodes); err != nil {
				return fmt.Errorf("%s: %w", m.Name, err)
			}
		}
		return nil
	})
}

// await asks the nodes until check is satisfied.
func (w *world) await(ctx context.Context, limit time.Duration, what string, check func(*client) error) error {
	cl := newClient()
	defer cl.close()
	return rig.Await(ctx, limit, what, func() error { return check(cl) })
}

// tell fills in what the run was like.
func (w *world) tell(load *workload, rep *report) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, k := range schedule.Kinds() {
		c := faultCount{Kind: string(k), Injected: w.mu.injected[k], Skipped: w.mu.skipped[k]}
		if k == schedule.DropReply || k == schedule.CutByte {
			c.Injected = w.mu.sprung[k] // what was armed and never met a flush has broken nothing
		}
		rep.Faults = append(rep.Faults, c)
	}
	rep.NotInjected = w.times.missing()
	if w.members[0].disk == "" {
		rep.NotInjected = append(rep.NotInjected, "disk full: this build has no journal (no --data)")
	}
	rep.FailedStarts, rep.BadLeaves = w.mu.failedStarts, w.mu.badLeaves
	rep.MaxMemory = w.watch.most()
	for _, id := range slices.SortedFunc(maps.Keys(w.mu.risks), compareLives) {
		risk, with := w.mu.risks[id], ""
		if risk.Disk {
			with = " with its disk"
		}
		rep.Ended = append(rep.Ended, fmt.Sprintf("%v%s, safe until %.3f s", id, with, time.Duration(risk.Safe).Seconds()))
	}
}

// dump keeps what every node says of itself, as evidence.
func (w *world) dump() {
	cl := newClient()
	defer cl.close()
	for _, m := range w.members {
		for _, page := range []string{"/api/v1/cluster", "/metrics"} {
			body, err := cl.get(m.HTTP, page, watchLimit)
			if err != nil {
				body = []byte(err.Error())
			}
			name := fmt.Sprintf("%s-%s.txt", m.Name, path.Base(page))
			if err := os.WriteFile(filepath.Join(w.folder, name), body, 0o600); err != nil {
				w.event("%v", err)
			}
		}
	}
}
