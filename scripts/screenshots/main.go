// Command screenshots writes pictures of the live page into docs/images. It starts a Postgres, three nodes from bin/pinocchio
// and a load, takes pictures during the load, after a kill and after a join, in light and dark, and stops everything.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/pinocchio-nose/pinocchio/internal/pgtest"
)

const (
	folder    = "docs/images"
	firstPort = 24333
	warmUp    = 62 * time.Second // of the chart, before the first picture
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	home, err := os.MkdirTemp("", "pinocchio-screenshots-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(home)
	pg, err := pgtest.Launch()
	if err != nil {
		return err
	}
	defer func() { _ = pg.Stop() }()
	c := &cluster{home: home, store: pg.URL("postgres"), nodes: make(map[string]*exec.Cmd)}
	defer c.stop()
	for i, name := range []string{"n1", "n2", "n3"} {
		if err := c.start(name, i); err != nil {
			return err
		}
	}
	at := make([]string, 4) // the last one joins later
	for i := range at {
		at[i] = fmt.Sprintf("http://127.0.0.1:%d", firstPort+i)
	}
	if err := awaitReady(ctx, at[0]); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var loads sync.WaitGroup
	defer loads.Wait()
	defer cancel()
	loads.Go(func() { load(ctx, at) })
	return pictures(ctx, c, at[0])
}

// cluster is the processes of the nodes.
type cluster struct {
	home, store string
	nodes       map[string]*exec.Cmd
}

func (c *cluster) start(name string, i int) error {
	address := func(base int) string { return fmt.Sprintf("127.0.0.1:%d", base+i) }
	cmd := exec.Command("bin/pinocchio", "serve", "--name", name, "--store", c.store, "--data", c.home,
		"--http", address(firstPort), "--peer", address(firstPort+100), "--gossip", address(firstPort+200), "--lease-ttl", "3s")
	out, err := os.Create(filepath.Join(c.home, name+".log"))
	if err != nil {
		return err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%w: make build makes the program", err)
	}
	c.nodes[name] = cmd
	return nil
}

func (c *cluster) kill(name string) {
	_ = c.nodes[name].Process.Kill()
	_ = c.nodes[name].Wait() // it was killed, and says so
	delete(c.nodes, name)
}

func (c *cluster) stop() {
	for name := range c.nodes {
		c.kill(name) // nothing of what they counted is wanted
	}
}

// browser returns the path of a Chromium.
func browser() (string, error) {
	names := []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("none of %s is in PATH: scripts/need chromium installs one, or says how", strings.Join(names, ", "))
}
