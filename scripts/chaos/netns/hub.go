package netns

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/pinocchio-nose/pinocchio/scripts/internal/rig"
)

// Addresses of the hub: nodes reach Postgres at the one, clients come from the other.
const (
	Store   = "10.77.0.1"
	Clients = "10.77.0.2"
)

// Hub is the network of a run. Its methods are safe for concurrent use.
type Hub struct {
	tag    string // begins the names of namespaces
	places int

	mu   sync.Mutex
	cuts map[rig.Direction]int // how many faults cut it
}

// NewHub makes the namespaces of that many places. The program is inside (Isolate).
func NewHub(places int) (*Hub, error) {
	h := &Hub{tag: fmt.Sprintf("chaos%d", os.Getpid()), cuts: map[rig.Direction]int{}}
	if err := ip("addr add "+Store+"/32 dev lo", "addr add "+Clients+"/32 dev lo"); err != nil {
		return nil, err
	}
	for i := range places {
		h.places++
		if err := h.add(i); err != nil {
			return nil, errors.Join(err, h.Close())
		}
	}
	return h, nil
}

func (h *Hub) add(i int) error {
	in := "-n " + h.Space(i) + " "
	cable := fmt.Sprintf("node%d", i)
	return ip(
		"netns add "+h.Space(i),
		"link add "+cable+" type veth peer name hub netns "+h.Space(i),
		"addr add "+gateway(i)+"/30 dev "+cable,
		"link set "+cable+" up",
		in+"link set lo up",
		in+"addr add "+Host(i)+"/30 dev hub",
		in+"link set hub up",
		in+"route add default via "+gateway(i),
	)
}

// Space is the name of the namespace of place i.
func (h *Hub) Space(i int) string { return fmt.Sprintf("%s-%d", h.tag, i) }

// Host is the address of place i.
func Host(i int) string    { return fmt.Sprintf("10.77.%d.2", i+1) }
func gateway(i int) string { return fmt.Sprintf("10.77.%d.1", i+1) }

// Cut drops the packets of a direction, of open connections too, until as many calls of Heal.
func (h *Hub) Cut(d rig.Direction) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cuts[d]++
	if h.cuts[d] > 1 {
		return nil
	}
	return rig.Drop("", d)
}

// Heal takes one Cut back.
func (h *Hub) Heal(d rig.Direction) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cuts[d] == 0 {
		return fmt.Errorf("%v is not cut", d)
	}
	h.cuts[d]--
	if h.cuts[d] > 0 {
		return nil
	}
	return rig.Pass("", d)
}

// Close removes the namespaces. No process is in them any more.
func (h *Hub) Close() error {
	var errs []error
	for i := range h.places {
		errs = append(errs, ip("netns del "+h.Space(i)))
	}
	h.places = 0
	return errors.Join(errs...)
}

// ip runs "ip" once for each line. No argument holds a blank.
func ip(lines ...string) error {
	for i, line := range lines {
		lines[i] = "ip " + line
	}
	return rig.Run(lines...)
}
