package gossip

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

func TestGossip_IsAClusterOfOneWhenNoSeedAnswers(t *testing.T) {
	c := quick("n1")
	c.Seeds = []string{"127.0.0.1:1"}
	g := start(t, c)
	<-g.Joined()
	waitMembers(t, g, "n1")
	if s := g.Stats(); s.Members != 1 || s.Joins != 0 || s.JoinFailures == 0 {
		t.Errorf("stats %+v: want one member, no join, a failure", s)
	}
}

func TestGossip_TellsEverybodyWhenANodeJoins(t *testing.T) {
	nodes := startCluster(t, 3, nil)
	for _, m := range nodes[2].Members() {
		i := slices.IndexFunc(nodes, func(g *Gossip) bool { return g.cfg.ID == m.ID })
		if i < 0 || m.Meta != nodes[i].cfg.Meta || m.Addr != nodes[i].LocalAddr() {
			t.Errorf("member %+v is not as its node told", m)
		}
	}
	<-nodes[2].Joined()
	if s := nodes[2].Stats(); s.Members != 3 || s.Joins == 0 {
		t.Errorf("stats %+v: want three members, at least one join", s)
	}
}

func TestGossip_JoinsASeedThatStartsLater(t *testing.T) {
	late := quick("late")
	first := start(t, late) // only to get a port that was free
	addr := first.LocalAddr()
	_ = first.Close()

	c := quick("early")
	c.Seeds = []string{addr}
	early := start(t, c)
	<-early.Joined()

	late = quick("late")
	late.BindAddr = addr
	start(t, late)
	waitMembers(t, early, "early", "late")
}

func TestGossip_FindsNodesThroughTheStoreWhenThereIsNoSeed(t *testing.T) {
	a := start(t, quick("a"))
	c := quick("b")
	var calls atomic.Int32
	c.MoreSeeds = func(context.Context) ([]string, error) {
		if calls.Add(1) <= 3 {
			return nil, errors.New("the store is down")
		}
		return []string{a.LocalAddr()}, nil
	}
	log := &recorder{}
	c.Logger = log.logger(slog.LevelInfo)
	b := start(t, c)
	waitMembers(t, a, "a", "b")
	waitMembers(t, b, "a", "b")
	if n := log.count("level=WARN", "the store is down"); n != 1 {
		t.Errorf("the failed lookup was logged %d times, not once:\n%s", n, log)
	}
}

func TestLeave_IsSeenByTheOthersBeforeTheyCouldProbe(t *testing.T) {
	nodes := startCluster(t, 3, func(_ int, c *Config) {
		c.ProbeInterval, c.ProbeTimeout = time.Minute, time.Second // nobody finds out by probing
	})
	if err := nodes[2].Leave(withTimeout(t, patience)); err != nil {
		t.Fatal(err)
	}
	waitMembers(t, nodes[0], "n1", "n2")
	waitMembers(t, nodes[1], "n1", "n2")
}

func TestClose_IsFoundOutByProbingWhenNobodySaidGoodbye(t *testing.T) {
	nodes := startCluster(t, 3, nil)
	begin := time.Now()
	_ = nodes[2].Close()
	if v := nodes[2].Members(); len(v) != 0 {
		t.Errorf("after its end it sees %v", v)
	}
	waitMembers(t, nodes[0], "n1", "n2")
	waitMembers(t, nodes[1], "n1", "n2")
	t.Logf("found out after %v with probes each %v", time.Since(begin).Round(time.Millisecond), nodes[0].cfg.ProbeInterval)
}

func TestGossip_TakesARestartedNodeAtOnceWhenItsOldSelfIsNotYetForgotten(t *testing.T) {
	nodes := startCluster(t, 2, func(_ int, c *Config) {
		c.DeadTime = time.Minute
		c.SuspicionMult = 600 // the crash stays unnoticed for a minute
	})
	addr := nodes[1].LocalAddr()
	_ = nodes[1].Close()

	c := quick("n2")
	c.BindAddr, c.Seeds = addr, []string{nodes[0].LocalAddr()}
	again := start(t, c)
	waitMembers(t, again, "n1", "n2", "n2")
	waitMembers(t, nodes[0], "n1", "n2", "n2") // the old one until it is found dead, the new one by its own ID
}

func TestSetMeta_ReachesTheOthers(t *testing.T) {
	nodes := startCluster(t, 3, nil)
	m := nodes[0].cfg.Meta
	m.Draining, m.HTTPAddr = true, "127.0.0.1:3"
	begin := time.Now()
	if err := nodes[0].SetMeta(m); err != nil {
		t.Fatal(err)
	}
	for _, g := range nodes {
		eventually(t, func() string { return "the new metadata" }, func() bool {
			return slices.ContainsFunc(g.Members(), func(v Member) bool { return v.ID == nodes[0].cfg.ID && v.Meta == m })
		})
	}
	t.Logf("seen by all after %v", time.Since(begin).Round(time.Millisecond))
}
