package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/pinocchio-nose/pinocchio/scripts/chaos/schedule"
	"github.com/pinocchio-nose/pinocchio/scripts/internal/rig"
)

const (
	lullLimit = 60 * time.Second // for the faults under way to end, all at once
	calmLimit = 30 * time.Second // for the cluster to be whole then, and as long again for the table to have everything
	unflushed = time.Second      // without Postgres before the loss: the others hold what the node answered then, or nobody does
)

// lose is SIGKILL of a node whose data are deleted, and after hold a start under its name with nothing. Durability `replica` survives the
// loss of one node as long as the second holders stay: the owners of the partitions, or the node that has the copies. One that
// was killed, or an owner that lapsed, a moment before has forgotten what it is now needed for. So no fault that does this is under way
// from a moment before which everything accepted is known to be in the table, until the holders have stood in.
func (w *world) lose(ctx context.Context, m *member, hold time.Duration) error {
	if m.disk == "" || !w.lull(ctx) {
		return errSkipped
	}
	defer w.calm.Unlock()
	if err := w.calmDown(ctx); err != nil {
		return fmt.Errorf("%w: %w", errSkipped, err)
	}
	err := w.whileRunning(m, func(i *incarnation) error {
		err := w.cutWhile(w.directions(schedule.Fault{Kind: schedule.CutStore, Node: m.place}), func() {
			rig.Pause(ctx, min(unflushed, w.opt.lease/4))
			m.crash(i)
		})
		w.atRisk(i, true)
		w.event("%v is lost with its disk", i.id)
		err = errors.Join(err, os.RemoveAll(m.Data))
		rig.Pause(ctx, hold)
		return errors.Join(err, w.begin(m))
	})
	if err != nil {
		return err
	}
	return w.stoodIn(ctx)
}

// lull takes the calm when no fault that could take a holder away is under way. From then on none begins.
func (w *world) lull(ctx context.Context) bool {
	return rig.Await(ctx, lullLimit, "a lull", func() error {
		if !w.calm.TryLock() {
			return errors.New("there are faults all the time")
		}
		return nil
	}) == nil
}

// calmDown waits until all nodes are whole, and then until the table has all that was accepted before that. A step of Postgres' clock back
// that was to stay would keep the partitions and the name of a process that died before it from everybody for up to an hour.
func (w *world) calmDown(ctx context.Context) error {
	w.catchUp()
	rig.Pause(ctx, w.opt.lease) // a node notices what was done to it a moment ago within three rounds of its control loop
	if err := w.awaitWhole(ctx, calmLimit, 0); err != nil {
		return err
	}
	return w.awaitWhole(ctx, calmLimit, w.clock())
}

// stoodIn waits until the others have sent what they held for a lost process. Its successor is ready only when its lease has run
// out, and a holder looks for such processes three times in a lease: then nobody must be resending any more.
func (w *world) stoodIn(ctx context.Context) error {
	if err := w.awaitWhole(ctx, restLimit, 0); err != nil {
		return err
	}
	rig.Pause(ctx, w.opt.lease)
	return w.awaitWhole(ctx, restLimit, 0)
}

// awaitWhole waits until all nodes are there and serve everything, none resends for another process, and all that their processes
// had accepted before since is in the table.
func (w *world) awaitWhole(ctx context.Context, limit time.Duration, since int64) error {
	return w.await(ctx, limit, "all nodes whole", func(cl *client) error {
		for _, m := range w.members[:w.opt.nodes] {
			i := m.running()
			if i == nil || !i.ready.Load() {
				return fmt.Errorf("%s is not ready", m.Name)
			}
			if err := w.whole(cl, m); err != nil {
				return err
			}
			if w.watch.safeUntil(i.id) < since {
				return fmt.Errorf("not all that %v accepted is known to be in the table", i.id)
			}
		}
		return nil
	})
}

// whole asks a node whether anything is amiss.
func (w *world) whole(cl *client, m *member) error {
	s, err := askStatus(cl, m, watchLimit)
	if err != nil {
		return err
	}
	if err := s.complete(w.opt.nodes); err != nil {
		return fmt.Errorf("%s: %w", m.Name, err)
	}
	body, err := cl.get(m.HTTP, "/api/v1/audit", watchLimit)
	if err != nil {
		return err
	}
	past, err := resending(body)
	if err == nil && len(past) > 0 {
		err = fmt.Errorf("%s resends for %v", m.Name, past)
	}
	return err
}

// resending reads of a node's audit for which processes it stands in.
func resending(audit []byte) ([]string, error) {
	var answer struct {
		Data struct {
			Resending *[]string `json:"resending"`
		} `json:"data"`
	}
	if err := json.Unmarshal(audit, &answer); err != nil {
		return nil, fmt.Errorf("audit %.200q: %w", audit, err)
	}
	if answer.Data.Resending == nil {
		return nil, fmt.Errorf("no list of past processes in the audit %.200q", audit)
	}
	return *answer.Data.Resending, nil
}

// complete says what the node misses of a cluster of that many nodes that serve all partitions.
func (s *status) complete(nodes int) error {
	alive := 0
	for _, o := range s.Members {
		if o.Alive {
			alive++
		}
	}
	switch {
	case s.Unowned != 0 || s.Settling != 0 || !s.StoreOK:
		return fmt.Errorf("it says %+v", *s)
	case alive != nodes:
		return fmt.Errorf("it knows of %d nodes, not %d", alive, nodes)
	}
	return nil
}
