package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/pinocchio-nose/pinocchio/scripts/chaos/netns"
	"github.com/pinocchio-nose/pinocchio/scripts/chaos/pgproxy"
	"github.com/pinocchio-nose/pinocchio/scripts/chaos/schedule"
	"github.com/pinocchio-nose/pinocchio/scripts/internal/rig"
)

// errSkipped says that a fault had nothing to break at its moment: another one had been there before it.
var errSkipped = errors.New("nothing to break")

// inject lets the plan happen and returns when all of it is over and mended. An end of ctx ends everything early.
func (w *world) inject(ctx context.Context, plan []schedule.Fault) {
	var running sync.WaitGroup
	defer running.Wait()
	began := time.Now()
	for _, f := range plan {
		if !rig.Pause(ctx, f.At-time.Since(began)) {
			return
		}
		running.Go(func() { w.one(ctx, f) })
	}
}

func (w *world) one(ctx context.Context, f schedule.Fault) {
	w.event("begin %v", f)
	err := w.apply(ctx, f)
	w.event("end   %v: %v", f, err)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case errors.Is(err, errSkipped):
		w.mu.skipped[f.Kind]++
	case err != nil:
		w.mu.violations = append(w.mu.violations, fmt.Sprintf("%v could not be injected or mended: %v", f, err))
	default:
		w.mu.injected[f.Kind]++
	}
}

// gentle are the faults that leave every node with its memory, its lease and its partitions: they may come while a node is lost.
var gentle = []schedule.Kind{schedule.DropReply, schedule.CutByte, schedule.ClockNode}

// apply breaks, waits and mends.
func (w *world) apply(ctx context.Context, f schedule.Fault) error {
	m := w.members[f.Node]
	if f.Kind != schedule.Lose && !slices.Contains(gentle, f.Kind) {
		if !w.calm.TryRLock() {
			return errSkipped
		}
		defer w.calm.RUnlock()
	}
	switch f.Kind {
	case schedule.Lose:
		return w.lose(ctx, m, f.For)
	case schedule.Kill:
		return w.kill(ctx, m, f.For)
	case schedule.Pause:
		return w.pauseNode(ctx, m, f.For)
	case schedule.Leave:
		return w.leave(ctx, m, f.For)
	case schedule.Join:
		return w.join(ctx, m, f.For)
	case schedule.Split, schedule.OneWay, schedule.Bridge, schedule.CutStore:
		return w.cut(ctx, w.directions(f), f.For)
	case schedule.KillStore:
		return w.killStore(ctx, f.For)
	case schedule.DropReply:
		m.proxy.Set(pgproxy.Trap{Drop: true})
	case schedule.CutByte:
		m.proxy.Set(pgproxy.Trap{Answer: f.Answer, Bytes: f.Bytes})
	case schedule.Delay:
		m.proxy.Delay(f.Lag)
		rig.Pause(ctx, f.For)
		m.proxy.Delay(0)
	case schedule.DiskFull:
		return w.fillDisk(ctx, m, f.For)
	case schedule.ClockNode:
		return w.stepNode(ctx, m, f.Lag, f.For)
	case schedule.ClockStore:
		return w.stepStore(ctx, f.Lag, f.For)
	}
	return nil
}

// directions are the packets that a fault of the network drops.
func (w *world) directions(f schedule.Fault) (cut []rig.Direction) {
	switch f.Kind {
	case schedule.OneWay:
		return []rig.Direction{{From: netns.Host(f.Group[0]), To: netns.Host(f.Group[1])}}
	case schedule.CutStore:
		return []rig.Direction{
			{From: netns.Host(f.Node), To: netns.Store},
			{From: netns.Store, To: netns.Host(f.Node)},
		}
	}
	for _, m := range w.members {
		for _, o := range w.members {
			bridge := f.Kind == schedule.Bridge && (m.place == f.Node || o.place == f.Node)
			if !bridge && slices.Contains(f.Group, m.place) && !slices.Contains(f.Group, o.place) {
				cut = append(cut, rig.Direction{From: netns.Host(m.place), To: netns.Host(o.place)},
					rig.Direction{From: netns.Host(o.place), To: netns.Host(m.place)})
			}
		}
	}
	return cut
}

func (w *world) cut(ctx context.Context, directions []rig.Direction, hold time.Duration) error {
	return w.cutWhile(directions, func() { rig.Pause(ctx, hold) })
}

func (w *world) cutWhile(directions []rig.Direction, do func()) error {
	var errs []error
	for _, d := range directions {
		errs = append(errs, w.hub.Cut(d))
	}
	do()
	for _, d := range directions {
		errs = append(errs, w.hub.Heal(d))
	}
	return errors.Join(errs...)
}

func (w *world) pauseNode(ctx context.Context, m *member, hold time.Duration) error {
	if !m.paused.TryLock() {
		return errSkipped
	}
	defer m.paused.Unlock()
	i := m.running()
	if i == nil {
		return errSkipped
	}
	i.Signal(syscall.SIGSTOP)
	rig.Pause(ctx, hold)
	i.Signal(syscall.SIGCONT)
	return nil
}

// killStore kills all of Postgres' processes and starts it again.
func (w *world) killStore(ctx context.Context, hold time.Duration) error {
	if !w.store.TryLock() {
		return errSkipped
	}
	defer w.store.Unlock()
	w.pg.Kill9()
	rig.Pause(ctx, hold)
	return w.pg.Restart()
}
