package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/alecthomas/kong"

	"github.com/pinocchio-nose/pinocchio/flush"
	"github.com/pinocchio-nose/pinocchio/httpapi"
	"github.com/pinocchio-nose/pinocchio/node"
)

// serveCmd runs one node.
type serveCmd struct {
	Config    string   `type:"existingfile" help:"YAML file with settings, named as the flags are, such as \"flush-interval: 1s\". The environment comes before it, and flags before both." placeholder:"FILE"`
	Name      string   `help:"Name of this node, stable across restarts. Default: the host's name." placeholder:"NAME"`
	HTTP      string   `name:"http" default:":3333" help:"host:port for clients."`
	Peer      string   `default:":3433" help:"host:port for the other nodes."`
	Gossip    string   `default:":7946" help:"host:port for gossip, TCP and UDP."`
	Advertise string   `help:"Host or IP under which others reach this node. Default: the address of its route to others." placeholder:"HOST"`
	Join      []string `sep:"," help:"Gossip address of a node to join (repeatable). With Postgres none is needed." placeholder:"HOST:PORT"`
	Store     string   `required:"" help:"postgres://user:password@host/database, or sqlite:PATH for a single host." placeholder:"URL"`
	Data      string   `default:"./data" help:"Folder of this node's log on disk; empty: none, and no durability disk."`
	Pprof     string   `help:"host:port for Go's profiles (/debug/pprof/), without access control: a loopback address. Default: none." placeholder:"HOST:PORT"`
	// StartTimeout is for serve alone: in a development cluster somebody waits.
	StartTimeout time.Duration `default:"0s" help:"How long a start waits for a database that cannot be reached; then it fails. 0: for as long as it takes, alive and not ready."`
	protectFlags
	gateFlags
	settings
}

// Run serves until ctx is done.
func (c *serveCmd) Run(ctx context.Context, std streams, command *kong.Context) error {
	log := c.logger(std.err)
	warnOfVariables(os.Environ(), command.Model, log)
	cfg, protect, gate, err := c.prepare(log)
	if err != nil {
		return err
	}
	tellMemoryLimit(log)
	endProfiles, err := listenForProfiles(c.Pprof, log)
	if err != nil {
		return err
	}
	defer endProfiles()
	ln, err := listenForClients(c.HTTP)
	if err != nil {
		return err
	}
	gate.warn(ln.Addr(), protect.public != nil, log)
	defer gate.watch()()
	store, err := c.awaitStore(ctx, ln, &cfg, protect.serve, gate.serve)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	cfg.Store = store
	m, err := newMemberOn(ln, cfg, c.DrainDelay, protect.serve, gate.serve)
	if err != nil {
		return errors.Join(err, store.Close())
	}
	defer protect.watch(m.node, log)()
	return errors.Join(m.run(ctx), store.Close())
}

// awaitStore opens the store. Until it can be reached, clients at ln are told that this node is not ready.
func (c *serveCmd) awaitStore(ctx context.Context, ln net.Listener, cfg *node.Config, change ...func(*httpapi.Config)) (flush.Store, error) {
	log := cfg.Logger.With("node", cfg.Name)
	hc := httpapi.DefaultConfig()
	for _, adjust := range change {
		adjust(&hc)
	}
	stub := &notYet{cluster: cfg.Cluster, node: cfg.Name}
	server, err := httpapi.New(hc, stub, slog.New(slog.DiscardHandler)) // its comings and goings are no news
	if err != nil {
		return nil, err
	}
	o := opening{limit: c.StartTimeout, log: log, open: func(ctx context.Context) (flush.Store, error) {
		return c.open(ctx, c.Store, "pinocchio "+cfg.Name, cfg.Logger)
	}}
	return o.run(ctx, ln, server, stub)
}

// unopened stands for the store where only settings are judged. Nothing may be called on it.
type unopened struct{ flush.Store }

// prepare returns the node's configuration, without a store, and what protects it. The error names all that is wrong with the
// settings, as far as can be told without the database.
func (c *serveCmd) prepare(log *slog.Logger) (node.Config, protection, *gate, error) {
	name, noName := c.name()
	protect, noProtection := c.load()
	gate, noGate := c.gate(log)
	cfg := c.config(log)
	cfg.Name, cfg.DataDir = name, logFolder(c.Data, name)
	protect.apply(&cfg)
	gate.apply(&cfg)
	cfg.StartTimeout = c.StartTimeout
	cfg.PeerListen, cfg.GossipAddr, cfg.Advertise, cfg.Join = c.Peer, c.Gossip, c.Advertise, c.Join
	trial := cfg
	trial.Store = unopened{}
	return cfg, protect, gate, errors.Join(
		noName, noProtection, noGate, storeFault(c.Store), trial.Validate(),
		addressFault("http", c.HTTP), addressFault("peer", c.Peer), addressFault("gossip", c.Gossip), addressFault("join", c.Join...), optionalAddressFault("pprof", c.Pprof),
	)
}

// check implements checker.
func (c *serveCmd) check() error {
	_, _, _, err := c.prepare(slog.New(slog.DiscardHandler))
	return err
}

// storeFault says what is wrong with a store's URL at first sight. The text of the URL, which may hold a password, is no part of it.
func storeFault(store string) error {
	scheme, _, _ := strings.Cut(store, ":")
	if store != "" && !slices.Contains([]string{"postgres", "postgresql", "sqlite"}, scheme) {
		return errors.New("--store must begin with postgres://, postgresql:// or sqlite: and a path")
	}
	return nil // a missing one is told by the parser
}

func addressFault(flag string, addresses ...string) error {
	for _, a := range addresses {
		if _, _, err := net.SplitHostPort(a); err != nil {
			return fmt.Errorf("--%s must be host:port: %w", flag, err)
		}
	}
	return nil
}

func optionalAddressFault(flag, address string) error {
	if address == "" {
		return nil
	}
	return addressFault(flag, address)
}

// tellMemoryLimit tells the garbage collector a container's limit. Where there is none to be read, a node runs all the same: that is
// no error, as the library's own log lines would have it.
func tellMemoryLimit(log *slog.Logger) {
	limit, err := memlimit.Set()
	switch {
	case errors.Is(err, memlimit.ErrCgroupsNotSupported):
	case err != nil:
		log.Warn("this container's memory limit cannot be read: set GOMEMLIMIT if there is one", "error", err)
	case limit < math.MaxInt64:
		log.Info("memory limit for the garbage collector", "bytes", limit)
	}
}

func (c *serveCmd) name() (string, error) {
	if c.Name != "" {
		return c.Name, nil
	}
	name, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("this host has no name, set --name: %w", err)
	}
	return name, nil
}
