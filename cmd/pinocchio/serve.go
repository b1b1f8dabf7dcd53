package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// serveCmd runs one node.
type serveCmd struct {
	Name      string   `help:"Name of this node, stable across restarts. Default: the host's name." placeholder:"NAME"`
	HTTP      string   `name:"http" default:":3333" help:"host:port for clients."`
	Peer      string   `default:":3433" help:"host:port for the other nodes."`
	Gossip    string   `default:":7946" help:"host:port for gossip, TCP and UDP."`
	Advertise string   `help:"Host or IP under which others reach this node. Default: this host's first address." placeholder:"HOST"`
	Join      []string `sep:"," help:"Gossip address of a node to join (repeatable). With Postgres none is needed." placeholder:"HOST:PORT"`
	Store     string   `required:"" help:"postgres://user:password@host/database, or sqlite:PATH for a single host." placeholder:"URL"`
	Data      string   `default:"./data" help:"Folder of this node's log on disk; empty: none, and no durability disk." placeholder:"DIR"`
	protectFlags
	gateFlags
	settings
}

// Run serves until ctx is done.
func (c *serveCmd) Run(ctx context.Context, std streams) error {
	log := c.logger(std.err)
	name, err := c.name()
	if err != nil {
		return err
	}
	protect, err := c.load()
	if err != nil {
		return err
	}
	gate, err := c.gate(log)
	if err != nil {
		return err
	}
	tellMemoryLimit(log)
	store, err := c.open(ctx, c.Store, "pinocchio "+name, log)
	if err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	cfg := c.config(log)
	cfg.Name, cfg.Store = name, store
	cfg.DataDir = logFolder(c.Data, name)
	protect.apply(&cfg)
	gate.apply(&cfg)
	cfg.PeerListen, cfg.GossipAddr, cfg.Advertise, cfg.Join = c.Peer, c.Gossip, c.Advertise, c.Join
	m, err := newMember(cfg, c.HTTP, c.DrainDelay, protect.serve, gate.serve)
	if err != nil {
		return errors.Join(err, store.Close())
	}
	gate.warn(m.ln.Addr(), protect.public != nil, log)
	defer gate.watch()()
	defer protect.watch(m.node, log)()
	return errors.Join(m.run(ctx), store.Close())
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
