package node

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/flush"
	"github.com/pinocchio-nose/pinocchio/gossip"
	"github.com/pinocchio-nose/pinocchio/node/wire"
)

// Node is one member of a cluster. See the package comment.
type Node struct {
	cfg    Config
	id     counter.Origin
	log    *slog.Logger
	auth   *auth
	rarely rarely
	lease  *lease
	limits counter.Limits
	count  *instruments
	live   live
	rates  *rates // nil: there is no rate limit

	slots      *slots
	links      links
	loader     *loader
	flusher    *flush.Flusher
	scribe     *scribe // nil: there is no log on disk
	ghosts     []*ghost
	copier     *copier
	copies     *copies
	background context.Context // until this node has stopped
	stopScribe func()          // ends the writing goroutine; only with a scribe
	gossip     *gossip.Gossip
	peers      *fasthttp.Server
	peerLn     net.Listener
	self       flush.Node
	digest     uint64 // of the cluster's name, settings and store: nodes of another one are strangers

	accepting atomic.Bool
	draining  atomic.Bool
	storeOK   atomic.Bool
	oldest    atomic.Int64 // age of the oldest pending operation, nanoseconds
	world     atomic.Pointer[world]
	readiness atomic.Pointer[string] // why not ready; nil: not looked yet; "": ready
	handed    *handed                // partitions handed to this node
	afresh    *handed                // partitions to start again under a new epoch
	wanted    chan struct{}          // a round is wanted; capacity 1
	doomed    atomic.Bool            // something stands in fatal, or did
	suspect   atomic.Bool            // the store may have come back from an older state: look at all partitions
	fatal     chan error             // why this node cannot go on; capacity 1
	fenced    atomic.Int64           // partitions lost before their flush, since the last round
	closing   sync.WaitGroup         // links that end in the background
	haunting  sync.Map               // origins of ghosts that still resend
	losses    losses                 // operations that are known to be lost

	// Only the control loop uses these.
	expiredSince  map[counter.Origin]time.Time
	leaseSince    time.Time // this node has held its lease since, without a gap or a failed renewal; zero: it has not
	lastExpire    time.Time
	lastVerify    time.Time
	stood         stood
	toldRewind    time.Time
	forgotten     bool // the store came back from before this process registered: no owner can tell what it lost of it
	lastExpireIDs time.Time
}

// New returns a node that has started nothing yet, or every fault of the configuration.
func New(cfg Config) (*Node, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("make the node's id: %w", err)
	}
	n := &Node{
		cfg:    cfg,
		id:     id,
		log:    cfg.Logger.With("node", cfg.Name),
		lease:  newLease(cfg.LeaseTTL),
		limits: limits(cfg),
		count:  newInstruments(),
		slots:  newSlots(cfg.Ring.Partitions, id, holders(cfg), int64(cfg.MaxPendingBytes/2)),
		links:  links{byID: make(map[counter.Origin]*link)},
		handed: newHanded(),
		afresh: newHanded(),
		wanted: make(chan struct{}, 1),
		digest: digest(cfg),
		fatal:  make(chan error, 1),
		losses: losses{known: make(map[stream]span)},

		expiredSince: make(map[counter.Origin]time.Time),
	}
	if n.auth, err = newAuth(cfg.Secrets, cfg.PeerTLS, n.isMember); err != nil {
		return nil, err
	}
	n.rates = newRates(cfg, n.count.set)
	n.loader = newLoader(n)
	n.copier = newCopier(n)
	n.copies = newCopies(cfg.MaxPendingBytes)
	n.peers = n.peerServer()
	n.flusher = flush.NewFlusher(cfg.Store, id, source{n}, n.flusherOptions())
	return n, nil
}

// limits spreads the node's bounds over its partitions, with room for an uneven spread.
func limits(cfg Config) counter.Limits {
	share := func(total int) int { return max(1000, 4*total/int(cfg.Ring.Partitions)) }
	return counter.Limits{MaxDirty: share(cfg.MaxPending), MaxClean: share(cfg.MaxCounters), MaxIDs: share(cfg.MaxIDs)}
}

func digest(cfg Config) uint64 {
	return xxhash.Sum64String(cfg.Cluster + "\x00" + cfg.Ring.Version() + "\x00" + cfg.Store.ClusterID().String())
}

// header opens each message to another node.
func (n *Node) header() wire.Header {
	return wire.Header{Cluster: n.digest, Sender: n.id}
}

// ID returns this process' origin.
func (n *Node) ID() string { return n.id.String() }

// PeerAddr returns the address under which other nodes reach this one; valid once Run has listened.
func (n *Node) PeerAddr() string { return n.self.PeerAddr }

// Run joins the cluster, counts until ctx is done, and leaves: it refuses new increments, hands over, flushes, and goes.
// An error says why it could not start or go on, or that operations were lost at the end.
func (n *Node) Run(ctx context.Context) error {
	if err := n.listen(); err != nil {
		return err
	}
	if err := n.openLog(); err != nil {
		_ = n.peerLn.Close()
		return err
	}
	if err := n.join(ctx); err != nil {
		_ = n.peerLn.Close()
		n.closeLogs(true)
		return err
	}
	w := n.work()
	var err error
	select {
	case <-ctx.Done():
	case err = <-w.failed:
	case err = <-n.fatal:
	}
	if err != nil {
		n.log.Error("this node cannot go on", "error", err)
	}
	lost := n.leave(err != nil, w.stopRounds)
	if err == nil {
		err = lost
	}
	w.stop()
	n.end()
	w.all.Wait()
	n.scribe.end(false)
	return err
}

// workers are what runs in the background of a node that counts.
type workers struct {
	all        sync.WaitGroup
	failed     chan error // why one of them cannot go on
	stop       func()     // ends all but those that answer other nodes
	stopRounds func()     // ends the control loop alone, and waits for its end
}

// work starts everything that counting needs.
func (n *Node) work() *workers {
	bg, stop := context.WithCancel(context.Background())
	n.background = bg
	w := &workers{failed: make(chan error, 4+len(n.ghosts)), stop: stop}
	fails := func(what func() error) {
		w.all.Go(func() {
			if err := what(); err != nil {
				w.failed <- err
			}
		})
	}
	fails(func() error {
		if err := n.peers.Serve(n.peerLn); err != nil {
			return fmt.Errorf("serve other nodes: %w", err)
		}
		return nil
	})
	w.all.Go(func() { n.loader.run(bg) })
	w.all.Go(func() { n.copier.run(bg) })
	w.all.Go(func() { _ = n.flusher.Run(bg) })
	w.all.Go(func() { n.runLive(bg) })
	w.all.Go(func() { n.rates.run(bg) })
	if n.scribe != nil {
		log, stopLog := context.WithCancel(bg)
		logged := make(chan struct{})
		n.stopScribe = func() { stopLog(); <-logged }
		w.all.Go(func() { defer close(logged); n.scribe.run(log) })
	}
	rounds, stopRounds := context.WithCancel(bg)
	ended := make(chan struct{})
	w.stopRounds = func() { stopRounds(); <-ended }
	fails(func() error { defer close(ended); return n.control(rounds) })
	n.accepting.Store(true)
	for _, g := range n.ghosts {
		fails(func() error { return g.run(bg) })
	}
	return w
}

// closeLogs undoes openLog, for a process that never counted.
func (n *Node) closeLogs(unused bool) {
	n.scribe.end(unused)
	for _, g := range n.ghosts {
		if err := g.close(); err != nil {
			n.log.Warn("closing a past process's log", "error", err)
		}
	}
}

// holders are what keeps this node's operations besides its memory.
func holders(cfg Config) counter.Holders {
	return counter.Holders{Log: cfg.DataDir != "", Keep: cfg.KeepPersisted > 0}
}

// logCluster is the digest under which the log on disk knows its cluster.
func (n *Node) logCluster() uint64 { return n.digest }

// join makes this process known: in the store, then by gossip.
func (n *Node) join(ctx context.Context) error {
	if err := n.gossip.Start(ctx); err != nil {
		return fmt.Errorf("start gossip on %s (choose another with --gossip): %w", n.cfg.GossipAddr, err)
	}
	n.self.GossipAddr = n.gossip.LocalAddr()
	if err := n.register(ctx); err != nil {
		_ = n.gossip.Close()
		return err
	}
	n.log.Info("joined", "id", n.id, "http", n.self.HTTPAddr, "peer", n.self.PeerAddr, "gossip", n.self.GossipAddr)
	return nil
}
