package gossip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/memberlist"
)

// maxClusterName bounds the label: every packet carries it.
const maxClusterName = 64

// maxID bounds ID, which every message about this node carries.
const maxID = 64

// Config is what a Gossip is made of. Start from Default, fill in at least ID, Meta, BindAddr and ClusterName. It is
// copied by New and never changed afterwards.
type Config struct {
	// ID is this process' identity: unique for each start and never reused, so that a node that comes back is a new
	// member at once and need not wait for the old one to be forgotten.
	ID string
	// Meta is what the others see of this node. SetMeta changes all of it but Settings.
	Meta Meta
	// BindAddr is the host:port to listen on, TCP and UDP. An empty host means all addresses, port 0 any free port.
	BindAddr string
	// Advertise is the host or host:port that the others use to reach this node: an IP address, or a name that is resolved
	// once, at Start. Empty: the bound address, or, bound to all addresses, the one that the host's default route uses.
	Advertise string
	// ClusterName separates clusters: messages with another name are dropped. It is no secret and proves nothing.
	ClusterName string
	// Keys encrypt and authenticate all messages (AES-GCM; 16, 24 or 32 bytes each; see DeriveKey). The first encrypts, all
	// decrypt, so a key is changed in three steps, by SetKeys or restarts: [old new], [new old], [new]. Empty: no protection.
	Keys [][]byte
	// Seeds are the host:port of nodes to join through. A name may have many addresses; all are tried.
	Seeds []string
	// MoreSeeds, when set, is asked at each rejoin for further host:port, such as those of the live nodes in the store.
	MoreSeeds func(ctx context.Context) ([]string, error)
	// RejoinInterval is the mean time between two rounds of joining whoever of the seeds is not a member. Each wait is
	// spread by a fifth to both sides.
	RejoinInterval time.Duration
	// Logger gets state changes, and memberlist's own lines. Nil: nothing is logged.
	Logger *slog.Logger

	// ProbeInterval is how often one member is probed, ProbeTimeout how long its direct answer may take.
	ProbeInterval, ProbeTimeout time.Duration
	// SuspicionMult times ProbeInterval (more in clusters beyond ten nodes) is how long a silent member may defend itself
	// before it is taken for dead.
	SuspicionMult int
	// GossipInterval is how often pending news are sent to a few members.
	GossipInterval time.Duration
	// PushPullInterval is how often the whole state is exchanged with one member.
	PushPullInterval time.Duration
	// StreamTimeout bounds each TCP exchange, each name lookup and each call of MoreSeeds.
	StreamTimeout time.Duration
	// DeadTime is how long a dead member is remembered and still told that it is thought dead.
	DeadTime time.Duration
	// LeaveTimeout bounds the goodbye, beside the deadline of the context that Leave gets.
	LeaveTimeout time.Duration

	wrap   func(memberlist.NodeAwareTransport) memberlist.NodeAwareTransport // tests: cuts the network
	lookup func(ctx context.Context, host string) ([]netip.Addr, error)      // tests: resolves names
}

// Default returns the configuration for nodes on one local network. A silent node is suspected after about a second and
// given up about four seconds later.
func Default() Config {
	return Config{
		BindAddr:         ":7946",
		ClusterName:      "pinocchio",
		RejoinInterval:   12500 * time.Millisecond,
		ProbeInterval:    time.Second,
		ProbeTimeout:     500 * time.Millisecond,
		SuspicionMult:    4,
		GossipInterval:   200 * time.Millisecond,
		PushPullInterval: 30 * time.Second,
		StreamTimeout:    5 * time.Second,
		DeadTime:         30 * time.Second,
		LeaveTimeout:     3 * time.Second,
	}
}

// Validate names every fault of the configuration, or returns nil.
func (c Config) Validate() error {
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	if c.ID == "" || len(c.ID) > maxID {
		fault("gossip: ID must have 1 to %d bytes, not %d", maxID, len(c.ID))
	}
	if _, err := c.Meta.encode(); err != nil {
		fault("gossip: %w", err)
	}
	if _, _, err := splitHostPort(c.BindAddr, 0); err != nil {
		fault("gossip: bind address: %w", err)
	}
	if err := validAdvertise(c.Advertise); err != nil {
		fault("gossip: advertised address: %w", err)
	}
	if c.ClusterName == "" || len(c.ClusterName) > maxClusterName {
		fault("gossip: cluster name must have 1 to %d bytes, not %d", maxClusterName, len(c.ClusterName))
	}
	for i, key := range c.Keys {
		if err := memberlist.ValidateKey(key); err != nil {
			fault("gossip: key %d has %d bytes, not 16, 24 or 32", i+1, len(key))
		}
	}
	for _, seed := range c.Seeds {
		if host, _, err := splitHostPort(seed, 1); err != nil {
			fault("gossip: seed: %w", err)
		} else if host == "" {
			fault("gossip: seed: %q has no host", seed)
		}
	}
	if c.SuspicionMult < 1 {
		fault("gossip: suspicion multiplier must be at least 1, not %d", c.SuspicionMult)
	}
	if c.ProbeTimeout > c.ProbeInterval {
		fault("gossip: probe timeout %v is longer than the probe interval %v", c.ProbeTimeout, c.ProbeInterval)
	}
	return errors.Join(append(errs, c.validDurations()...)...)
}

// validDurations refuses what memberlist takes for "never", or turns into a busy loop.
func (c Config) validDurations() []error {
	var errs []error
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"rejoin interval", c.RejoinInterval},
		{"probe interval", c.ProbeInterval},
		{"probe timeout", c.ProbeTimeout},
		{"gossip interval", c.GossipInterval},
		{"push/pull interval", c.PushPullInterval},
		{"stream timeout", c.StreamTimeout},
		{"dead time", c.DeadTime},
		{"leave timeout", c.LeaveTimeout},
	} {
		if d.value < time.Millisecond {
			errs = append(errs, fmt.Errorf("gossip: %s must be at least 1ms, not %v", d.name, d.value))
		}
	}
	return errs
}

// validAdvertise checks an advertised host or host:port.
func validAdvertise(addr string) error {
	if addr == "" {
		return nil
	}
	host, _, err := splitAdvertise(addr)
	if err != nil {
		return err
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		return fmt.Errorf("%q is not an address that others can reach", addr)
	}
	return nil
}

// splitAdvertise splits host or host:port. Port 0 means none was given.
func splitAdvertise(addr string) (host string, port uint16, err error) {
	if _, err := netip.ParseAddr(addr); err == nil {
		return addr, 0, nil // an IPv6 address without brackets has colons too
	}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return addr, 0, nil
	}
	host, port, err = splitHostPort(addr, 1)
	if err == nil && host == "" {
		err = fmt.Errorf("%q has no host", addr)
	}
	return host, port, err
}

// splitHostPort splits host:port with a numeric port of at least low.
func splitHostPort(addr string, low uint16) (host string, port uint16, err error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, fmt.Errorf("%q is not host:port", addr)
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n < uint64(low) {
		return "", 0, fmt.Errorf("%q has no port from %d to 65535", addr, low)
	}
	return host, uint16(n), nil
}

// clone returns a copy that shares nothing with the caller's.
func (c Config) clone() Config {
	c.Seeds = slices.Clone(c.Seeds)
	c.Keys = slices.Clone(c.Keys)
	for i := range c.Keys {
		c.Keys[i] = slices.Clone(c.Keys[i])
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.lookup == nil {
		c.lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	return c
}
