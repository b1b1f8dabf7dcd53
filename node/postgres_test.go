package node

import (
	"errors"
	"testing"

	"github.com/pinocchio-nose/pinocchio/internal/pgtest"
)

// A real Postgres is killed in the middle of its work, and started again: nothing is lost, nothing counted twice.
func TestCluster_CountsExactlyWhenPostgresIsKilledAndStartedAgain(t *testing.T) {
	t.Parallel()
	pg := pgtest.Start(t)
	database := pg.NewDatabase(t)
	c := newClusterOn(t, openStore(t, pg.URL(database)), 0, shortLeases)
	for _, name := range []string{"n1", "n2", "n3"} {
		cfg := c.config(name)
		cfg.Store = openStore(t, pg.URL(database)) // each with connections of its own, as on hosts of their own
		c.startWith(cfg)
	}
	c.agree()
	l := c.newLoad(3, 40, always(c.nodes...))
	for range 2 {
		l.advance(t, 100)
		pg.Kill9()
		eventually(t, func() error {
			for _, i := range c.nodes {
				if i.Cluster().StoreOK {
					return errors.New("the store is thought to be there")
				}
			}
			return nil
		})
		l.advance(t, 100)
		if err := pg.Restart(); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() error {
			for _, i := range c.nodes {
				if !i.Cluster().StoreOK {
					return errors.New("the store is thought to be gone")
				}
			}
			return nil
		})
	}
	l.advance(t, 100)
	l.stop()
	if l.errors.Load() != 0 {
		t.Errorf("%d errors; the first: %v", l.errors.Load(), l.fault)
	}
	c.agree()
	c.exact(l.sums.copy())
}
