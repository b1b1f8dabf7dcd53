package flush_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/pinocchio-nose/pinocchio/flush"
)

// childEnv makes this test binary a process that flushes until it is killed; it has the partition and the URL.
const childEnv = "FLUSH_TEST_CHILD"

// runChild opens the store as a process of its own and flushes one key, again and again, printing each number that the
// store has acknowledged.
func runChild(arguments string) error {
	ctx := context.Background()
	p, url, _ := strings.Cut(arguments, " ")
	store, err := flush.Open(ctx, url, settings, flush.Options{})
	if err != nil {
		return err
	}
	partition := uint32(p[0] - '0')
	id := newID()
	if err := store.Register(ctx, flush.Node{ID: id, Name: id.String()}, hour); err != nil {
		return err
	}
	if won, err := store.Claim(ctx, id, []flush.Ownership{{Partition: partition}}); err != nil || len(won) != 1 {
		return fmt.Errorf("claim: %v, %w", won, err)
	}
	for n := uint64(0); ; n++ {
		res, err := store.Flush(ctx, request(id, batch(partition, id, n, n+1, "key"+p, 1)))
		if err != nil || !res.Applied {
			return fmt.Errorf("flush: %+v, %w", res, err)
		}
		fmt.Println(id, n+1)
	}
}

// Several processes write one file; all are killed in the middle. What was acknowledged is there, and the counters say
// what the ledger says.
func TestSQLite_KeepsWhatItAcknowledgedWhenProcessesAreKilled_R4(t *testing.T) {
	f := newSQLiteFixture(t)
	const processes, each = 3, 25
	acknowledged := make([]uint64, processes)
	origins := make([]uuid.UUID, processes)
	var all sync.WaitGroup
	for i := range processes {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s", childEnv, i, f.url))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		all.Go(func() {
			for lines := bufio.NewScanner(out); lines.Scan(); {
				var id string
				if _, err := fmt.Sscan(lines.Text(), &id, &acknowledged[i]); err != nil {
					t.Errorf("%q: %v", lines.Text(), err)
				}
				origins[i], _ = uuid.Parse(id)
				if acknowledged[i] == each {
					_ = cmd.Process.Kill() // what it says after this is still read
				}
			}
			_ = cmd.Wait()
		})
	}
	all.Wait()
	s := f.open(t)
	rows := ledgerMap(ledger(t, s))
	for i, n := range acknowledged {
		v, _ := value(t, s, fmt.Sprint("key", i))
		number := rows[row(uint32(i), origins[i])]
		if n < each || number < n || uint64(v) != number {
			t.Errorf("process %d: acknowledged %d, ledger %d, value %d", i, n, number, v)
		}
	}
}

func TestSQLite_SyncsEachCommit(t *testing.T) {
	f := newSQLiteFixture(t)
	f.open(t)
	if mode := f.query(t, "pragma journal_mode"); mode != "wal" {
		t.Errorf("journal mode %s", mode)
	}
}

func TestSQLite_CountsExactlyThroughTheFlusher(t *testing.T) {
	f := newSQLiteFixture(t)
	s := f.open(t)
	l := startFlusher(t, s, member(t, s, allPartitions()...))
	r := newRand(3)
	for range 10 {
		l.load(r, 200)
		l.flusher.Kick()
	}
	l.check(f)
}
