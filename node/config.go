package node

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/pinocchio-nose/pinocchio/flush"
	"github.com/pinocchio-nose/pinocchio/gossip"
	"github.com/pinocchio-nose/pinocchio/internal/certs"
	"github.com/pinocchio-nose/pinocchio/internal/limit"
	"github.com/pinocchio-nose/pinocchio/ring"
)

// Config of a node. It is a value: never changed after New.
type Config struct {
	Name    string // of the node, stable across restarts
	Cluster string // name of the cluster
	Store   flush.Store
	Ring    ring.Settings

	HTTPAddr   string   // host:port that clients use, told to the other nodes
	PeerListen string   // host:port for batches of other nodes; port 0 picks one
	GossipAddr string   // host:port for gossip; port 0 picks one
	Advertise  string   // host or IP under which other nodes reach this one; empty: the host of PeerListen
	Join       []string // host:port of gossip seeds; with Postgres none is needed
	Secrets    [][]byte // the cluster's secret; the first one signs, all are accepted; none: no check. See SetSecrets

	PeerTLS      certs.Mutual    // certificates between nodes, in both directions; zero: connections are not encrypted
	Certificates []*certs.Source // those whose end the metrics tell

	Durability    Durability    // of increments that do not ask for one
	FlushInterval time.Duration // how long an increment may wait in memory before it is flushed, 10 ms - 10 s
	LeaseTTL      time.Duration // a node that is silent for so long loses its partitions, 1 s - 5 min
	OwnerTimeout  time.Duration // how long an answer may wait for the owner of its key
	StoreTimeout  time.Duration // how long an answer may wait for durability `database`
	DrainTimeout  time.Duration // how long a stopping node tries to hand over and flush
	StartTimeout  time.Duration // how long Run waits to register in a store that cannot be reached; 0: for ever

	RateLimit limit.Policy // how much each client may send, by this cluster as a whole; zero: no limit. All nodes have the same
	// MaxClients is how many clients' allowances this node remembers.
	MaxClients  int
	RateTimeout time.Duration // how long an increment waits for the node that decides about its client

	// DataDir is the folder of the log on disk, this node's own; empty: no log, and no durability `disk`.
	DataDir string
	// KeepPersisted is for how long operations are kept although the store has them: they are sent again when the
	// database comes back from a state that is older by less than that (R6). 0: not at all.
	KeepPersisted time.Duration

	// KeepIDs is how long the store remembers idempotency keys (R9).
	KeepIDs time.Duration

	MaxPending int // operations that this node holds for the store; beyond it increments are refused
	// MaxPendingBytes is what these operations may weigh in memory. Those that are kept although the store has them may take
	// half as much more; they go when they would take more, before their time.
	MaxPendingBytes int
	MaxCounters     int           // counters kept in memory although the store has them
	MaxIDs          int           // idempotency keys remembered in memory although the store has them
	Retention       time.Duration // how long the ledger remembers a process that vanished

	Logger *slog.Logger
}

// DefaultConfig returns the settings of a node that has a name and a store.
func DefaultConfig() Config {
	return Config{
		Cluster:       "pinocchio",
		Ring:          ring.Default(),
		PeerListen:    ":3433",
		GossipAddr:    ":7946",
		Durability:    Memory,
		FlushInterval: time.Second,
		LeaseTTL:      6 * time.Second,
		OwnerTimeout:  2 * time.Second,
		StoreTimeout:  5 * time.Second,
		DrainTimeout:  15 * time.Second,
		KeepPersisted: 10 * time.Second,
		KeepIDs:       24 * time.Hour,
		MaxIDs:        1_000_000,
		MaxPending:    2_000_000,
		MaxClients:    2_000_000,
		RateTimeout:   150 * time.Millisecond,

		MaxPendingBytes: 512 << 20,
		MaxCounters:     4_000_000,
		Retention:       30 * 24 * time.Hour,
		Logger:          slog.Default(),
	}
}

// maxCluster is the most bytes of a cluster's name that gossip takes.
const maxCluster = 64

// Validate names every fault at once.
func (c *Config) Validate() error {
	var errs []error
	bad := func(cond bool, format string, args ...any) {
		if cond {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	between := func(name string, d, lo, hi time.Duration) {
		bad(d < lo || d > hi, "%s is %v, must be between %v and %v", name, d, lo, hi)
	}
	bad(c.Name == "" || len(c.Name) > 100, "the node's name must have 1 to 100 bytes")
	bad(c.Cluster == "" || len(c.Cluster) > maxCluster, "the cluster's name must have 1 to %d bytes", maxCluster)
	bad(c.Store == nil, "a store is missing")
	bad(c.Logger == nil, "a logger is missing")
	bad(c.PeerListen == "", "the address for other nodes is missing")
	bad(c.GossipAddr == "", "the address for gossip is missing")
	between("the flush interval", c.FlushInterval, 10*time.Millisecond, 10*time.Second)
	between("the lease", c.LeaseTTL, time.Second, 5*time.Minute)
	between("the owner timeout", c.OwnerTimeout, 10*time.Millisecond, time.Minute)
	between("the store timeout", c.StoreTimeout, 10*time.Millisecond, time.Minute)
	between("the drain timeout", c.DrainTimeout, 100*time.Millisecond, time.Hour)
	bad(c.StartTimeout < 0, "the start timeout is %v, must be 0 (none) or more", c.StartTimeout)
	between("the retention", c.Retention, time.Hour, 10*365*24*time.Hour)
	bad(c.MaxPending < 1000, "max pending is %d, must be at least 1000", c.MaxPending)
	bad(c.MaxCounters < 1000, "max counters is %d, must be at least 1000", c.MaxCounters)
	bad(c.Durability < Memory || c.Durability > Database, "the durability must be memory, disk, replica or database")
	bad(c.Durability == Disk && c.DataDir == "", "durability disk needs a folder for the log: set --data")
	// Who got no answer tries again when a dead owner's lease has run out and its request has timed out: the key must be known then.
	between("the retention of idempotency keys", c.KeepIDs, c.LeaseTTL+c.OwnerTimeout+c.StoreTimeout, 365*24*time.Hour)
	bad(c.MaxIDs < 1000, "max ids is %d, must be at least 1000", c.MaxIDs)
	bad(c.MaxPendingBytes < 1<<20, "max pending bytes is %d, must be at least 1 MiB", c.MaxPendingBytes)
	bad(c.KeepPersisted != 0 && c.KeepPersisted < c.FlushInterval, "what is kept for a database that comes back from an older state must last for a flush interval, or be off (0)")
	bad(c.KeepPersisted > time.Hour, "what is kept for a database that comes back from an older state may last an hour at most")
	bad(c.RateLimit.Enabled() && c.MaxClients < 1000, "max clients is %d, must be at least 1000", c.MaxClients)
	between("the rate timeout", c.RateTimeout, 10*time.Millisecond, time.Minute)
	if err := c.RateLimit.Validate(); err != nil {
		errs = append(errs, err)
	}
	for i, s := range c.Secrets {
		// Unchecked, a short one would protect messages between nodes but not gossip (R13).
		_, err := gossip.DeriveKey(s)
		bad(err != nil, "secret %d: %w", i+1, err)
	}
	if err := c.Ring.Validate(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
