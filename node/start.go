package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/pinocchio-nose/pinocchio/flush"
	"github.com/pinocchio-nose/pinocchio/gossip"
)

// listen opens the listener for other nodes and prepares gossip.
func (n *Node) listen() error {
	ln, err := net.Listen("tcp", n.cfg.PeerListen)
	if err != nil {
		return fmt.Errorf("listen for other nodes on %s (choose another with --peer): %w", n.cfg.PeerListen, err)
	}
	addr, err := Advertised(n.cfg.Advertise, ln.Addr().String())
	if err != nil {
		_ = ln.Close()
		return err
	}
	n.peerLn = n.secured(ln)
	n.self = flush.Node{ID: n.id, Name: n.cfg.Name, HTTPAddr: n.cfg.HTTPAddr, PeerAddr: addr}
	n.gossip, err = n.auth.join(n.gossipConfig())
	if err != nil {
		_ = ln.Close()
		return fmt.Errorf("gossip: %w", err)
	}
	return nil
}

// Advertised joins the host that others shall use with the port that was bound: host, or else the host that was bound, or else,
// when that is all addresses, this host's own.
func Advertised(host, bound string) (string, error) {
	boundHost, port, err := net.SplitHostPort(bound)
	if err != nil {
		return "", fmt.Errorf("address %q: %w", bound, err)
	}
	host = cmp.Or(host, boundHost)
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = gossip.OwnAddress().String()
	}
	return net.JoinHostPort(host, port), nil
}

func (n *Node) gossipConfig() gossip.Config {
	c := gossip.Default()
	c.ID = n.id.String()
	c.Meta = n.meta()
	c.BindAddr = n.cfg.GossipAddr
	c.Advertise = n.cfg.Advertise
	c.ClusterName = n.cfg.Cluster
	c.Seeds = n.cfg.Join
	c.MoreSeeds = n.registeredSeeds
	c.Logger = n.log
	c.LeaveTimeout = time.Second
	// A dead node should be known as dead before its lease runs out, so that its partitions can be taken at that moment.
	c.ProbeInterval = min(c.ProbeInterval, n.cfg.LeaseTTL/12)
	c.ProbeTimeout = min(c.ProbeTimeout, n.cfg.LeaseTTL/20)
	return c
}

func (n *Node) meta() gossip.Meta {
	return gossip.Meta{
		Name: n.cfg.Name, HTTPAddr: n.self.HTTPAddr, PeerAddr: n.self.PeerAddr,
		Settings: n.cfg.Ring.Version(), Draining: n.draining.Load(),
	}
}

// registeredSeeds are the gossip addresses of the live processes in the store: with them a new node needs no seed, and a split
// heals however long it lasted.
func (n *Node) registeredSeeds(ctx context.Context) ([]string, error) {
	view, err := n.cfg.Store.View(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, s := range view.Nodes {
		if s.ID != n.id && s.LeaseLeft > 0 && s.GossipAddr != "" {
			out = append(out, s.GossipAddr)
		}
	}
	return out, nil
}

// register writes this process into the store. A process of the same name that was killed still holds its lease: its end is
// waited for. If it goes on renewing, it is alive, and this node must not start. A store that cannot be reached is waited for.
func (n *Node) register(ctx context.Context) error {
	began := time.Now()
	patience := n.cfg.LeaseTTL + n.cfg.LeaseTTL/2
	limit := began.Add(patience)
	for told := false; ; {
		try, cancel := context.WithTimeout(ctx, n.cfg.LeaseTTL)
		err := n.cfg.Store.Register(try, n.self, n.cfg.LeaseTTL)
		cancel()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, flush.ErrNameTaken) && time.Now().Before(limit):
			if !told {
				n.log.Info("waiting for the lease of the last process with this name to end")
				told = true
			}
		case errors.Is(err, flush.ErrNameTaken):
			return fmt.Errorf("a live node is named %q already: give this one another --name", n.cfg.Name)
		case flush.Unreachable(err) && (n.cfg.StartTimeout == 0 || time.Since(began) < n.cfg.StartTimeout):
			n.seldom("waiting for the database, to register in it", "error", err)
			limit = time.Now().Add(patience) // nobody's lease could be renewed meanwhile, and the store has to see that
			sleep(ctx, 400*time.Millisecond)
		default:
			return fmt.Errorf("register in the store: %w", err)
		}
		sleep(ctx, 100*time.Millisecond)
	}
}
