package gossip

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/memberlist"
	"go.uber.org/goleak"
)

// patience is how long a test waits for what must happen; most of it happens within a fraction.
const patience = 20 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// quick is a configuration that finds out in tenths of seconds.
func quick(name string) Config {
	c := Default()
	c.ID = uuid.Must(uuid.NewV7()).String()
	c.Meta = Meta{Name: name, HTTPAddr: "127.0.0.1:1", PeerAddr: "127.0.0.1:2", Settings: "partitions=271"}
	c.BindAddr = "127.0.0.1:0"
	c.ClusterName = "test"
	c.RejoinInterval = 100 * time.Millisecond
	c.ProbeInterval, c.ProbeTimeout = 100*time.Millisecond, 50*time.Millisecond
	c.GossipInterval = 10 * time.Millisecond
	c.PushPullInterval = 500 * time.Millisecond
	c.StreamTimeout = 2 * time.Second
	c.DeadTime = time.Second
	return c
}

// start runs a Gossip until the test ends.
func start(t *testing.T, c Config) *Gossip {
	t.Helper()
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	return g
}

// startCluster runs n nodes that all see each other; the later ones have the first as seed.
func startCluster(t *testing.T, n int, change func(i int, c *Config)) []*Gossip {
	t.Helper()
	var nodes []*Gossip
	for i := range n {
		c := quick(fmt.Sprintf("n%d", i+1))
		if i > 0 {
			c.Seeds = []string{nodes[0].LocalAddr()}
		}
		if change != nil {
			change(i, &c)
		}
		nodes = append(nodes, start(t, c))
	}
	for _, g := range nodes {
		waitMembers(t, g, names(n)...)
	}
	return nodes
}

// names returns n1, n2 ... as startCluster gives them.
func names(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("n%d", i+1)
	}
	return all
}

// eventually polls until ok, or fails the test with what describe says.
func eventually(t *testing.T, describe func() string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("it never happened: %s", describe())
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// waitMembers waits until g sees exactly these names, by following Changed as a user of the package does.
func waitMembers(t *testing.T, g *Gossip, want ...string) {
	t.Helper()
	timeout := time.After(patience)
	for !slices.Equal(memberNames(g), want) {
		select {
		case <-g.Changed():
		case <-timeout:
			t.Fatalf("%s sees %v and not %v", g.cfg.Meta.Name, memberNames(g), want)
		}
	}
}

func memberNames(g *Gossip) []string {
	var all []string
	for _, m := range g.Members() {
		all = append(all, m.Meta.Name)
	}
	slices.Sort(all)
	return all
}

// recorder keeps log lines.
type recorder struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (r *recorder) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(b)
}

func (r *recorder) logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{Level: level}))
}

// count returns how many lines have all the parts.
func (r *recorder) count(parts ...string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for line := range strings.Lines(r.buf.String()) {
		if !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(line, p) }) {
			n++
		}
	}
	return n
}

func (r *recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.String()
}

// wall cuts the network between groups of addresses.
type wall struct {
	mu   sync.Mutex
	side map[string]int // address -> side
	up   bool
}

func (w *wall) set(up bool) {
	w.mu.Lock()
	w.up = up
	w.mu.Unlock()
}

func (w *wall) put(addr string, side int) {
	w.mu.Lock()
	if w.side == nil {
		w.side = map[string]int{}
	}
	w.side[addr] = side
	w.mu.Unlock()
}

func (w *wall) between(side int, to string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.up && w.side[to] != side
}

// walled is a transport on one side of a wall: packets to the other side vanish, streams are refused.
type walled struct {
	memberlist.NodeAwareTransport
	wall *wall
	side int
}

func (w *walled) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	if w.wall.between(w.side, a.Addr) {
		return time.Now(), nil
	}
	return w.NodeAwareTransport.WriteToAddress(b, a)
}

func (w *walled) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	if w.wall.between(w.side, a.Addr) {
		return nil, fmt.Errorf("no route to %s", a.Addr)
	}
	return w.NodeAwareTransport.DialAddressTimeout(a, timeout)
}

func withTimeout(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// within fails the test when do does not return in time.
func within(t *testing.T, what string, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { do(); close(done) }()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s takes too long", what)
	}
}
