package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pinocchio-nose/pinocchio/flush"
)

// devCmd runs a cluster in one process, to try things out.
type devCmd struct {
	Nodes int    `default:"3" help:"Count of nodes, 1 to 16."`
	HTTP  string `name:"http" default:"127.0.0.1:3333" help:"host:port of the first node; the others take the ports behind it."`
	Data  string `type:"path" default:"./data" help:"Folder of the embedded store and of the logs on disk."`
	Store string `help:"Use this store instead: postgres://… or sqlite:PATH." placeholder:"URL"`
	gateFlags
	settings
}

// Run serves until ctx is done.
func (c *devCmd) Run(ctx context.Context, std streams) error {
	if c.Nodes < 1 || c.Nodes > 16 {
		return fmt.Errorf("--nodes is %d, must be 1 to 16", c.Nodes)
	}
	log := c.logger(std.err)
	gate, err := c.gate(log)
	if err != nil {
		return err
	}
	address, err := c.url()
	if err != nil {
		return err
	}
	store, err := c.open(ctx, address, "pinocchio dev", log)
	if err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	members, err := c.members(store, gate, log)
	if err != nil {
		return errors.Join(err, store.Close())
	}
	gate.warn(members[0].ln.Addr(), false, log)
	defer gate.watch()()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	errs := make([]error, len(members))
	for i, m := range members {
		all.Go(func() {
			errs[i] = m.run(ctx)
			cancel() // one that cannot go on ends the others: there is one process
		})
	}
	all.Go(func() { c.greet(ctx, std, address, members) })
	all.Wait()
	return errors.Join(append(errs, store.Close())...)
}

func (c *devCmd) url() (string, error) {
	if c.Store != "" {
		return c.Store, nil
	}
	if err := os.MkdirAll(c.Data, 0o755); err != nil {
		return "", fmt.Errorf("make the data folder (choose another with --data): %w", err)
	}
	return "sqlite:" + filepath.Join(c.Data, "pinocchio.db"), nil
}

func (c *devCmd) members(store flush.Store, gate *gate, log *slog.Logger) (members []*member, err error) {
	defer func() {
		if err != nil {
			for _, m := range members {
				err = errors.Join(err, m.ln.Close())
			}
		}
	}()
	host, first, err := net.SplitHostPort(c.HTTP)
	if err != nil {
		return nil, fmt.Errorf("--http %q: %w", c.HTTP, err)
	}
	port, err := strconv.Atoi(first)
	if err != nil {
		return nil, fmt.Errorf("--http %q: the port must be a number", c.HTTP)
	}
	for i := range c.Nodes {
		cfg := c.config(log)
		cfg.Name, cfg.Store = fmt.Sprintf("dev%d", i+1), store
		cfg.DataDir = logFolder(c.Data, cfg.Name)
		cfg.PeerListen, cfg.GossipAddr = net.JoinHostPort(host, "0"), net.JoinHostPort(host, "0")
		listen := net.JoinHostPort(host, strconv.Itoa(port+i))
		if port == 0 {
			listen = net.JoinHostPort(host, "0")
		}
		gate.apply(&cfg)
		m, err := newMember(cfg, listen, c.DrainDelay, gate.serve)
		if err != nil {
			return members, err
		}
		members = append(members, m)
	}
	return members, nil
}

// greet says what to do, once everything is ready.
func (c *devCmd) greet(ctx context.Context, std streams, address string, members []*member) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for _, m := range members {
		for m.node.Ready() != nil {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}
	var at []string
	for _, m := range members {
		at = append(at, "http://"+m.ln.Addr().String())
	}
	_, _ = fmt.Fprintf(std.out, `
%d nodes are ready: %s
Totals are kept in %s. Try:

  curl -i -d '{"key": "page:1", "value": 3}' %s/api/v1/increment
  curl %s/api/v1/increment/page:1
  %s/dashboard in a browser

Stop with Ctrl-C.
`, len(at), strings.Join(at, "  "), redacted(address), at[0], at[len(at)-1], at[0])
}

// redacted hides the password of a URL, wherever it stands.
func redacted(store string) string {
	if path, ok := strings.CutPrefix(store, "sqlite:"); ok {
		return "sqlite:" + path
	}
	u, err := url.Parse(store)
	if err != nil {
		return "the store" // what cannot be read may hold a password anywhere
	}
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	q := u.Query()
	q.Del("password")
	q.Del("sslpassword")
	u.RawQuery = q.Encode()
	return u.String()
}
