package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/pinocchio-nose/pinocchio/scripts/chaos/check"
	"github.com/pinocchio-nose/pinocchio/scripts/internal/rig"
)

// begin starts a process of the member and keeps an eye on it. m.life is held.
func (w *world) begin(m *member) error {
	i, err := m.launch()
	if err != nil {
		return err
	}
	w.event("%v is started", i.id)
	go w.guard(m, i)
	return nil
}

// guard waits for the end of a process. One that nobody asked for is a fault of the program under test, unless it was not ready
// yet: a node that finds no database gives up, and whoever runs it starts it again. It ends with the process at the latest
// when the world is closed.
func (w *world) guard(m *member, i *incarnation) {
	<-i.Done()
	if i.ended.Load() {
		return
	}
	m.life.Lock()
	defer m.life.Unlock()
	if i.ended.Swap(true) || m.gone {
		return // an end that was asked for at the same moment
	}
	w.atRisk(i, false)
	status := i.State().String()
	if i.ready.Load() {
		w.violate("%v ended by itself: %s: its log says why", i.id, status)
	} else {
		w.event("%v did not start: %s", i.id, status)
		w.mu.Lock()
		w.mu.failedStarts++
		w.mu.Unlock()
	}
	time.Sleep(restartDelay) // as a supervisor does
	if err := w.begin(m); err != nil {
		w.violate("start %s again: %v", m.Name, err)
	}
}

const restartDelay = time.Second

// atRisk notes that the process ended without a last flush, and whether its data are gone as well.
func (w *world) atRisk(i *incarnation, disk bool) {
	safe := w.watch.safeUntil(i.id)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.risks[i.id] = check.Risk{Safe: safe, Disk: disk}
}

// whileRunning calls do with the process of the member, which nobody else starts or ends meanwhile. It skips a member that has none, or
// whose process is somebody else's at the moment.
func (w *world) whileRunning(m *member, do func(*incarnation) error) error {
	if !m.life.TryLock() {
		return errSkipped
	}
	defer m.life.Unlock()
	i := m.running()
	if i == nil {
		return errSkipped
	}
	return do(i)
}

// kill is SIGKILL and, after hold, a start under the same name with the same data.
func (w *world) kill(ctx context.Context, m *member, hold time.Duration) error {
	return w.whileRunning(m, func(i *incarnation) error {
		m.crash(i)
		w.atRisk(i, false)
		rig.Pause(ctx, hold)
		return w.begin(m)
	})
}

// leave is SIGTERM and, after hold, a start under the same name with the same data.
func (w *world) leave(ctx context.Context, m *member, hold time.Duration) error {
	return w.whileRunning(m, func(i *incarnation) error {
		if err := w.retire(m, i); err != nil {
			return err
		}
		rig.Pause(ctx, hold)
		return w.begin(m)
	})
}

// retire ends a process in order. m.life is held.
func (w *world) retire(m *member, i *incarnation) error {
	status, err := m.stop(i)
	if err != nil || status != 0 { // it says that it lost something, or might have
		w.event("%v left with status %d", i.id, status)
		w.atRisk(i, false)
		w.mu.Lock()
		w.mu.badLeaves++
		w.mu.Unlock()
	}
	return err
}

// join adds a node, which leaves after hold.
func (w *world) join(ctx context.Context, m *member, hold time.Duration) error {
	if !m.life.TryLock() {
		return errSkipped
	}
	defer m.life.Unlock()
	if m.running() != nil {
		return errSkipped
	}
	if err := w.begin(m); err != nil {
		return err
	}
	i := m.now.Load()
	rig.Pause(ctx, hold)
	select {
	case <-i.Done(): // it found no database
		i.ended.Store(true)
		return fmt.Errorf("%w: %v did not start", errSkipped, i.id)
	default:
	}
	return w.retire(m, i)
}

// fillDisk takes all room of the journal's file system. A journal that could not be written stays closed until its node
// starts anew, so that follows.
func (w *world) fillDisk(ctx context.Context, m *member, hold time.Duration) error {
	if m.disk == "" {
		return errSkipped
	}
	return w.whileRunning(m, func(i *incarnation) error {
		filler := filepath.Join(m.disk, "filler")
		err := fill(filler)
		rig.Pause(ctx, hold)
		if err := errors.Join(err, os.Remove(filler)); err != nil {
			return err
		}
		if err := w.retire(m, i); err != nil {
			return err
		}
		return w.begin(m)
	})
}

// fill writes a file until there is no room.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	block := make([]byte, 1<<20)
	for err == nil {
		if _, err = f.Write(block); err != nil && len(block) > 1 {
			block, err = block[:len(block)/2], onlyFull(err)
		}
	}
	return errors.Join(onlyFull(err), f.Close())
}

// onlyFull returns nil for "no space left".
func onlyFull(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return nil
	}
	return err
}
