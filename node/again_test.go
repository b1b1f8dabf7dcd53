package node

import (
	"errors"
	"fmt"
	"testing"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/internal/pgtest"
)

// An owner that doubts its lease may have lost the partition to one that has more of the past process: its word does not end the
// resending, for the log goes with it (R6).
func TestGhost_IsNotDoneByTheWordOfAnOwnerInDoubt(t *testing.T) {
	n, _, peer := resting(t)
	g := &ghost{node: n, origin: counter.Origin{9}}
	g.add(counter.Restore(0, g.origin, 1, nil))
	p := g.parts[0]
	p.LearnStored(peer, 1)
	for _, doubt := range []bool{true, false} {
		p.Hello()
		if _, ok := p.Next(maxGhostOps); !ok {
			t.Fatal("it asks nothing")
		}
		if err := g.take(p, &counter.Answer{Code: counter.OK, Epoch: 1, Owner: peer, Doubt: doubt}); err != nil {
			t.Fatal(err)
		}
		if g.finished() == doubt {
			t.Errorf("with an owner in doubt: %v, it is done: %v", doubt, g.finished())
		}
	}
}

// The database went back to before this node began to leave: it says so again, or another one that leaves would hand it partitions.
func TestNode_TellsAgainThatItLeavesWhenTheDatabaseForgot(t *testing.T) {
	t.Parallel()
	pg := pgtest.Start(t)
	database := pg.NewDatabase(t)
	c := newClusterOn(t, openStore(t, pg.URL(database)), 2, nil)
	leaver := c.nodes[0]
	leaver.Drain(t.Context())
	pg.Query(t, database, fmt.Sprintf("update nodes set draining = false where id = '%s'", leaver.ID()))
	eventually(t, func() error {
		leaver.refresh()
		v, err := c.store.View(t.Context())
		if err != nil {
			return err
		}
		for _, s := range v.Nodes {
			if s.ID == leaver.id && s.Draining {
				return nil
			}
		}
		return errors.New("the store takes it for one that stays")
	})
}
