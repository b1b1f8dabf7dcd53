package node

import (
	"errors"
	"fmt"
	"testing"
	"time"

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

// R6: the files of a real Postgres go back to what they were, as in a failover to a standby that was behind: its connections break, all
// tables, leases and registrations are those of before, and nobody tells the nodes. What is lost is sent again: within what is kept.
func TestCluster_IsExactAfterTheFilesOfPostgresWentBack(t *testing.T) {
	t.Parallel()
	pg := pgtest.Start(t)
	database := pg.NewDatabase(t)
	c := newClusterOn(t, openStore(t, pg.URL(database)), 0, func(cfg *Config) {
		shortLeases(cfg)
		cfg.FlushInterval, cfg.KeepPersisted = 50*time.Millisecond, 30*time.Second
	})
	start := func(name string) *instance {
		cfg := c.config(name)
		cfg.Store = openStore(t, pg.URL(database)) // with connections of its own, as on a host of its own
		return c.startWith(cfg)
	}
	start("n1")
	start("n2")
	c.agree()
	down := func(files func() error) {
		t.Helper()
		pg.Kill9()
		if err := errors.Join(files(), pg.Restart()); err != nil {
			t.Fatal(err)
		}
	}
	l := c.newLoad(3, 40, always(c.nodes...))
	l.advance(t, 200)
	down(pg.Keep)
	late := start("n3") // the older state does not know it
	c.agree()
	l.advance(t, 400)
	key := c.nodes[0].keyOf("late", 0)
	if _, err := late.Increment(Increment{Key: []byte(key), Delta: 7, Durability: Database}); err != nil {
		t.Fatal(err)
	}
	down(pg.PutBack)
	l.advance(t, 200)
	l.stop()
	if l.errors.Load() != 0 {
		t.Errorf("%d errors; the first: %v", l.errors.Load(), l.fault)
	}
	c.agree()
	eventually(t, func() error {
		if got := c.stored(key)[key]; got != 7 {
			return fmt.Errorf("the store has %d", got)
		}
		return nil
	})
	want := l.sums.copy()
	want[key] = 7
	c.exact(want)
	rewinds := uint64(0)
	for _, i := range c.nodes {
		rewinds += i.count.rewinds.Get() + i.count.conflicts.Get()
	}
	if rewinds == 0 {
		t.Error("nobody noticed: Postgres has lost nothing")
	}
	report, err := c.store.Audit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !report.Balanced() || report.Quarantine.Sign() != 0 {
		t.Errorf("the audit is off by %s, in quarantine are %s", report.Difference(), report.Quarantine)
	}
}
