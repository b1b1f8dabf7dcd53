package client_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/client"
	"github.com/pinocchio-nose/pinocchio/internal/pgtest"
)

// process is a real node in a process of its own.
type process struct {
	settings nodeSettings
	base     string // http://host:port, the same in each of its lives
	cmd      *exec.Cmd
	stdin    io.Closer
	log      bytes.Buffer // to be read when the process has ended
	gone     bool
}

// cluster is some such nodes on a real Postgres.
type cluster struct {
	t        *testing.T
	postgres *pgtest.Server
	database string
	nodes    []*process
}

// startCluster returns when n nodes know of each other and share the partitions. They end with the test.
func startCluster(t *testing.T, n int) *cluster {
	t.Helper()
	c := &cluster{t: t, postgres: pgtest.Start(t)}
	c.database = c.postgres.NewDatabase(t)
	name := "client-" + rand.Text()
	for k := range n {
		p := &process{settings: nodeSettings{
			Name: fmt.Sprintf("n%d", k+1), Cluster: name, Store: c.postgres.URL(c.database), Data: t.TempDir(),
			HTTP: "127.0.0.1:0", LeaseTTL: 2 * time.Second,
		}}
		p.start(t)
		t.Cleanup(func() { p.end(t) })
		c.nodes = append(c.nodes, p)
	}
	await(t, "all share the partitions", func() bool { return c.shared(n) })
	return c
}

// start begins a life of the process and waits until it is ready.
func (p *process) start(t *testing.T) {
	t.Helper()
	settings, err := json.Marshal(p.settings)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd, p.gone = exec.Command(self), false
	p.cmd.Env = append(os.Environ(), asNode+"="+string(settings), "GOCOVERDIR="+t.TempDir())
	p.cmd.Stderr = &p.log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		_ = p.cmd.Wait()
		p.gone = true
		t.Fatalf("%s does not start: %v\n%s", p.settings.Name, err, p.log.String())
	}
	p.base = strings.TrimSpace(line)
	p.settings.HTTP = strings.TrimPrefix(p.base, "http://")
}

// kill ends the process as kill -9 does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait() // it says that it was killed
	p.gone = true
}

// end lets the process leave in order.
func (p *process) end(t *testing.T) {
	if p.gone {
		return
	}
	p.gone = true
	_ = p.stdin.Close()
	err := p.cmd.Wait()
	if err != nil {
		t.Errorf("%s: %v", p.settings.Name, err)
	}
	if t.Failed() {
		t.Logf("%s:\n%s", p.settings.Name, p.log.String())
	}
}

// bases are the nodes' addresses.
func (c *cluster) bases() (list []string) {
	for _, p := range c.nodes {
		list = append(list, p.base)
	}
	return list
}

// at returns a client of one node alone.
func (c *cluster) at(p *process) *client.Client {
	c.t.Helper()
	cl, err := client.New(client.Options{Nodes: []string{p.base}})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(cl.Close)
	return cl
}

// shared says whether every node sees n members with a share each.
func (c *cluster) shared(n int) bool {
	for _, p := range c.nodes {
		seen, err := c.at(p).Cluster(c.t.Context())
		if err != nil || seen.Unowned > 0 || seen.Settling > 0 {
			return false
		}
		sharing := 0
		for _, m := range seen.Members {
			if m.Alive && m.Owned > 0 && m.Owned == m.Wanted {
				sharing++
			}
		}
		if sharing != n {
			return false
		}
	}
	return true
}

// await looks until it is so: nobody tells a client from outside when.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// exact waits until the table has the sum of these totals and no node holds what it does not have, and then wants each total
// at each node. What a killed node's log holds is sent again when the node is back, and is nobody's pending operation until then.
func (c *cluster) exact(want map[string]int64) {
	c.t.Helper()
	var sum int64
	for _, total := range want {
		sum += total
	}
	rows, all := "", fmt.Sprintf("%d|%d", len(want), sum)
	defer func() {
		if rows != all {
			c.t.Errorf("the table has %s (keys|sum), want %s", rows, all)
		}
	}()
	await(c.t, "everything is in the table", func() bool {
		for _, p := range c.nodes {
			if seen, err := c.at(p).Cluster(c.t.Context()); err != nil || seen.Pending > 0 {
				return false
			}
		}
		rows = c.postgres.Query(c.t, c.database, "select count(*), sum(value) from counters")
		return rows == all
	})
	for key, total := range want {
		for _, p := range c.nodes {
			got, err := c.at(p).Get(c.t.Context(), key)
			if err != nil || got.Value != total || got.Persisted == nil || *got.Persisted != total {
				c.t.Errorf("%s says %+v of %s (%v), want %d", p.settings.Name, got, key, err, total)
			}
		}
	}
}
