package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"github.com/pinocchio-nose/pinocchio/internal/child"
	"github.com/pinocchio-nose/pinocchio/internal/pgtest"
	"github.com/pinocchio-nose/pinocchio/scripts/internal/rig"
)

// member is one node of the cluster under test.
type member struct {
	rig.Node
	proxy   *pgtest.Proxy // of Postgres, with plan.proxies
	process *child.Process
}

// running says whether the node has a live process, stopped or not.
func (m *member) running() bool { return m.process != nil && m.process.Running() }

// host is the address of all its ports.
func (m *member) host() string {
	host, _, _ := net.SplitHostPort(m.HTTP)
	return host
}

// launch starts the node's process. It may not be ready yet.
func (t *trial) launch(m *member) error {
	p, err := m.Start("")
	if err != nil {
		return err
	}
	m.process = p
	return nil
}

// newMember gives the node its addresses. It is not started.
func (t *trial) newMember(name string) (*member, error) {
	log := filepath.Join(t.folder, name+".log")
	m := &member{Node: rig.Node{
		Program: t.bin, Name: name, Store: t.pg.URL(database), Data: log + ".data", Log: log, Lease: t.opt.lease,
		Flags: t.plan.flags,
	}}
	host := "127.0.0.1"
	if t.network != nil {
		m.Space, host = t.network.place(len(t.members))
		m.Store = pgtest.URL(t.network.storeAddr(), database)
	}
	if t.plan.proxies {
		var err error
		if m.proxy, err = pgtest.LaunchProxy("127.0.0.1:0", t.pg.Addr()); err != nil {
			return nil, err
		}
		m.Store = pgtest.URL(m.proxy.Addr(), database)
	}
	for _, at := range []*string{&m.HTTP, &m.Peer, &m.Gossip} {
		port, err := t.freePort()
		if err != nil {
			return nil, err
		}
		*at = net.JoinHostPort(host, strconv.Itoa(port))
	}
	t.members = append(t.members, m)
	return m, nil
}

// Ports for nodes lie below those that the kernel gives to outgoing connections: one of these could take a port
// while its node is being restarted.
const (
	lowestPort  = 12_000
	highestPort = 32_000
)

// freePort returns a port that nobody uses, for TCP and UDP, and that it has not returned before.
func (t *trial) freePort() (int, error) {
	for range 1000 {
		port := lowestPort + rand.IntN(highestPort-lowestPort) // not the seed's: another campaign may have the same
		if t.ports[port] || !unused(port) {
			continue
		}
		if t.ports == nil {
			t.ports = map[int]bool{}
		}
		t.ports[port] = true
		return port, nil
	}
	return 0, fmt.Errorf("no free port between %d and %d", lowestPort, highestPort)
}

func unused(port int) bool {
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return false
	}
	defer func() { _ = l.Close() }()
	p, err := net.ListenPacket("udp", addr)
	if err != nil {
		return false
	}
	return p.Close() == nil
}

// pick returns one of the members that run, by the seed.
func (t *trial) pick() *member {
	live := t.live()
	return live[t.rng.IntN(len(live))]
}

// live returns the members that have a process.
func (t *trial) live() (live []*member) {
	for _, m := range t.members {
		if m.running() {
			live = append(live, m)
		}
	}
	return live
}

// others returns the live members without m.
func (t *trial) others(m *member) (others []*member) {
	for _, o := range t.live() {
		if o != m {
			others = append(others, o)
		}
	}
	return others
}

// exitLimit is longer than a node's drain, shutdown and last flush may take together.
const exitLimit = 45 * time.Second
