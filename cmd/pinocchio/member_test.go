package main

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/alecthomas/kong"

	"github.com/pinocchio-nose/pinocchio/flush"
	"github.com/pinocchio-nose/pinocchio/node"
)

// parsed returns the settings of a command line of dev.
func parsed(t *testing.T, args ...string) *devCmd {
	t.Helper()
	var c commands
	parser, err := kong.New(&c, kong.DefaultEnvars("PINOCCHIO"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(append([]string{"dev"}, args...)); err != nil {
		t.Fatal(err)
	}
	return &c.Dev
}

func TestSettings_BecomeTheNodesConfiguration(t *testing.T) {
	c := parsed(
		t, "--cluster-name", "c", "--partitions", "17", "--flush-interval", "2s", "--durability", "database", "--lease-ttl", "7s",
		"--owner-timeout", "3s", "--store-timeout", "4s", "--drain-timeout", "9s", "--max-pending", "5000", "--max-counters", "6000")
	got := c.config(c.logger(&buffer{}))
	want := node.DefaultConfig()
	want.Cluster, want.Ring.Partitions, want.FlushInterval, want.Durability = "c", 17, 2*time.Second, node.Database
	want.LeaseTTL, want.OwnerTimeout, want.StoreTimeout, want.DrainTimeout = 7*time.Second, 3*time.Second, 4*time.Second, 9*time.Second
	want.MaxPending, want.MaxCounters, want.Logger = 5000, 6000, got.Logger
	if !equalConfigs(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	defaults := parsed(t)
	got, want = defaults.config(got.Logger), node.DefaultConfig()
	want.Logger, want.Durability = got.Logger, node.Disk // the commands have a folder for the log, a bare node has not
	if !equalConfigs(got, want) {
		t.Errorf("the flags' defaults are not the node's: %+v, want %+v", got, want)
	}
}

// equalConfigs compares what the settings fill in.
func equalConfigs(a, b node.Config) bool {
	return a.Cluster == b.Cluster && a.Ring == b.Ring && a.FlushInterval == b.FlushInterval && a.Durability == b.Durability &&
		a.LeaseTTL == b.LeaseTTL && a.OwnerTimeout == b.OwnerTimeout && a.StoreTimeout == b.StoreTimeout &&
		a.DrainTimeout == b.DrainTimeout && a.MaxPending == b.MaxPending && a.MaxCounters == b.MaxCounters && a.Logger == b.Logger &&
		a.MaxPendingBytes == b.MaxPendingBytes && a.KeepPersisted == b.KeepPersisted
}

func TestLogger_WritesInTheFormatAndFromTheLevelThatWereAsked(t *testing.T) {
	for args, want := range map[string]string{
		"":                                   "level=INFO msg=info",
		"--log-format json":                  `"level":"INFO","msg":"info"`,
		"--log-level debug":                  "level=DEBUG msg=debug",
		"--log-level error":                  "",
		"--log-level warn --log-format json": "",
	} {
		var b buffer
		log := parsed(t, strings.Fields(args)...).logger(&b)
		log.Debug("debug")
		log.Info("info")
		if got := b.String(); !strings.Contains(got, want) || (want == "" && got != "") {
			t.Errorf("%q: %q", args, got)
		}
	}
}

// newTestMember makes a member over an embedded store, which is closed when the test ends.
func newTestMember(t *testing.T) *member {
	t.Helper()
	c := parsed(t, "--data", t.TempDir(), "--lease-ttl", "1s")
	log := c.logger(&buffer{})
	url, err := c.url()
	if err != nil {
		t.Fatal(err)
	}
	store, err := c.open(t.Context(), url, "test", log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	cfg := c.config(log)
	cfg.Name, cfg.Store, cfg.PeerListen, cfg.GossipAddr = "n1", store, "127.0.0.1:0", "127.0.0.1:0"
	cfg.DataDir = t.TempDir()
	m, err := newMember(cfg, "127.0.0.1:0", 0)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMember_ReleasesItsPortWhenItCannotBeMade(t *testing.T) {
	c := parsed(t)
	cfg := c.config(c.logger(&buffer{}))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if _, err := newMember(cfg, addr, 0); err == nil || !strings.Contains(err.Error(), "choose another with --http") {
		t.Errorf("on a port in use: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := newMember(cfg, addr, 0); err == nil || !strings.Contains(err.Error(), "a store is missing") {
		t.Errorf("without name and store: %v", err)
	}
	if l, err = net.Listen("tcp", addr); err != nil {
		t.Errorf("the port is not released: %v", err)
	} else {
		_ = l.Close()
	}
}

func TestMember_EndsWithAnErrorWhenItCannotServeClients(t *testing.T) {
	m := newTestMember(t)
	_ = m.ln.Close()
	if err := m.run(context.Background()); err == nil || !strings.Contains(err.Error(), "serve clients") {
		t.Errorf("it ended with: %v", err)
	}
}

// noStore is a store that nobody gets to.
type noStore struct{ flush.Store }

func TestMember_EndsWithAnErrorWhenItsNodeCannotStart(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = busy.Close() }()
	c := parsed(t)
	cfg := c.config(c.logger(&buffer{}))
	cfg.Name, cfg.Store, cfg.PeerListen, cfg.GossipAddr = "n1", noStore{}, busy.Addr().String(), "127.0.0.1:0"
	cfg.DataDir = t.TempDir()
	m, err := newMember(cfg, "127.0.0.1:0", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.run(context.Background()); err == nil || !strings.Contains(err.Error(), "listen for other nodes on") {
		t.Errorf("it ended with: %v", err)
	}
}

// ClusterID is asked for before anything is opened.
func (noStore) ClusterID() uuid.UUID { return uuid.UUID{1} }
