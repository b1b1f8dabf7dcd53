package flush_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/pinocchio-nose/pinocchio/flush"
)

func testOpenEmpty(t *testing.T, f *fixture) {
	s := f.open(t)
	must(t, s.Ping(t.Context()))
	v, err := s.View(t.Context())
	must(t, err)
	if len(v.Nodes) != 0 || len(v.Owners) != partitions {
		t.Fatalf("%+v", v)
	}
	for i, o := range v.Owners {
		if o != (flush.Ownership{Partition: uint32(i), Owner: uuid.Nil, Epoch: 0}) {
			t.Errorf("partition %d: %+v", i, o)
		}
	}
	member(t, s, 3)
	v, err = f.open(t).View(t.Context())
	must(t, err)
	if v.Owners[3].Epoch != 1 || len(v.Nodes) != 1 {
		t.Errorf("opened again, the store shows %+v", v)
	}
}

func testOpenOtherSettings(t *testing.T, f *fixture) {
	f.open(t)
	for name, change := range map[string]func(*flush.Settings){
		"name":       func(s *flush.Settings) { s.Cluster = "other" },
		"partitions": func(s *flush.Settings) { s.Partitions++ },
		"hash":       func(s *flush.Settings) { s.Hash = "other" },
		"ring":       func(s *flush.Settings) { s.Ring = "other" },
	} {
		s := settings
		change(&s)
		checkDifferences(t, f, s, name)
	}
	checkDifferences(t, f, flush.Settings{Cluster: "a", Partitions: 1, Hash: "b", Ring: "c"}, "name", "partitions", "hash", "ring")
}

func checkDifferences(t *testing.T, f *fixture, s flush.Settings, words ...string) {
	t.Helper()
	_, err := flush.Open(t.Context(), f.url, s, flush.Options{})
	var differ *flush.SettingsError
	if !errors.As(err, &differ) || len(differ.Diff) != len(words) {
		t.Fatalf("got %v, want differences in %v", err, words)
	}
	for i, word := range words {
		if !strings.Contains(differ.Diff[i], word) || !strings.Contains(err.Error(), differ.Diff[i]) {
			t.Errorf("difference %q (in %q) should name %q", differ.Diff[i], err, word)
		}
	}
}

func testOpenNewerSchema(t *testing.T, f *fixture) {
	f.open(t)
	f.query(t, f.sql("insert into pinocchio_schema (version, name) values (99, 'later')", "pragma user_version = 99"))
	_, err := flush.Open(t.Context(), f.url, settings, flush.Options{})
	var newer *flush.SchemaError
	if !errors.As(err, &newer) || newer.Have != 99 || !strings.Contains(err.Error(), "newer release") {
		t.Fatalf("got %v", err)
	}
}

// A command that only compares must leave an empty store empty, and one of an older release to that release.
func testOpenExisting(t *testing.T, f *fixture) {
	version := f.sql("select count(*) || ' ' || coalesce(max(version), 0) from pinocchio_schema", "pragma user_version")
	refused := func(have int, says, asks, want string) {
		t.Helper()
		store, err := flush.Open(t.Context(), f.url, settings, flush.Options{Existing: true})
		var schema *flush.SchemaError
		if !errors.As(err, &schema) || schema.Have != have || !strings.Contains(err.Error(), says) {
			t.Errorf("a store of version %d: %v, %v", have, store, err)
		}
		if got := f.query(t, asks); got != want {
			t.Errorf("a store of version %d: now %s, want %s", have, got, want)
		}
	}
	path := strings.TrimPrefix(f.url, "sqlite:")
	if !f.postgres {
		_, err := flush.Open(t.Context(), f.url, settings, flush.Options{Existing: true})
		var schema *flush.SchemaError
		if _, missing := os.Stat(filepath.Dir(path)); !errors.As(err, &schema) || !os.IsNotExist(missing) {
			t.Fatalf("without a file: %v, and then %v", err, missing)
		}
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, nil, 0o600))
	}
	tables := f.sql("select count(*) from pg_class where relnamespace = 'public'::regnamespace", "select count(*) from sqlite_schema")
	refused(0, "start a node", tables, "0")
	f.makePrevious(t)
	refused(f.previous(), "start a node of this release", version, f.sql("3 3", "1"))
	if !f.postgres && f.query(t, "pragma journal_mode") != "delete" {
		t.Error("the file's mode was changed")
	}
	made := f.open(t) // as a node does
	store, err := flush.Open(t.Context(), f.url, settings, flush.Options{Existing: true})
	must(t, err)
	view, err := store.View(t.Context())
	if err = errors.Join(err, store.Close()); err != nil || len(view.Owners) != partitions || store.ClusterID() != made.ClusterID() {
		t.Errorf("%v, %v", view, err)
	}
	if _, err := flush.Open(t.Context(), f.url, flush.Settings{Cluster: "a", Partitions: 1}, flush.Options{Existing: true}); !errors.As(err, new(*flush.SettingsError)) {
		t.Errorf("with other settings: %v", err)
	}
	f.query(t, f.sql("insert into pinocchio_schema (version, name) values (99, 'later')", "pragma user_version = 99"))
	refused(99, "newer release", f.sql("select max(version) from pinocchio_schema", version), "99")
}

// previous is the schema version that makePrevious makes.
func (f *fixture) previous() int {
	if f.postgres {
		return 3
	}
	return 1
}

func testOpenBadSettings(t *testing.T, f *fixture) {
	for _, s := range []flush.Settings{
		{Cluster: "c", Partitions: 0},
		{Cluster: "c", Partitions: 1 << 31},
		{Cluster: "c\x00", Partitions: 1},
		{Cluster: "c", Partitions: 1, Ring: "\xff"},
	} {
		if store, err := flush.Open(t.Context(), f.url, s, flush.Options{}); err == nil {
			_ = store.Close()
			t.Errorf("opened with %+v", s)
		}
	}
}

func testOpenConcurrently(t *testing.T, f *fixture) {
	const openers = 6
	var all sync.WaitGroup
	errs := make([]error, openers)
	for i := range openers {
		all.Go(func() {
			store, err := flush.Open(t.Context(), f.url, settings, flush.Options{})
			if err == nil {
				_, err = store.View(t.Context())
				err = errors.Join(err, store.Close())
			}
			errs[i] = err
		})
	}
	all.Wait()
	must(t, errors.Join(errs...))
	if n := f.query(t, "select count(*) from partition_owner"); n != fmt.Sprint(partitions) {
		t.Errorf("%s partitions", n)
	}
}

func testCallsAfterClose(t *testing.T, f *fixture) {
	s, err := flush.Open(t.Context(), f.url, settings, flush.Options{})
	must(t, err)
	id := member(t, s, 0)
	must(t, s.Close())
	ctx := t.Context()
	_, errFlush := s.Flush(ctx, request(id, batch(0, id, 0, 1, "k", 1)))
	_, errRead := s.Read(ctx, []string{"k"}, nil, nil)
	_, errRenew := s.Renew(ctx, id, hour)
	_, errView := s.View(ctx)
	_, errClaim := s.Claim(ctx, id, nil)
	_, errAdopt := s.Adopt(ctx, nil)
	_, errList := s.List(ctx, "", "", 1)
	_, errExpire := s.Expire(ctx, hour)
	errs := []error{
		errFlush, errRead, errRenew, errView, errClaim, errAdopt, errList, errExpire, s.Ping(ctx),
		s.SetDraining(ctx, id), s.CloseNode(ctx, id, true), s.Register(ctx, flush.Node{ID: id, Name: "x"}, hour),
	}
	if i := slices.Index(errs, nil); i >= 0 {
		t.Errorf("call %d succeeded on a closed store", i)
	}
	var nothing *flush.RetryError
	if !errors.As(errFlush, &nothing) {
		t.Errorf("a flush on a closed store has a known outcome, but got %v", errFlush)
	}
}

func TestOpen_RefusesURLsThatNameNoStore(t *testing.T) {
	for _, url := range []string{
		"", "postgres", "mysql://x", "sqlite:", "sqlite::memory:", "/tmp/x.db", "sqlite:/dev/null/x.db",
		"postgres://127.0.0.1:1/x?sslmode=disable", "postgres://user:sesame@[", "postgres://x?pool_max_conns=none",
	} {
		store, err := flush.Open(t.Context(), url, settings, flush.Options{})
		if err == nil {
			_ = store.Close()
			t.Errorf("opened %q", url)
		} else if strings.Contains(err.Error(), "sesame") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}
