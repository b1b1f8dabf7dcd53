package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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
	c := &cluster{t: t, store: store, tune: tune, log: &notebook{}}
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
	cfg.Name, cfg.Cluster, cfg.Store, cfg.Ring = name, "test", c.store, testSettings()
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

// instance is a running node, with a store that the test can break and a front that the other nodes connect to.
type instance struct {
	*Node
	t      *testing.T
	faults *faultStore
	front  *front
	cancel context.CancelFunc
	done   chan struct{} // closed when Run has returned
	err    error         // valid then
	away   atomic.Bool   // stopped or crashed on purpose
}

// start runs one more node until the test ends.
func (c *cluster) start(name string) *instance {
	c.t.Helper()
	return c.startWith(c.config(name))
}

func (c *cluster) startWith(cfg Config) *instance {
	c.t.Helper()
	i := &instance{t: c.t, faults: newFaultStore(cfg.Store), front: newFront(c.t), done: make(chan struct{})}
	i.faults.register = func(n *flush.Node) { n.PeerAddr = i.front.before(n.PeerAddr) }
	cfg.Store = i.faults
	n, err := New(cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	i.Node = n
	ctx, cancel := context.WithCancel(context.Background())
	i.cancel = cancel
	go func() {
		defer close(i.done)
		i.err = n.Run(ctx)
	}()
	c.t.Cleanup(func() {
		if err := i.stop(); err != nil && !i.away.Load() {
			c.t.Errorf("%s ended with: %v", cfg.Name, err)
		}
	})
	c.nodes = append(c.nodes, i)
	return i
}

// stop ends the node in order and returns what Run returned.
func (i *instance) stop() error {
	i.cancel()
	<-i.done
	return i.err
}

// leave drains the node and stops it, as the command does on SIGTERM.
func (i *instance) leave() {
	i.t.Helper()
	i.away.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	i.Drain(ctx)
	if err := i.stop(); err != nil {
		i.t.Errorf("%s left with: %v", i.cfg.Name, err)
	}
}

var errCrashed = &flush.RetryError{Err: errors.New("this node has crashed")}

// crash takes the node off the world without a word, as SIGKILL would: nothing reaches the store, the other nodes or
// gossip any more. What is left of it in this process is ended behind the scenes.
func (i *instance) crash() {
	i.t.Helper()
	i.away.Store(true)
	i.accepting.Store(false)
	i.front.cut()
	_ = i.gossip.Close()
	dead := i.faults.add(refuse(errCrashed))
	// The round under way may open links. One that begins now cannot.
	seen := dead.hits("Renew")
	eventually(i.t, func() error {
		i.refresh()
		if dead.hits("Renew") == seen {
			return errors.New("the crashed node's control loop does not end its round")
		}
		return nil
	})
	i.links.update(i.Node, nil)
	i.cancel()
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

// ended returns an error when Run has returned though nobody asked.
func (i *instance) ended() error {
	select {
	case <-i.done:
		return fmt.Errorf("%s has ended: %w", i.cfg.Name, i.err)
	default:
		return nil
	}
}

// freeAddr returns a host:port on which nobody listens.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
