package strategy_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/flush/strategy"
	"github.com/pinocchio-nose/pinocchio/internal/pgtest"
)

// open returns the table of a new database.
func open(t *testing.T, conns int) *strategy.Table {
	t.Helper()
	table, err := strategy.Open(t.Context(), server.URL(server.NewDatabase(t)), conns)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := table.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return table
}

// eachStrategy runs the test for each strategy on an empty table. The buffered one flushes by itself all the time.
func eachStrategy(t *testing.T, conns int, test func(*testing.T, *strategy.Table, strategy.Strategy)) {
	t.Helper()
	table := open(t, conns)
	for _, s := range strategy.All(table, time.Millisecond) {
		t.Run(s.Name(), func(t *testing.T) {
			if err := table.Clear(t.Context()); err != nil {
				t.Fatal(err)
			}
			test(t, table, s)
		})
		if err := s.Close(t.Context()); err != nil {
			t.Error(s.Name(), err)
		}
	}
}

func increment(t *testing.T, s strategy.Strategy, key string, delta int64) {
	t.Helper()
	if err := s.Increment(t.Context(), key, delta); err != nil {
		t.Fatal(err)
	}
}

// expect flushes and compares what the table says.
func expect(t *testing.T, table *strategy.Table, s strategy.Strategy, key string, want int64) {
	t.Helper()
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := table.Value(t.Context(), key); err != nil || got != want {
		t.Errorf("%s: the table says %d (%v), want %d", key, got, err, want)
	}
}

func TestStrategies_CreateUpdateAndKeepKeysApart(t *testing.T) {
	eachStrategy(t, 2, func(t *testing.T, table *strategy.Table, s strategy.Strategy) {
		increment(t, s, "a", 3)
		expect(t, table, s, "a", 3)
		increment(t, s, "a", 4)
		increment(t, s, "b", -7)
		increment(t, s, "zero", 0)
		expect(t, table, s, "a", 7)
		expect(t, table, s, "b", -7)
		if sum, counters, err := table.Sum(t.Context()); err != nil || sum != 0 || counters != 3 {
			t.Errorf("sum %d of %d counters (%v), want 0 of 3", sum, counters, err)
		}
	})
}

func TestStrategies_CountEachOnceWhen10000IncrementAtOnce(t *testing.T) {
	const n = 10_000
	eachStrategy(t, 8, func(t *testing.T, table *strategy.Table, s strategy.Strategy) {
		var all sync.WaitGroup
		var failed atomic.Int64
		start := make(chan struct{})
		for range n {
			all.Go(func() {
				<-start
				if err := s.Increment(t.Context(), "hot", 2); err != nil {
					failed.Add(1)
					t.Error(err)
				}
			})
		}
		close(start)
		all.Wait()
		expect(t, table, s, "hot", 2*(n-failed.Load()))
	})
}

func TestStrategies_RefuseWhatLeavesTheRange(t *testing.T) {
	table := open(t, 2)
	for _, s := range strategy.All(table, time.Hour) {
		if err := table.Clear(t.Context()); err != nil {
			t.Fatal(err)
		}
		increment(t, s, "max", math.MaxInt64)
		if err := s.Increment(t.Context(), "max", 1); !errors.Is(err, strategy.ErrOutOfRange) {
			t.Errorf("%s: %v, want ErrOutOfRange", s.Name(), err)
		}
		expect(t, table, s, "max", math.MaxInt64)
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestBuffered_CountsABatchOnceWhenItsOutcomeWasUnknown(t *testing.T) {
	database, proxy := server.NewDatabase(t), pgtest.StartProxy(t, server.Addr())
	table, err := strategy.Open(t.Context(), pgtest.URL(proxy.Addr(), database), 1)
	if err != nil {
		t.Fatal(err)
	}
	s := strategy.NewBuffered(table, time.Hour)
	increment(t, s, "some:key", 5)
	expect(t, table, s, "some:key", 5)
	increment(t, s, "some:key", 6)
	lost := proxy.DropReply("some:key") // after the commit, before the answer
	if err := s.Flush(t.Context()); err == nil {
		t.Error("a flush without an answer reported success")
	}
	<-lost
	if got := server.Query(t, database, "select value from strategy_counters"); got != "11" {
		t.Errorf("the lost answer was not of a commit: the table says %s", got)
	}
	increment(t, s, "some:key", 7)
	expect(t, table, s, "some:key", 18)
	if err := errors.Join(s.Close(t.Context()), table.Close(t.Context())); err != nil {
		t.Error(err)
	}
}

func TestBuffered_RefusesWhileFlushesFailAndCountsWhatItTookAfterwards(t *testing.T) {
	database := server.NewDatabase(t)
	table, err := strategy.Open(t.Context(), server.URL(database), 1)
	if err != nil {
		t.Fatal(err)
	}
	s := strategy.NewBuffered(table, time.Millisecond)
	server.Query(t, database, "alter table strategy_counters rename to elsewhere")
	took := int64(0)
	for deadline := time.Now().Add(30 * time.Second); ; took++ {
		if err := s.Increment(t.Context(), "k", 1); err != nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("increments are taken for ever although nothing can be flushed")
		}
	}
	server.Query(t, database, "alter table elsewhere rename to strategy_counters")
	expect(t, table, s, "k", took)
	if err := errors.Join(s.Close(t.Context()), table.Close(t.Context())); err != nil {
		t.Error(err)
	}
}

func TestOpen_RefusesWhenItMustAndLeavesTheServicesTablesAlone(t *testing.T) {
	database := server.NewDatabase(t)
	server.Query(t, database, "create table counters (key text, value bigint)")
	server.Query(t, database, "insert into counters values ('mine', 42)")
	first, err := strategy.Open(t.Context(), server.URL(database), 1)
	if err != nil {
		t.Fatal(err)
	}
	increment(t, strategy.NewUpsert(first), "a", 1)
	if _, err := strategy.Open(t.Context(), server.URL(database), 1); !errors.Is(err, strategy.ErrInUse) {
		t.Errorf("a second one opened: %v", err)
	}
	if err := first.Close(t.Context()); err != nil {
		t.Error(err)
	}
	again, err := strategy.Open(t.Context(), server.URL(database), 1)
	if err != nil {
		t.Fatal(err)
	}
	if sum, _, err := again.Sum(t.Context()); err != nil || sum != 0 {
		t.Errorf("a new run begins with %d (%v)", sum, err)
	}
	if err := again.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if got := server.Query(t, database, "select key, value from counters"); got != "mine|42" {
		t.Errorf("the service's table has %q", got)
	}
	if _, err := strategy.Open(t.Context(), "sqlite:x", 1); err == nil || !strings.Contains(err.Error(), "postgres://") {
		t.Errorf("SQLite: %v", err)
	}
}
