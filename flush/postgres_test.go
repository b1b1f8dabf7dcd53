package flush_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/pinocchio-nose/pinocchio/flush"
)

func TestOpenPostgres_RefusesDatabasesOnWhichTheRulesWouldNotHold(t *testing.T) {
	server.Query(t, "postgres", "create database latin encoding 'SQL_ASCII' template template0")
	for url, word := range map[string]string{
		server.URL("latin"): "UTF8",
		server.URL("postgres") + "&default_transaction_isolation=repeatable%20read":             "read committed",
		server.URL("postgres") + "&default_transaction_isolation=serializable&pool_max_conns=1": "read committed",
		server.URL("missing"): "missing",
	} {
		store, err := flush.OpenPostgres(t.Context(), url, settings, flush.Options{})
		if err == nil {
			_ = store.Close()
			t.Errorf("opened %s", url)
		} else if !strings.Contains(err.Error(), word) {
			t.Errorf("%q should speak of %q", err, word)
		}
	}
}

func TestOpenPostgres_NeedsNoRightToChangeTheSchemaWhenItIsCurrent(t *testing.T) {
	db := server.NewDatabase(t)
	admin := &fixture{postgres: true, url: server.URL(db)}
	admin.open(t)
	server.Query(t, db, `create role clerk login; grant select, insert, update, delete on all tables in schema public to clerk`)
	clerk := &fixture{postgres: true, url: strings.Replace(server.URL(db), "postgres@", "clerk@", 1)}
	s := clerk.open(t)
	id := member(t, s, 0)
	r := request(id, batch(0, id, 0, 1, "k", 1, "aside", 1))
	r.Quarantine = map[string]string{"aside": "reason"}
	apply(t, s, r)
}

func TestOpenPostgres_TellsTheServerWhoConnects(t *testing.T) {
	db := server.NewDatabase(t)
	const who = "select distinct application_name from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
	for parameters, want := range map[string]string{"": "teller", "&application_name=own": "own"} {
		s, err := flush.OpenPostgres(t.Context(), server.URL(db)+parameters, settings, flush.Options{Application: "teller"})
		must(t, err)
		if got := strings.ReplaceAll(server.Query(t, db, who), "psql", ""); strings.TrimSpace(got) != want {
			t.Errorf("%q connects as %q, want %q", parameters, got, want)
		}
		must(t, s.Close())
		eventually(t, "the connections have ended", func() bool { return strings.TrimSpace(strings.ReplaceAll(server.Query(t, db, who), "psql", "")) == "" })
	}
}

func TestOpen_LogsEachMigrationOnce(t *testing.T) {
	for _, f := range []*fixture{newPostgresFixture(t, ""), newSQLiteFixture(t)} {
		var log bytes.Buffer
		for range 2 {
			s, err := flush.Open(t.Context(), f.url, settings, flush.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			must(t, err)
			must(t, s.Close())
		}
		want := 2
		if f.postgres {
			want = 6
		}
		if n := strings.Count(log.String(), "store schema migrated"); n != want {
			t.Errorf("%d lines, want %d:\n%s", n, want, log.String())
		}
	}
}
