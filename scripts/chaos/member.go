package main

import (
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pinocchio-nose/pinocchio/internal/child"
	"github.com/pinocchio-nose/pinocchio/scripts/chaos/clock"
	"github.com/pinocchio-nose/pinocchio/scripts/chaos/history"
	"github.com/pinocchio-nose/pinocchio/scripts/chaos/netns"
	"github.com/pinocchio-nose/pinocchio/scripts/chaos/pgproxy"
	"github.com/pinocchio-nose/pinocchio/scripts/internal/rig"
)

// Ports of every node, in a namespace of its own.
const (
	httpPort   = "3333"
	peerPort   = "3433"
	gossipPort = "7946"
)

// member is a node: a place in the network and a folder, which stay, and a process, which comes and goes.
type member struct {
	rig.Node
	place int
	proxy *pgproxy.Proxy
	disk  string // a file system of its own, with its journal; "": this build has no journal
	clock *clock.Node

	life   sync.Mutex // held by who starts or ends its process
	gone   bool       // no more processes; guarded by life
	paused sync.Mutex // held by who has stopped its process
	now    atomic.Pointer[incarnation]
}

// incarnation is one process of a member.
type incarnation struct {
	*child.Process
	id    history.Life
	ended atomic.Bool // somebody wants its end
	ready atomic.Bool // it was, once
}

// newMember gives the node of a place its addresses. It is not started.
func newMember(w *world, place int) *member {
	name, host := fmt.Sprintf("n%d", place+1), netns.Host(place)
	return &member{place: place, Node: rig.Node{
		Program: w.opt.bin, Name: name, Space: w.hub.Space(place), Lease: w.opt.lease, Secret: w.secret, Log: filepath.Join(w.folder, name+".log"),
		HTTP: net.JoinHostPort(host, httpPort), Peer: net.JoinHostPort(host, peerPort), Gossip: net.JoinHostPort(host, gossipPort),
	}}
}

// launch starts a process. m.life is held.
func (m *member) launch() (*incarnation, error) {
	next := &incarnation{id: history.Life{Node: m.place, Nth: 1}}
	if last := m.now.Load(); last != nil {
		next.id.Nth = last.id.Nth + 1
	}
	p, err := m.Start(fmt.Sprintf("--- process %v", next.id))
	if err != nil {
		return nil, err
	}
	next.Process = p
	m.now.Store(next)
	return next, nil
}

// running returns the process that runs and is meant to, or nil.
func (m *member) running() *incarnation {
	i := m.now.Load()
	if i == nil || i.ended.Load() {
		return nil
	}
	return i
}

// crash kills the process. m.life is held.
func (m *member) crash(i *incarnation) {
	i.ended.Store(true)
	i.Kill()
}

// stopLimit is longer than the longest pause, and a drain, shutdown and last flush after it, may take.
const stopLimit = 90 * time.Second

// stop asks the process to leave. It returns the exit status; an error when it had to be killed. m.life is held.
func (m *member) stop(i *incarnation) (status int, err error) {
	i.ended.Store(true)
	i.Signal(syscall.SIGTERM)
	status, ok := i.Exit(stopLimit)
	if !ok {
		i.Kill()
		return -1, fmt.Errorf("%v did not end within %v of SIGTERM", i.id, stopLimit)
	}
	return status, nil
}
