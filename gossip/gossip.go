package gossip

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// ErrNotRunning is returned by what needs a Gossip between Start and Leave or Close.
var ErrNotRunning = errors.New("gossip is not running")

// atOnce makes memberlist's UpdateNode return without waiting for others to hear of it: it waits for ever when given 0.
const atOnce = time.Nanosecond

type state uint8

const (
	idle state = iota
	running
	closed
)

// Gossip is this node's part in the cluster's membership. Its methods may be called from any goroutine.
type Gossip struct {
	cfg    Config
	log    *slog.Logger
	roster *roster
	lines  *logWriter
	joined chan struct{} // closed after the first round of joins
	rejoin chan struct{} // a round is wanted before its time; capacity 1

	keyring *memberlist.Keyring // nil: nothing is encrypted

	joins, joinFailures atomic.Uint64

	// mu is held while memberlist is started, told new metadata, or ended. memberlist reads its own node without
	// a lock in the second, and panics when the second or a leave comes after the end.
	mu struct {
		sync.Mutex
		state  state
		addr   string                 // advertised
		list   *memberlist.Memberlist // set while running and after
		cancel context.CancelFunc     // ends the rejoiner
		done   chan struct{}          // closed when the rejoiner ended
	}
}

// Stats are counters since New, and gauges.
type Stats struct {
	Members      int    // alive, this node included
	Refused      uint64 // nodes kept out because their settings differ
	Rejected     uint64 // messages dropped for a foreign cluster name or key
	Joins        uint64 // seeds joined that were not members: at start, after a split, after a crash
	JoinFailures uint64 // seeds that could not be resolved, reached or joined
	Health       int    // 0: this node keeps up; higher: it answers late and is slower to suspect others
}

// New returns a Gossip that has started nothing yet, or all faults of the configuration.
func New(cfg Config) (*Gossip, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.clone()
	g := &Gossip{
		cfg:    cfg,
		log:    cfg.Logger,
		roster: newRoster(cfg),
		lines:  newLogWriter(cfg.Logger),
		joined: make(chan struct{}),
		rejoin: make(chan struct{}, 1),
	}
	if len(cfg.Keys) > 0 {
		g.keyring, _ = memberlist.NewKeyring(cfg.Keys, cfg.Keys[0]) // validated
	}
	return g, nil
}

// Start opens the listeners and starts to join the seeds, in the background: a node without any other is a cluster of
// one, and goes on trying. ctx bounds only the lookups of names that Start needs; Leave or Close ends what it started.
func (g *Gossip) Start(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mu.state != idle {
		return errors.New("gossip was started before")
	}
	host, port, _ := splitHostPort(g.cfg.BindAddr, 0) // validated
	host, err := g.bindHost(ctx, host)
	if err != nil {
		return err
	}
	logger := log.New(g.lines, "", 0)
	t, err := listen(host, port, logger)
	if err != nil {
		return fmt.Errorf("gossip: %w", err)
	}
	port = uint16(t.GetAutoBindPort())
	addr, err := g.advertised(ctx, host, port)
	if err != nil {
		_ = t.Shutdown()
		return err
	}

	conf := g.settings(logger)
	conf.BindPort = int(port)
	conf.AdvertiseAddr, conf.AdvertisePort = addr.Addr().String(), int(addr.Port())
	conf.Transport = t
	if g.cfg.wrap != nil {
		conf.Transport = g.cfg.wrap(t)
	}
	list, err := memberlist.Create(conf)
	if err != nil {
		_ = t.Shutdown()
		return fmt.Errorf("gossip: %w", err)
	}

	loop, cancel := context.WithCancel(context.Background())
	g.mu.list, g.mu.cancel, g.mu.done = list, cancel, make(chan struct{})
	g.mu.addr, g.mu.state = addr.String(), running
	r := &rejoiner{Gossip: g, list: list}
	go func() {
		defer close(g.mu.done)
		r.run(loop)
	}()
	g.log.Info("gossip started", "id", g.cfg.ID, "addr", g.mu.addr, "cluster", g.cfg.ClusterName, "encrypted", len(g.cfg.Keys) > 0)
	return nil
}

// settings returns memberlist's configuration. What this package relies on is written out, also where it equals
// the library's default.
func (g *Gossip) settings(logger *log.Logger) *memberlist.Config {
	c := memberlist.DefaultLANConfig()
	c.Name = g.cfg.ID
	c.Label = g.cfg.ClusterName
	c.SkipInboundLabelCheck = false
	c.Logger = logger
	c.Delegate, c.Events, c.Alive, c.Merge = g.roster, g.roster, g.roster, g.roster
	if g.keyring != nil {
		c.Keyring = g.keyring
		c.GossipVerifyIncoming, c.GossipVerifyOutgoing = true, true
	}
	c.TCPTimeout = g.cfg.StreamTimeout
	c.ProbeInterval, c.ProbeTimeout = g.cfg.ProbeInterval, g.cfg.ProbeTimeout
	c.SuspicionMult = g.cfg.SuspicionMult
	c.GossipInterval, c.PushPullInterval = g.cfg.GossipInterval, g.cfg.PushPullInterval
	c.GossipToTheDeadTime = g.cfg.DeadTime
	c.DeadNodeReclaimTime = g.cfg.DeadTime // IDs are unique: only a copied one could meet this
	c.EnableCompression = false            // the state of a cluster is small; less to decode for strangers
	c.DisableTcpPings = false
	c.UDPBufferSize = 1400
	c.HandoffQueueDepth = 1024
	return c
}

// LocalAddr returns the host:port that the others use to reach this node, "" before Start.
func (g *Gossip) LocalAddr() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.mu.addr
}

// Members returns a copy of the members, by ID: this node and all that are alive or only suspected. Who left or died is
// not among them. It is empty before Start and after the end.
func (g *Gossip) Members() []Member { return g.roster.list() }

// Changed signals that Members may differ from what it was at the last signal. Several changes may share one.
// There is one channel: it serves one reader.
func (g *Gossip) Changed() <-chan struct{} { return g.roster.changed }

// Joined is closed when every seed has been tried once, whatever came of it. Before that a node may think that it is alone.
func (g *Gossip) Joined() <-chan struct{} { return g.joined }

// Rejoin asks for a round of joins now, because somebody knows of nodes that are missing here. It returns at once. Rounds
// keep a distance of 0.1 s, however often it is called.
func (g *Gossip) Rejoin() {
	select {
	case g.rejoin <- struct{}{}:
	default:
	}
}

// SetMeta tells the others new metadata; it returns at once, and they hear of it within a few gossip intervals. Errors: it is
// too long, it has other Settings (they never change), or ErrNotRunning after the end. Before Start it only
// replaces what Start will tell.
func (g *Gossip) SetMeta(m Meta) error {
	encoded, err := m.encode()
	if err != nil {
		return fmt.Errorf("gossip: %w", err)
	}
	if m.Settings != g.cfg.Meta.Settings {
		return errors.New("gossip: the cluster's settings never change")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mu.state == closed {
		return ErrNotRunning
	}
	g.roster.setMeta(encoded)
	if g.mu.state == running {
		_ = g.mu.list.UpdateNode(atOnce) // its only error is that it did not wait
	}
	return nil
}

// Leave tells the others that this node goes, waits until that was sent, and ends as Close does. It takes at most
// until ctx's deadline and never longer than Config.LeaveTimeout. An error means that the others may have to find
// out by themselves; the Gossip is closed all the same. Without Start, or after the end, it does nothing.
func (g *Gossip) Leave(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mu.state != running {
		g.mu.state = closed
		return nil
	}
	g.mu.cancel() // a leaver joins nobody

	err := ctx.Err()
	if err == nil {
		timeout := g.cfg.LeaveTimeout
		if deadline, ok := ctx.Deadline(); ok {
			timeout = min(timeout, time.Until(deadline))
		}
		err = g.mu.list.Leave(max(timeout, atOnce)) // 0 would wait for ever
	}
	if err != nil {
		err = fmt.Errorf("gossip: leaving: %w", err)
	}
	g.end()
	return err
}

// Close ends everything that Start started, without a word to the others. It may be called at any time, and more than
// once. memberlist's last probe may outlive it by as much as ProbeInterval times eight; it touches nothing any more.
func (g *Gossip) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mu.state == running {
		g.end()
	}
	g.mu.state = closed
	return nil
}

// end closes the network first, which aborts joins under way, then waits for the rejoiner. g.mu is held.
func (g *Gossip) end() {
	g.lines.quiet.Store(true)
	g.mu.cancel()
	_ = g.mu.list.Shutdown() // its transport returns no error, and it logs one
	<-g.mu.done
	g.mu.state = closed
	g.roster.end()
	g.log.Info("gossip ended", "id", g.cfg.ID)
}

// Stats returns the counters as they are now.
func (g *Gossip) Stats() Stats {
	s := Stats{
		Rejected:     g.lines.rejected.Load(),
		Joins:        g.joins.Load(),
		JoinFailures: g.joinFailures.Load(),
	}
	s.Members, s.Refused = g.roster.counts()
	g.mu.Lock()
	list := g.mu.list
	g.mu.Unlock()
	if list != nil {
		s.Health = list.GetHealthScore()
	}
	return s
}
