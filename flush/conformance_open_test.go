package flush_test

import (
	"errors"
	"fmt"
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
