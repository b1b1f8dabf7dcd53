package node

import (
	"bytes"
	"cmp"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/pinocchio-nose/pinocchio/flush"
	"github.com/pinocchio-nose/pinocchio/ring"
)

const (
	// patience is how long a test waits for what must happen; most of it happens within a fraction.
	patience = 20 * time.Second
	// shortLease is for tests in which a lease runs out. The others have a long one, so that a busy machine cannot make it.
	shortLease = 1500 * time.Millisecond

	secretText = "a secret of at least sixteen bytes"
)

// eventually polls until check returns nil. It is the only place where these tests sleep.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	within(t, patience, check)
}

// within is eventually with a limit of its own.
func within(t *testing.T, limit time.Duration, check func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %v", limit, err)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// testSettings are few partitions, so that a cluster starts quickly.
func testSettings() ring.Settings {
	s := ring.Default()
	s.Partitions = 31
	return s
}

func storeSettings() flush.Settings {
	s := testSettings()
	return flush.Settings{Cluster: "test", Partitions: s.Partitions, Hash: ring.Hash, Ring: s.Version()}
}

// openStore opens a store that is closed after everything else that the test cleans up later.
func openStore(t *testing.T, url string) flush.Store {
	t.Helper()
	s, err := flush.Open(t.Context(), url, storeSettings(), flush.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func sqliteURL(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "test.db") }

// notebook keeps log lines. Nodes may write a last one when the test has ended, which t.Log does not bear.
type notebook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (n *notebook) Write(b []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.Write(b)
}

func (n *notebook) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.String()
}

// cluster is some nodes in this process over one store.
type cluster struct {
	t     *testing.T
	name  string // unique: a port may have been that of another test's node, to which others still talk
	store flush.Store
	tune  func(*Config)
	log   *notebook
	nodes []*instance // all that were ever started
}

// newCluster starts n nodes named n1, n2 ... and waits until they agree. tune may be nil.
func newCluster(t *testing.T, n int, tune func(*Config)) *cluster {
	t.Helper()
	return newClusterOn(t, openStore(t, sqliteURL(t)), n, tune)
}

func newClusterOn(t *testing.T, store flush.Store, n int, tune func(*Config)) *cluster {
	t.Helper()
	c := &cluster{t: t, name: uuid.NewString(), store: store, tune: tune, log: &notebook{}}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of the nodes:\n%s", c.log)
		}
	})
	for range n {
		c.start(fmt.Sprintf("n%d", len(c.nodes)+1))
	}
	c.agree()
	return c
}

// config returns a node's configuration for tests.
func (c *cluster) config(name string) Config {
	cfg := DefaultConfig()
	cfg.Name, cfg.Cluster, cfg.Store, cfg.Ring = name, cmp.Or(c.name, "test"), c.store, testSettings()
	cfg.PeerListen, cfg.GossipAddr, cfg.HTTPAddr = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:1"
	cfg.Secrets = [][]byte{[]byte(secretText)}
	cfg.FlushInterval = 40 * time.Millisecond
	cfg.LeaseTTL = 10 * time.Second
	cfg.OwnerTimeout, cfg.StoreTimeout, cfg.DrainTimeout = 5*time.Second, 10*time.Second, 10*time.Second
	cfg.Logger = slog.New(slog.NewTextHandler(c.log, nil))
	if c.tune != nil {
		c.tune(&cfg)
	}
	return cfg
}

// start runs one more node until the test ends.
func (c *cluster) start(name string) *instance {
	c.t.Helper()
	return c.startWith(c.config(name))
}

// live returns the nodes that were not taken away.
func (c *cluster) live() []*instance {
	var out []*instance
	for _, i := range c.nodes {
		if !i.away.Load() {
			out = append(out, i)
		}
	}
	return out
}

// agree waits until the live nodes see the same members on the same ring, every partition has the owner that the ring wants,
// everybody knows that owner, and nobody settles.
func (c *cluster) agree() {
	c.t.Helper()
	eventually(c.t, c.disagreement)
}

// disagreement says what agree still waits for.
func (c *cluster) disagreement() error {
	live := c.live()
	if len(live) == 0 {
		return nil
	}
	for _, i := range live {
		if err := i.ended(); err != nil {
			c.t.Fatal(err)
		}
		if err := i.Ready(); err != nil {
			return fmt.Errorf("%s: %w", i.cfg.Name, err)
		}
		s := i.Cluster()
		if n := there(s); n != len(live) || s.Unowned != 0 || s.Settling != 0 {
			return fmt.Errorf("%s sees %d members, %d unowned, %d settling", i.cfg.Name, n, s.Unowned, s.Settling)
		}
		if first := live[0].Cluster(); s.RingVersion != first.RingVersion {
			return fmt.Errorf("ring versions differ: %s and %s", s.RingVersion, first.RingVersion)
		}
	}
	for p := range testSettings().Partitions {
		if err := c.placed(live, p); err != nil {
			return err
		}
	}
	return nil
}

// there counts the members that are alive and hold a lease; those that crashed are listed for a long time.
func there(s ClusterStatus) (n int) {
	for _, m := range s.Members {
		n += bit(m.Alive && m.LeaseLeft > 0)
	}
	return n
}

func (c *cluster) placed(live []*instance, p uint32) error {
	want := live[0].world.Load().wants(p)
	for _, i := range live {
		owner, epoch, owning := i.ownership(p)
		if owner != want || owning != (owner == i.id) {
			return fmt.Errorf("%s: partition %d belongs to %s at %d (owning: %v), wanted %s", i.cfg.Name, p, owner, epoch, owning, want)
		}
	}
	return nil
}
