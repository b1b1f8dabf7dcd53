package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"time"

	"github.com/pinocchio-nose/pinocchio/dashboard"
	"github.com/pinocchio-nose/pinocchio/flush"
	"github.com/pinocchio-nose/pinocchio/httpapi"
	"github.com/pinocchio-nose/pinocchio/node"
	"github.com/pinocchio-nose/pinocchio/ring"
)

// settings are what all nodes of a cluster have in common, whether they run in one process or on many hosts.
type settings struct {
	ClusterName   string        `default:"pinocchio" help:"Name of the cluster; nodes with another one are strangers."`
	Partitions    uint32        `default:"271" help:"Count of partitions, fixed when the cluster is created."`
	FlushInterval time.Duration `default:"1s" help:"How long an increment may wait in memory before it goes to the store (at most 10s)."`
	Durability    string        `default:"disk" enum:"memory,disk,replica,database" help:"When an increment is answered, unless its request says: memory (its owner has it), disk (and this node's log), replica (and a second node), database."`
	LeaseTTL      time.Duration `name:"lease-ttl" default:"6s" help:"A node that is silent for so long loses its partitions."`
	OwnerTimeout  time.Duration `default:"2s" help:"How long an answer may wait for the owner of its key."`
	StoreTimeout  time.Duration `default:"5s" help:"How long an answer may wait for durability database."`
	MaxPending    int           `default:"2000000" help:"Operations a node may hold for the store; beyond it increments get 503."`
	MaxPendingMB  int           `name:"max-pending-mb" default:"512" help:"Memory in MiB that these operations may take."`
	KeepPersisted time.Duration `default:"10s" help:"For how long operations are kept although the store has them, to be sent again when the database comes back from an older state. 0: not at all."`
	KeepIDs       time.Duration `name:"keep-ids" default:"24h" help:"For how long the store remembers idempotency keys: a repeat within that time counts once. At least the lease, --owner-timeout and --store-timeout together; the same on all nodes."`
	Retention     time.Duration `default:"720h" help:"For how long the store remembers a process that vanished; its log is not taken after that."`
	MaxCounters   int           `default:"4000000" help:"Counters a node keeps in memory although the store has them."`
	DrainDelay    time.Duration `default:"1s" help:"How long a stopping node still serves, not ready, so that clients go elsewhere."`
	DrainTimeout  time.Duration `default:"15s" help:"How long a stopping node tries to flush."`
	LogFormat     string        `default:"text" enum:"text,json" help:"Log lines as text or json."`
	LogLevel      string        `default:"info" enum:"debug,info,warn,error" help:"Least level of log lines."`
}

// config returns the part of a node's configuration that the settings hold.
func (s *settings) config(log *slog.Logger) node.Config {
	c := node.DefaultConfig()
	c.Cluster = s.ClusterName
	c.Ring = s.ring()
	c.FlushInterval, c.LeaseTTL = s.FlushInterval, s.LeaseTTL
	c.OwnerTimeout, c.StoreTimeout, c.DrainTimeout = s.OwnerTimeout, s.StoreTimeout, s.DrainTimeout
	c.MaxPending, c.MaxCounters = s.MaxPending, s.MaxCounters
	c.MaxPendingBytes, c.KeepPersisted = s.MaxPendingMB<<20, s.KeepPersisted
	c.KeepIDs, c.Retention = s.KeepIDs, s.Retention
	c.Logger = log
	c.Durability = map[string]node.Durability{
		"memory": node.Memory, "disk": node.Disk, "replica": node.Replica, "database": node.Database,
	}[s.Durability]
	return c
}

// logFolder is where the node of that name keeps its log: nodes that share a data folder have one each.
func logFolder(data, name string) string {
	if data == "" {
		return ""
	}
	return filepath.Join(data, "node-"+url.PathEscape(name))
}

func (s *settings) ring() ring.Settings {
	r := ring.Default()
	r.Partitions = s.Partitions
	return r
}

// open opens the cluster's store, and makes or migrates it if need be.
func (s *settings) open(ctx context.Context, url, application string, log *slog.Logger) (flush.Store, error) {
	return s.openWith(ctx, url, flush.Options{Application: application, Logger: log})
}

// look opens the store of a cluster that must exist, to read from it.
func (s *settings) look(ctx context.Context, url, application string) (flush.Store, error) {
	return s.openWith(ctx, url, flush.Options{Application: application, Existing: true})
}

func (s *settings) openWith(ctx context.Context, url string, o flush.Options) (flush.Store, error) {
	r := s.ring()
	if err := r.Validate(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return flush.Open(ctx, url, flush.Settings{
		Cluster: s.ClusterName, Partitions: s.Partitions, Hash: ring.Hash, Ring: r.Version(),
	}, o)
}

func (s *settings) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(s.LogLevel)) // the enum has only good ones
	opt := &slog.HandlerOptions{Level: level}
	if s.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opt))
	}
	return slog.New(slog.NewTextHandler(w, opt))
}

// member is one node with its HTTP API.
type member struct {
	node  *node.Node
	api   *httpapi.Server
	ln    net.Listener
	delay time.Duration
	log   *slog.Logger
}

// listenForClients opens the listener for clients, so that a port in use is known at once.
func listenForClients(address string) (net.Listener, error) {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for clients on %s (choose another with --http): %w", address, err)
	}
	return ln, nil
}

// newMember makes a node and opens the listener for its clients.
func newMember(cfg node.Config, listen string, delay time.Duration, change ...func(*httpapi.Config)) (*member, error) {
	ln, err := listenForClients(listen)
	if err != nil {
		return nil, err
	}
	return newMemberOn(ln, cfg, delay, change...)
}

// newMemberOn makes a node for the clients of ln, which it owns. change adjusts the configuration of the API.
func newMemberOn(ln net.Listener, cfg node.Config, delay time.Duration, change ...func(*httpapi.Config)) (m *member, err error) {
	if cfg.HTTPAddr, err = node.Advertised(cfg.Advertise, ln.Addr().String()); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	n, err := node.New(cfg)
	if err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	hc := httpapi.DefaultConfig()
	hc.Durabilities = []node.Durability{node.Memory, node.Disk, node.Replica, node.Database}
	if cfg.DataDir == "" {
		hc.Durabilities = slices.DeleteFunc(hc.Durabilities, func(d node.Durability) bool { return d == node.Disk })
	}
	page := dashboard.New(n, cfg.Logger.With("node", cfg.Name))
	hc.Page, hc.ClosePage = page.Serve, page.Close
	if cfg.RateLimit.Enabled() {
		hc.Rate.Limiter = n
	}
	for _, c := range change {
		c(&hc)
	}
	api, err := httpapi.New(hc, n, cfg.Logger.With("node", cfg.Name))
	if err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return &member{node: n, api: api, ln: ln, delay: delay, log: cfg.Logger.With("node", cfg.Name)}, nil
}

// run serves until ctx is done, then stops in order: not ready, hand over while clients are still served, no more clients, no
// more increments, last flush, goodbye.
func (m *member) run(ctx context.Context) error {
	inner, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	served, counted := make(chan error, 1), make(chan error, 1)
	go func() { served <- m.api.Serve(m.ln) }()
	go func() { counted <- m.node.Run(inner) }()

	var err error
	select {
	case <-ctx.Done():
		m.drain()
	case err = <-served:
		err = fmt.Errorf("serve clients: %w", err)
		served <- nil
	case err = <-counted:
		counted <- nil
	}
	quit, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if cut := m.api.Shutdown(quit); cut != nil {
		m.log.Warn("clients were cut off", "error", cut)
	}
	stop()
	failed := <-served
	if errors.Is(failed, httpapi.ErrClosed) { // the node ended before the first Accept
		failed = nil
	}
	return errors.Join(err, <-counted, failed)
}

// drain sends clients elsewhere and partitions to the other nodes.
func (m *member) drain() {
	m.api.Drain()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	lame := time.NewTimer(m.delay)
	defer lame.Stop()
	m.node.Drain(ctx)
	<-lame.C
}
