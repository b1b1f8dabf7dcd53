package node

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/internal/pgtest"
)

var tables = []string{"nodes", "partition_owner", "counters", "ledger", "idempotency_keys", "quarantine", "cluster_meta"}

// remember keeps what the database holds now, in one snapshot; goBack makes it hold that again, as a failover to a standby that was behind does.
func remember(t *testing.T, pg *pgtest.Server, database string) {
	t.Helper()
	sql := "begin isolation level repeatable read;"
	for _, name := range tables {
		sql += fmt.Sprintf("create table was_%s as select * from %s;", name, name)
	}
	pg.Query(t, database, sql+"commit;")
}

func goBack(t *testing.T, pg *pgtest.Server, database string) {
	t.Helper()
	sql := "begin; lock table " + strings.Join(tables, ",") + " in access exclusive mode; set local session_replication_role = replica;"
	for _, name := range tables {
		sql += fmt.Sprintf("delete from %s; insert into %s overriding system value select * from was_%s;", name, name, name)
	}
	pg.Query(t, database, sql+"commit;")
}

// R6: the database goes back by less than what is kept, while three nodes count: ledger, totals, epochs, leases, registrations and idempotency
// keys. Nothing answered is lost, nothing counts twice.
func TestCluster_IsExactAfterTheDatabaseWentBackInTime(t *testing.T) {
	t.Parallel()
	pg := pgtest.Start(t)
	database := pg.NewDatabase(t)
	c := newClusterOn(t, openStore(t, pg.URL(database)), 2, func(cfg *Config) {
		shortLeases(cfg)
		cfg.FlushInterval, cfg.KeepPersisted = 50*time.Millisecond, 30*time.Second
		cfg.DrainTimeout = 10 * time.Second
	})
	l := c.newLoad(4, 20, always(c.nodes...))
	l.advance(t, 200)
	remember(t, pg, database)
	c.start("n3") // the older state does not know it
	c.agree()
	key := c.nodes[0].keyOf("once", 0)
	for n := range 5 {
		if _, err := c.nodes[n%3].Increment(Increment{Key: []byte(key), Delta: 7, ID: fmt.Appendf(nil, "id-%d", n), Durability: Database}); err != nil {
			t.Fatal(err)
		}
	}
	l.advance(t, 200)
	goBack(t, pg, database)
	l.advance(t, 200)
	l.stop()
	c.agree()
	eventually(t, func() error {
		for n := range 5 { // the same ones again: they count if and only if they had been lost
			if _, err := c.nodes[n%3].Increment(Increment{Key: []byte(key), Delta: 7, ID: fmt.Appendf(nil, "id-%d", n)}); err != nil {
				return err
			}
		}
		return nil
	})
	want := l.sums.copy()
	want[key] = 35
	eventually(t, func() error { // nobody touches it: its owner finds out by itself
		if got := c.stored(key)[key]; got != 35 {
			return fmt.Errorf("the store has %d", got)
		}
		return nil
	})
	c.exact(want)
	if pg.Query(t, database, "select count(*) from idempotency_keys") != "5" {
		t.Error("there are more or fewer than 5 idempotency keys")
	}
	report, err := c.store.Audit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := report.Difference(); d.Cmp(big.NewInt(0)) != 0 {
		t.Errorf("the audit is off by %s", d)
	}
	rewinds := uint64(0)
	for _, i := range c.nodes {
		rewinds += i.count.rewinds.Get() + i.count.conflicts.Get()
	}
	if rewinds == 0 {
		t.Error("nobody noticed")
	}
}

// R6: the store comes back from before a process registered, and the owners notice that it is gone before it is back. None of them can
// compare its numbers then; it knows by itself that all it ever sent is missing.
func TestCluster_CountsWhatAProcessSentThatTheDatabaseForgot(t *testing.T) {
	t.Parallel()
	pg := pgtest.Start(t)
	database := pg.NewDatabase(t)
	c := newClusterOn(t, openStore(t, pg.URL(database)), 2, func(cfg *Config) {
		shortLeases(cfg)
		cfg.FlushInterval, cfg.KeepPersisted = 20*time.Millisecond, 30*time.Second
	})
	remember(t, pg, database)
	late := c.start("n3")
	c.agree()
	key := c.nodes[0].keyOf("k", 0)
	if _, err := late.Increment(Increment{Key: []byte(key), Delta: 7, Durability: Database}); err != nil {
		t.Fatal(err)
	}
	away := late.faults.add(refuse(errLost, "Renew", "Register"))
	goBack(t, pg, database)
	eventually(t, func() error {
		for _, n := range c.nodes[:2] {
			if n.world.Load().members[late.id] != nil {
				return errors.New("the database still knows the node")
			}
		}
		return nil
	})
	late.faults.remove(away)
	c.agree()
	c.exact(map[string]int64{key: 7})
}

// R10: while the database is away, what is held for it stays within its bounds, and what is beyond is refused before it is accepted.
func TestNode_HoldsNoMoreThanItsBoundsWhileTheStoreIsAway(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, func(cfg *Config) { cfg.MaxPendingBytes = 1 << 20 })
	n := c.nodes[0]
	n.faults.add(refuse(errCrashed))
	want := make(map[string]int64)
	refused := 0
	for k := 0; refused < 1000; k++ {
		key := fmt.Sprintf("key-%d", k)
		_, err := n.Increment(Increment{Key: []byte(key), Delta: 1})
		switch {
		case errors.Is(err, ErrOverloaded):
			refused++
		case err != nil:
			t.Fatal(err)
		default:
			want[key] = 1
		}
	}
	if held := n.slots.bytes.Load(); held > 1<<20+1000 {
		t.Errorf("%d bytes are held", held)
	}
	if len(want) < 5000 || len(want) > 12000 {
		t.Errorf("%d increments were accepted", len(want))
	}
	n.faults.heal()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for ctx.Err() == nil && n.slots.pending.Load() > 0 {
		n.flusher.Kick()
		sleep(ctx, pace)
	}
	c.exact(want)
}
