package gossip

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestGossip_AnswersBeforeItsStartAndAfterItsEnd(t *testing.T) {
	g, err := New(quick("n1"))
	if err != nil {
		t.Fatal(err)
	}
	check := func(when string) {
		if g.LocalAddr() == "" != (when == "before") || len(g.Members()) != 0 || g.Stats().Members != 0 {
			t.Errorf("%s: address %q, members %v", when, g.LocalAddr(), g.Members())
		}
	}
	check("before")
	m := g.cfg.Meta
	m.Draining = true
	if err := g.SetMeta(m); err != nil {
		t.Error(err)
	}
	if err := g.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v := g.Members(); len(v) != 1 || !v[0].Meta.Draining {
		t.Errorf("members %+v: metadata that was set before the start is missing", v)
	}
	if err := g.Start(t.Context()); err == nil {
		t.Error("started twice")
	}
	for range 2 {
		if err := g.Leave(t.Context()); err != nil {
			t.Error(err)
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
		check("after")
	}
	if err := g.SetMeta(m); !errors.Is(err, ErrNotRunning) {
		t.Errorf("got %v", err)
	}
	if err := g.Start(t.Context()); err == nil {
		t.Error("started again after the end")
	}
}

func TestGossip_CannotStartWhenItLeftBefore(t *testing.T) {
	for _, end := range []func(g *Gossip) error{
		func(g *Gossip) error { return g.Leave(context.Background()) },
		func(g *Gossip) error { return g.Close() },
	} {
		g, _ := New(quick("n1"))
		if err := end(g); err != nil {
			t.Error(err)
		}
		if err := g.Start(t.Context()); err == nil {
			t.Error("started after its end")
			_ = g.Close()
		}
	}
}

func TestLeave_IsBoundedWhenNothingCanBeSent(t *testing.T) {
	slow := func(_ int, c *Config) {
		c.GossipInterval = time.Hour
		c.ProbeInterval = time.Hour
		c.PushPullInterval = 100 * time.Millisecond
	}
	t.Run("by its own timeout", func(t *testing.T) {
		t.Parallel()
		nodes := startCluster(t, 2, func(i int, c *Config) { slow(i, c); c.LeaveTimeout = 50 * time.Millisecond })
		if err := nodes[0].Leave(context.Background()); err == nil {
			t.Error("it says that the goodbye was sent")
		}
	})
	t.Run("by the context's deadline", func(t *testing.T) {
		t.Parallel()
		nodes := startCluster(t, 2, func(i int, c *Config) { slow(i, c); c.LeaveTimeout = time.Hour })
		if err := nodes[0].Leave(withTimeout(t, 50*time.Millisecond)); err == nil {
			t.Error("it says that the goodbye was sent")
		}
	})
	t.Run("by a deadline that passes meanwhile", func(t *testing.T) {
		t.Parallel()
		nodes := startCluster(t, 2, func(i int, c *Config) { slow(i, c); c.LeaveTimeout = time.Hour })
		within(t, "leaving", func() { _ = nodes[0].Leave(passed{context.Background()}) })
	})
	t.Run("by a context that is over", func(t *testing.T) {
		t.Parallel()
		nodes := startCluster(t, 2, func(i int, c *Config) { slow(i, c); c.LeaveTimeout = time.Hour })
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := nodes[0].Leave(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if nodes[0].Stats().Members != 0 {
			t.Error("it goes on")
		}
	})
}

// passed is a context whose deadline is over while it does not know yet.
type passed struct{ context.Context }

func (passed) Deadline() (time.Time, bool) { return time.Now().Add(-time.Second), true }

// A seed that accepts and never answers would hold a join for the whole stream timeout.
func TestClose_AbortsAJoinThatWaitsForAnAnswer(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	asked := make(chan net.Conn, 1)
	go func() {
		if conn, err := silent.Accept(); err == nil {
			_, _ = conn.Read(make([]byte, 1)) // the join has sent its side
			asked <- conn
		}
	}()
	c := quick("n1")
	c.StreamTimeout = time.Hour
	c.Seeds = []string{silent.Addr().String()}
	g := start(t, c)
	defer (<-asked).Close()

	within(t, "closing", func() { _ = g.Close() })
}

func TestClose_ReturnsWhenWhatWasStartedHasEnded(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	c := quick("n1")
	c.MoreSeeds = func(ctx context.Context) ([]string, error) {
		close(asked)
		<-ctx.Done()
		<-answer
		return nil, ctx.Err()
	}
	g := start(t, c)
	<-asked
	ended := make(chan struct{})
	go func() { _ = g.Close(); close(ended) }()
	select {
	case <-ended:
		t.Error("the question to the store was still under way")
	case <-time.After(50 * time.Millisecond):
	}
	close(answer)
	<-ended
}

func TestGossip_IsSafeWhenUsedByManyAtOnceWhileItEnds(t *testing.T) {
	nodes := startCluster(t, 2, nil)
	g := nodes[0]
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for range 50 {
				m := g.cfg.Meta
				m.Draining = i%2 == 0
				_ = g.SetMeta(m)
				g.Members()
				nodes[1].Members()
				g.Stats()
				g.LocalAddr()
			}
		})
	}
	all.Go(func() { _ = g.Leave(withTimeout(t, patience)) })
	all.Go(func() { _ = g.Close() })
	all.Wait()
	if n := len(g.Members()); n != 0 {
		t.Errorf("%d members after the end", n)
	}
}

func TestChanged_HoldsOneSignalWhenNobodyReads(t *testing.T) {
	r := newRoster(quick("n1").clone())
	for range 3 {
		r.signal()
	}
	<-r.changed
	select {
	case <-r.changed:
		t.Error("a second signal")
	default:
	}
}

func TestSetMeta_RefusesWhatCannotBeSent(t *testing.T) {
	g := start(t, quick("n1"))
	m := g.cfg.Meta
	m.Name = strings.Repeat("x", 512)
	if err := g.SetMeta(m); err == nil {
		t.Error("too long, and memberlist panics on it")
	}
	m = g.cfg.Meta
	m.Settings = "other"
	if err := g.SetMeta(m); err == nil {
		t.Error("R11: other settings")
	}
	if v := g.Members(); v[0].Meta != g.cfg.Meta {
		t.Errorf("refused metadata was told: %+v", v)
	}
}

func TestStart_FailsAndLeavesNothingBehind(t *testing.T) {
	taken := start(t, quick("n1")).LocalAddr()
	none := func(context.Context, string) ([]netip.Addr, error) { return nil, nil }
	for name, change := range map[string]func(c *Config){
		"the port is taken":              func(c *Config) { c.BindAddr = taken },
		"the bind name is unknown":       func(c *Config) { c.BindAddr, c.lookup = "nowhere.invalid:0", none },
		"the advertised name is unknown": func(c *Config) { c.Advertise, c.lookup = "nowhere.invalid", none },
	} {
		t.Run(name, func(t *testing.T) {
			c := quick("n2")
			change(&c)
			g, err := New(c)
			if err != nil {
				t.Fatal(err)
			}
			if err := g.Start(t.Context()); err == nil {
				t.Error("it started")
			}
			if err := g.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
