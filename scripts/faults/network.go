package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"

	"github.com/pinocchio-nose/pinocchio/internal/pgtest"
	"github.com/pinocchio-nose/pinocchio/scripts/internal/rig"
)

// network gives each node a network namespace of its own, with a cable to each other one and to the host, so that packets
// between two nodes can be dropped while both still reach Postgres and their clients. There is no bridge: what the host
// forwards or filters does not matter. All names carry this process' id; nothing of the host's own is touched.
type network struct {
	tag    string // begins the names of namespaces and of the host's ends of cables
	prefix string // of the addresses: "10.x.y."
	spaces int
	cuts   []cut
	store  *pgtest.Proxy // of Postgres, which listens on the host's loopback interface only
}

// newNetwork makes places for all nodes. It needs root, ip and nsenter.
func newNetwork(postgres string) (*network, error) {
	if err := rig.NeedNetwork("ip", "nsenter"); err != nil {
		return nil, fmt.Errorf("%w: %w", errNotHere, err)
	}
	n := &network{
		tag:    fmt.Sprintf("pf%d", os.Getpid()),
		prefix: fmt.Sprintf("10.%d.%d.", 200+rand.IntN(50), rand.IntN(250)),
	}
	for i := range nodesAtStart {
		if err := n.add(i); err != nil {
			return nil, errors.Join(fmt.Errorf("%w: %w", errNotHere, err), n.close())
		}
	}
	var err error
	if n.store, err = pgtest.LaunchProxy(n.host(hostsEnd)+":0", postgres); err != nil {
		return nil, errors.Join(err, n.close())
	}
	return n, nil
}

// hostsEnd is the host's number among the ends of cables; nodes count from 0.
const hostsEnd = -1

// add makes the namespace of node i, its address, and its cables to the host and to the nodes before it.
func (n *network) add(i int) error {
	space := n.space(i)
	if err := rig.Run("ip netns add " + space); err != nil {
		return err
	}
	n.spaces++
	commands := []string{
		"ip -n " + space + " link set lo up",
		"ip -n " + space + " addr add " + n.host(i) + "/32 dev lo",
		fmt.Sprintf("ip link add %s type veth peer name to%d netns %s", space, hostsEnd, space),
		fmt.Sprintf("ip addr add %s peer %s dev %s", n.host(hostsEnd), n.host(i), space),
		"ip link set " + space + " up",
		n.attach(i, hostsEnd),
		n.route(i, hostsEnd),
	}
	for j := range i {
		commands = append(commands,
			fmt.Sprintf("ip -n %s link add to%d type veth peer name to%d netns %s", space, j, i, n.space(j)),
			n.attach(i, j), n.attach(j, i), n.route(i, j), n.route(j, i))
	}
	if err := rig.Run(commands...); err != nil {
		return err
	}
	return rig.PrepareDrops(space)
}

// attach sets the end of a cable up, and route sends there what goes to its other end.
func (n *network) attach(at, to int) string {
	return fmt.Sprintf("ip -n %s link set to%d up", n.space(at), to)
}

func (n *network) route(at, to int) string {
	return fmt.Sprintf("ip -n %s route add %s dev to%d src %s", n.space(at), n.host(to), to, n.host(at))
}

func (n *network) space(i int) string { return fmt.Sprintf("%s-%d", n.tag, i) }
func (n *network) host(i int) string  { return fmt.Sprintf("%s%d", n.prefix, 10+i) }

// place returns the namespace and the address of node i.
func (n *network) place(i int) (space, host string) { return n.space(i), n.host(i) }

// storeAddr is where nodes reach Postgres.
func (n *network) storeAddr() string { return n.store.Addr() }

// cut is a way that packets take no more, where they would arrive.
type cut struct {
	space string
	way   rig.Direction
}

// cut drops all packets between one node and the others, in both directions and where they arrive: a sender is told nothing.
func (n *network) cut(one *member, others []*member) error {
	for _, o := range others {
		if err := errors.Join(n.drop(one, o), n.drop(o, one)); err != nil {
			return err
		}
	}
	return nil
}

func (n *network) drop(at, from *member) error {
	c := cut{space: at.Space, way: rig.Direction{From: from.host(), To: at.host()}}
	err := rig.Drop(c.space, c.way)
	if err == nil {
		n.cuts = append(n.cuts, c)
	}
	return err
}

// heal lets all packets pass again.
func (n *network) heal() error {
	var errs []error
	for _, c := range n.cuts {
		errs = append(errs, rig.Pass(c.space, c.way))
	}
	n.cuts = nil
	return errors.Join(errs...)
}

// close takes everything away. The nodes have ended.
func (n *network) close() error {
	if n.store != nil {
		n.store.Stop()
	}
	var errs []error
	for i := range n.spaces {
		errs = append(errs, rig.Run("ip netns del "+n.space(i))) // its ends of cables go with it, and with them the others
	}
	return errors.Join(errs...)
}
