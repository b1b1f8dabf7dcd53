package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/internal/pgtest"
)

// What a process knew to be lost when it ended is shown by the next one: nobody could have read it from the first in time.
func TestNode_ShowsWhatTheProcessBeforeItKnewToBeLost(t *testing.T) {
	t.Parallel()
	pg := pgtest.Start(t)
	database := pg.NewDatabase(t)
	data := t.TempDir()
	c := newClusterOn(t, openStore(t, pg.URL(database)), 2, func(cfg *Config) {
		shortLeases(cfg)
		cfg.KeepPersisted = 0
		if cfg.Name == "n2" {
			cfg.DataDir = data
		}
	})
	owner, other := c.nodes[0], c.nodes[1]
	key := owner.keyOf("k", 0)
	for n := range int64(3) {
		other.add(key, 1)
		c.exact(map[string]int64{key: n + 1})
	}
	pg.Query(t, database, fmt.Sprintf("update ledger set number = 1 where partition = %d", partitionOf(key)))
	other.away.Store(true)
	other.add(key, 1)
	select {
	case <-other.done:
	case <-time.After(patience):
		t.Fatal("goes on")
	}
	if got := other.Audit(); got.Lost != 2 || got.LostPast != 0 {
		t.Errorf("of its own it knows %d to be lost, of past processes %d", got.Lost, got.LostPast)
	}
	for range 2 { // each process after it, for as long as nobody removes the file
		again := c.start("n2")
		c.agree()
		eventually(t, func() error { // the one that the log has is behind those that are lost
			page := &strings.Builder{}
			again.WriteMetrics(page)
			if !strings.Contains(page.String(), "\npinocchio_lost_operations_total 3\n") || again.haunted(other.id) {
				return errors.New("the next process does not show all that is lost, or does not end")
			}
			return nil
		})
		if f := again.Audit(); f.Lost != 0 || f.LostPast != 3 {
			t.Errorf("of its own %d are lost, of past processes %d", f.Lost, f.LostPast)
		}
		again.add(key, 1)
		again.leave()
	}
	c.exact(map[string]int64{key: 5})
}

func TestLosses_AreCountedOnceAndOutliveTheProcess(t *testing.T) {
	folder := t.TempDir()
	one, two := counter.Origin{1}, counter.Origin{2}
	open := func() *losses {
		l := &losses{known: make(map[stream]span)}
		if err := l.open(folder); err != nil {
			t.Fatal(err)
		}
		return l
	}
	for n, c := range []struct {
		origin       counter.Origin
		partition    uint32
		first, last  uint64
		told         bool
		mine, others uint64 // afterwards, for the process one
	}{
		{one, 7, 5, 6, false, 2, 0},
		{one, 7, 5, 6, true, 2, 0},     // the same again
		{one, 7, 5, 9, true, 5, 0},     // and what comes behind
		{one, 7, 3, 9, false, 7, 0},    // the database went back further
		{two, 7, 1, 1, false, 7, 1},    // another process
		{one, 8, 10, 19, false, 17, 1}, // another partition
		{one, 8, 12, 19, true, 17, 1},
	} {
		l := open()
		told, err := l.note(stream{c.origin, c.partition}, span{c.first, c.last})
		if err != nil || told != c.told {
			t.Errorf("%d: told %v, %v", n, told, err)
		}
		for _, l := range []*losses{l, open()} {
			if mine, others := l.count(one); mine != c.mine || others != c.others {
				t.Errorf("%d: %d and %d are lost, want %d and %d", n, mine, others, c.mine, c.others)
			}
		}
	}
	for _, text := range []string{"nonsense", one.String() + " 7 6 5", one.String() + " 7 0 5", "x 7 5 6"} {
		if err := os.WriteFile(filepath.Join(folder, lossesFile), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := (&losses{known: make(map[stream]span)}).open(folder); err == nil || !strings.Contains(err.Error(), "mend it") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
