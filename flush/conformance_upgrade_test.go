package flush_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// makePrevious gives the store the schema of the release before idempotency keys and the audit.
func (f *fixture) makePrevious(t *testing.T) {
	t.Helper()
	names := []string{"0001_tables"}
	if f.postgres {
		names = append(names, "0002_functions", "0003_flush")
		f.query(t, `create table pinocchio_schema (
			version integer primary key, name text not null, applied_at timestamptz not null default now())`)
	}
	for i, name := range names {
		text, err := os.ReadFile(filepath.Join("migrations", f.sql("postgres", "sqlite"), name+".sql"))
		must(t, err)
		f.query(t, string(text)+";\n"+f.sql(
			fmt.Sprintf("insert into pinocchio_schema (version, name) values (%d, '%s')", i+1, name[5:]),
			fmt.Sprintf("pragma user_version = %d", i+1)))
	}
	now := f.sql("now()", "'2026-01-01T00:00:00.000Z'")
	f.query(t, fmt.Sprintf(`insert into cluster_meta (only_row, cluster, partitions, hash, ring, created_at)
		values (%s, '%s', %d, '%s', '%s', %s)`,
		f.sql("true", "1"), settings.Cluster, settings.Partitions, settings.Hash, settings.Ring, now))
	f.query(t, "insert into partition_owner (partition) values (0), (1), (2), (3), (4), (5), (6), (7)")
}

func testUpgrade(t *testing.T, f *fixture) {
	if !f.postgres { // the folder that opening makes
		must(t, os.MkdirAll(filepath.Dir(strings.TrimPrefix(f.url, "sqlite:")), 0o755))
	}
	f.makePrevious(t)
	origin, closed := newID(), newID()
	now, lease, us := f.sql("now()", "'2026-01-01T00:00:00.000Z'"), f.sql("lease_until", "lease_until_us"),
		f.sql("now() + interval '1 hour'", "9000000000000000")
	for _, id := range []uuid.UUID{origin, closed} {
		f.query(t, fmt.Sprintf(`insert into nodes (id, name, http_addr, peer_addr, gossip_addr, %s, registered_at)
			values ('%s', '%s', 'h', 'p', 'g', %s, %s)`, lease, id, id, us, now))
		f.query(t, fmt.Sprintf("insert into ledger (partition, origin, number) values (0, '%s', 3)", id))
	}
	f.query(t, fmt.Sprintf("update partition_owner set owner = '%s', epoch = 1 where partition = 0", origin))
	f.query(t, fmt.Sprintf(`insert into counters (key, value, inserted_at, updated_at)
		values ('max', 9223372036854775807, %[1]s, %[1]s), ('more', 9223372036854775807, %[1]s, %[1]s), ('less', -5, %[1]s, %[1]s)`, now))
	f.query(t, fmt.Sprintf(`insert into quarantine (key, delta, partition, node, reason, at)
		values ('max', -7, 0, '%s', 'reason', %s)`, origin, now))

	s := f.open(t)
	a := balanced(t, s)
	wantSum(t, "the base", a.Base, "18446744073709551602")
	wantSum(t, "the quarantine's sum", a.Quarantine, "-7")
	if s.ClusterID() == uuid.Nil || s.ClusterID() != f.open(t).ClusterID() {
		t.Errorf("cluster id %s", s.ClusterID())
	}
	apply(t, s, keeping(hour, origin, withIDs(counting(0, origin, 3, 4, "less", 10), "less", "1")))
	must(t, s.CloseNode(t.Context(), closed, true))
	must(t, s.CloseNode(t.Context(), origin, true))
	a = balanced(t, s)
	wantSum(t, "what is retired", a.Retired, "10")
	if v, _ := value(t, s, "less"); v != 5 || f.recorded(t) != "1" {
		t.Errorf("value %d, %s records", v, f.recorded(t))
	}
	if !f.postgres {
		return
	}
	// A node of the previous release that still runs: what it deletes is kept for the audit.
	id := member(t, s, 1)
	apply(t, s, request(id, counting(1, id, 0, 1, "k", 100)))
	f.query(t, fmt.Sprintf("select pinocchio_close_v1('%s', true)", id))
	wantSum(t, "what is retired", balanced(t, s).Retired, "110")
}
