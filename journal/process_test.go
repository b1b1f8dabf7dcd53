package journal_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/pinocchio-nose/pinocchio/journal"
)

// childEnv makes this binary the writer of a log in the folder that it names.
const childEnv = "PINOCCHIO_JOURNAL_TEST_CHILD"

// runChild appends operations one by one and prints the number of each once it is durable, until it is killed.
func runChild(dir string) {
	l, err := journal.Create(journal.Config{Dir: dir, Origin: writer, Cluster: 7, SegmentBytes: 4096})
	for n := uint64(1); err == nil; n++ {
		l.Append(1, n, ops(n, 1, 100))
		if err = l.Sync(); err == nil {
			_, err = fmt.Println(n)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// TestRecover_RefusesALogWhileItsProcessLives starts a writer, which is then killed in the middle of its work.
func TestRecover_RefusesALogWhileItsProcessLives(t *testing.T) {
	cfg := inDir(t)
	child := exec.Command(os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), childEnv+"="+cfg.Dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	acked, lines := uint64(0), bufio.NewScanner(out)
	for acked < 60 && lines.Scan() {
		acked = number(t, lines.Text())
	}
	err = refused(t, cfg)
	if !errors.Is(err, journal.ErrLocked) {
		t.Errorf("got %v", err)
	}
	says(t, err, filepath.Join(cfg.Dir, writer.String()), "running process", "stop the node")
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() { // what it had said before it died
		acked = number(t, lines.Text())
	}
	if err := child.Wait(); err == nil {
		t.Error("the writer ended by itself")
	}
	holds(t, recovered(t, cfg), 1, 1, ops(1, int(acked), 100), ops(1, int(acked)+1, 100))
	if acked < 60 {
		t.Errorf("the writer came only to %d", acked)
	}
}

func number(t *testing.T, line string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(line, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRecover_RefusesALogOfTheSameProcess(t *testing.T) {
	cfg := inDir(t)
	l := create(t, cfg)
	synced(t, l, 1, 1, ops(1, 1, 1))
	if err := refused(t, cfg); !errors.Is(err, journal.ErrLocked) {
		t.Errorf("got %v", err)
	}
	unlocked(t, l, cfg)
	olds, err := journal.Recover(restarted(cfg))
	if err != nil || len(olds) != 1 {
		t.Fatalf("got %v, %v", olds, err)
	}
	if err := refused(t, cfg); !errors.Is(err, journal.ErrLocked) {
		t.Errorf("while it is being replayed: %v", err)
	}
	if err := errors.Join(olds[0].Remove(), olds[0].Close()); err != nil {
		t.Error(err)
	}
	if names, err := os.ReadDir(cfg.Dir); err != nil || len(names) != 0 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}
