package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pinocchio-nose/pinocchio/scripts/chaos/clock"
	"github.com/pinocchio-nose/pinocchio/scripts/chaos/history"
	"github.com/pinocchio-nose/pinocchio/scripts/chaos/netns"
	"github.com/pinocchio-nose/pinocchio/scripts/chaos/pgproxy"
)

// Ports of every node, in a namespace of its own.
const (
	httpPort   = "3333"
	peerPort   = "3433"
	gossipPort = "7946"
)

// member is a node: a name, a place in the network and a folder, which stay, and a process, which comes and goes.
type member struct {
	place int
	name  string
	space string // network namespace
	proxy *pgproxy.Proxy
	log   string // file, of all its processes
	data  string // folder of its journal, a file system of its own; "": this build has no journal
	args  []string
	clock *clock.Node
	bin   string

	life   sync.Mutex // held by who starts or ends its process
	gone   bool       // no more processes; guarded by life
	paused sync.Mutex // held by who has stopped its process
	now    atomic.Pointer[incarnation]
}

// incarnation is one process of a member.
type incarnation struct {
	*process
	id    history.Life
	ended atomic.Bool // somebody wants its end
	ready atomic.Bool // it was, once
}

func (m *member) http() string { return net.JoinHostPort(netns.Host(m.place), httpPort) }

// arguments are those of "pinocchio serve".
func (m *member) arguments(w *world) []string {
	host := netns.Host(m.place)
	args := []string{
		"serve", "--name", m.name, "--advertise", host, "--http", m.http(),
		"--peer", net.JoinHostPort(host, peerPort), "--gossip", net.JoinHostPort(host, gossipPort),
		"--store", "postgres://postgres@" + m.proxy.Addr() + "/" + database + "?sslmode=disable",
		"--secret-file", w.secret, "--lease-ttl", w.opt.lease.String(),
	}
	if m.data != "" {
		args = append(args, "--data", filepath.Join(m.data, "journal"))
	}
	return args
}

// launch starts a process. m.life is held.
func (m *member) launch() (*incarnation, error) {
	log, err := os.OpenFile(m.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the child has its own
	next := &incarnation{id: history.Life{Node: m.place, Nth: 1}}
	if last := m.now.Load(); last != nil {
		next.id.Nth = last.id.Nth + 1
	}
	_, _ = fmt.Fprintf(log, "--- process %v\n", next.id)
	// nsenter becomes the node: the process id is the same.
	cmd := exec.Command("nsenter", append([]string{"--net=/run/netns/" + m.space, m.bin}, m.args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), m.clock.Environment())
	if next.process, err = start(cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", m.name, err)
	}
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
	i.kill()
}

// stopLimit is longer than the longest pause, and a drain, shutdown and last flush after it, may take.
const stopLimit = 90 * time.Second

// stop asks the process to leave. It returns the exit status; an error when it had to be killed. m.life is held.
func (m *member) stop(i *incarnation) (status int, err error) {
	i.ended.Store(true)
	i.signal(syscall.SIGTERM)
	status, ok := i.exit(stopLimit)
	if !ok {
		i.kill()
		return -1, fmt.Errorf("%v did not end within %v of SIGTERM", i.id, stopLimit)
	}
	return status, nil
}
