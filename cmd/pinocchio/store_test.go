package main

import (
	"errors"
	"maps"
	"os"
	"testing"

	"github.com/pinocchio-nose/pinocchio/flush"
)

func TestOpenValues_ReadsWhatTheStoreOfAClusterHas(t *testing.T) {
	url := "sqlite:" + fileIn(t, "counters.db")
	r, base := serve(t, "n1", url)
	increment(t, base, "a")
	increment(t, base, "b")
	increment(t, base, "b")
	if status := r.end(); status != exitOK {
		t.Fatalf("status %d", status)
	}
	store, err := openValues(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	got, err := store.Values(t.Context(), []string{"a", "b", "nobody counted this"})
	if want := map[string]int64{"a": 3, "b": 6}; err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
	empty := fileIn(t, "empty.db")
	if _, err := openValues(t.Context(), "sqlite:"+empty); !errors.As(err, new(*flush.SchemaError)) {
		t.Errorf("an empty store: %v", err)
	}
	if _, err := os.Stat(empty); !os.IsNotExist(err) {
		t.Errorf("reading made a store: %v", err)
	}
	if _, err := openValues(t.Context(), "mysql://x"); err == nil {
		t.Error("a store of another kind is opened")
	}
}
