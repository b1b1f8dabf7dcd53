package node

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// withLogs gives each node a folder of its own.
func withLogs(t *testing.T, more func(*Config)) func(*Config) {
	dir := t.TempDir()
	return func(cfg *Config) {
		cfg.DataDir = filepath.Join(dir, cfg.Name)
		cfg.Durability = Disk
		cfg.KeepPersisted = time.Second
		if more != nil {
			more(cfg)
		}
		if cfg.KeepPersisted < cfg.FlushInterval {
			cfg.KeepPersisted = 0
		}
	}
}

// R6, R7: what was answered at durability disk survives the crash of all nodes at once, and counts once: the new processes resend what
// the old ones logged, under the old numbers.
func TestCluster_CountsOnceWhatWasLoggedWhenAllNodesCrash(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, withLogs(t, func(cfg *Config) {
		shortLeases(cfg)
		cfg.FlushInterval = 10 * time.Second
	}))
	nodes := c.nodes
	want := make(map[string]int64)
	for k := range 30 {
		for n, i := range nodes {
			key := nodes[0].keyOf("k", k)
			i.add(key, int64(n)+1)
			want[key] += int64(n) + 1
			if k == 10 && n == 0 {
				nodes[0].flusher.Kick() // some of it is in the store
			}
		}
	}
	for _, i := range nodes {
		i.crash()
	}
	for _, i := range nodes {
		<-i.done
		c.start(i.cfg.Name)
	}
	c.agree()
	eventually(t, func() error {
		for _, i := range c.live() {
			if err := i.haunts(); err != nil {
				return err
			}
		}
		return nil
	})
	for _, i := range c.live() {
		for key, sum := range want { // R8: no total without what was answered, though nothing of it was in the store
			if got := i.total(key); got != sum {
				t.Errorf("%s tells %d of %s, not %d", i.cfg.Name, got, key, sum)
			}
		}
		i.add(nodes[0].keyOf("k", 0), 100)
		want[nodes[0].keyOf("k", 0)] += 100
	}
	c.exact(want)
	eventually(t, func() error {
		for _, i := range c.live() {
			logs, err := os.ReadDir(filepath.Join(i.cfg.DataDir, "log"))
			if err != nil || len(logs) != 1 {
				return errors.New("a past process's log is still there")
			}
		}
		return nil
	})
}

// An operation that the owner of its key never got is in the log as well.
func TestNode_ResendsWhatItsOwnerNeverGot(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, withLogs(t, func(cfg *Config) { cfg.OwnerTimeout = 50 * time.Millisecond; shortLeases(cfg) }))
	owner, other := c.nodes[0], c.nodes[1]
	key := owner.keyOf("k", 0)
	owner.front.hang(true)
	r, err := other.Increment(Increment{Key: []byte(key), Delta: 7})
	if err != nil || !r.Later {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := other.Increment(Increment{Key: []byte(key), Delta: 1, Durability: Database}); !errors.Is(err, ErrDurabilityTimeout) && err != nil {
		t.Fatal(err)
	}
	other.crash()
	<-other.done
	owner.front.hang(false)
	c.start(other.cfg.Name)
	c.agree()
	c.exact(map[string]int64{key: 8})
}

// A full disk ends the log for good: disk is refused, everything else goes on, and whoever looks is told.
func TestNode_RefusesDurabilityDiskWhenTheLogHasFailed(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, withLogs(t, nil))
	n := c.nodes[0]
	n.add("k", 1)
	n.scribe.fail(errors.New("no space left on device"))
	_, err := n.Increment(Increment{Key: []byte("k"), Delta: 1})
	if !errors.Is(err, ErrDurabilityUnavailable) || !strings.Contains(err.Error(), "has failed") {
		t.Errorf("answered %v", err)
	}
	for _, d := range []Durability{Memory, Database} {
		if _, err := n.Increment(Increment{Key: []byte("k"), Delta: 1, Durability: d}); err != nil {
			t.Errorf("durability %d: %v", d, err)
		}
	}
	if err := n.Ready(); !errors.Is(err, ErrLogFailed) || !errors.Is(err, ErrNotReady) || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("ready: %v", err)
	}
	if !strings.Contains(n.metrics(), "\npinocchio_log_up 0\n") {
		t.Error("the metrics do not tell")
	}
	c.exact(map[string]int64{"k": 3})
}
