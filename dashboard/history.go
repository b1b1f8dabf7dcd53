package dashboard

import (
	"github.com/go-json-experiment/json"

	"github.com/pinocchio-nose/pinocchio/node"
)

const maxPoints = 15 * 60 // of one node: 15 minutes

// event is what the page gets. Times are seconds.
type event struct {
	Full       bool            `json:"full"` // it holds all there is, not just what is new
	Cluster    string          `json:"cluster"`
	Node       string          `json:"node"` // the name of the node that tells
	Partitions int             `json:"partitions"`
	Unowned    int             `json:"unowned"`
	Owners     []int           `json:"owners"` // of each partition, an index of Members; -1: none
	Members    []member        `json:"members"`
	Nodes      []node.LiveNode `json:"nodes"` // that answered, with their new points
}

// member is one process of the cluster, as the telling node sees it.
type member struct {
	ID       string  `json:"id"`
	Name     string  `json:"name"`
	HTTP     string  `json:"http"`
	Alive    bool    `json:"alive"`
	Draining bool    `json:"draining"`
	Lease    float64 `json:"lease"` // by the store; negative since it ran out
	Owned    int     `json:"owned"` // partitions, by the store
	Wanted   int     `json:"wanted"`
}

// history is what was collected: the last event, and of each node its points.
type history struct {
	last   *event
	points map[string][]node.LivePoint // by ID, oldest first
}

// since returns the time of the last point of each node.
func (h *history) since() map[string]int64 {
	out := make(map[string]int64, len(h.points))
	for id, p := range h.points {
		if len(p) > 0 {
			out[id] = p[len(p)-1].Time
		}
	}
	return out
}

// take adds what a round brought, forgets processes that are no members any more, and returns the event for it.
func (h *history) take(s node.LiveStatus) *event {
	e := &event{
		Full: h.last == nil, Cluster: s.Cluster.Cluster, Node: s.Cluster.Node, Partitions: s.Cluster.Partitions,
		Unowned: s.Cluster.Unowned, Owners: make([]int, len(s.Owners)), Members: make([]member, 0, len(s.Cluster.Members)), Nodes: s.Nodes,
	}
	index := make(map[string]int, len(s.Cluster.Members))
	points := make(map[string][]node.LivePoint, len(s.Cluster.Members))
	for i, m := range s.Cluster.Members {
		index[m.ID] = i
		points[m.ID] = h.points[m.ID]
		e.Members = append(e.Members, member{
			ID: m.ID, Name: m.Name, HTTP: m.HTTPAddr, Alive: m.Alive, Draining: m.Draining,
			Lease: m.LeaseLeft.Seconds(), Owned: m.Owned, Wanted: m.Wanted,
		})
	}
	for i, owner := range s.Owners {
		e.Owners[i] = -1
		if m, known := index[owner]; known {
			e.Owners[i] = m
		}
	}
	for _, n := range s.Nodes {
		if _, known := index[n.ID]; known {
			points[n.ID] = bounded(points[n.ID], n.Points)
		}
	}
	h.points, h.last = points, e
	return e
}

// bounded returns the newest points of both, in memory of its own: others may still read the old.
func bounded(old, more []node.LivePoint) []node.LivePoint {
	all := append(append(make([]node.LivePoint, 0, len(old)+len(more)), old...), more...)
	return all[max(len(all)-maxPoints, 0):]
}

// full returns the event for somebody who comes later; nil: nothing was collected yet.
func (h *history) full() []byte {
	if h.last == nil {
		return nil
	}
	e := *h.last
	e.Full = true
	e.Nodes = nil
	told := make(map[string]bool, len(h.last.Nodes))
	for _, n := range h.last.Nodes {
		n.Points = h.points[n.ID]
		e.Nodes = append(e.Nodes, n)
		told[n.ID] = true
	}
	for _, m := range e.Members {
		if p := h.points[m.ID]; !told[m.ID] && len(p) > 0 {
			e.Nodes = append(e.Nodes, node.LiveNode{ID: m.ID, Name: m.Name, Points: p})
		}
	}
	body, err := json.Marshal(e)
	if err != nil {
		return nil
	}
	return body
}
