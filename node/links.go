package node

import (
	"sync"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/node/wire"
)

// links are this node's links, one to each other live process.
type links struct {
	mu   sync.RWMutex
	byID map[counter.Origin]*link
}

func (s *links) get(id counter.Origin) *link {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byID[id]
}

func (s *links) all() []*link {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]*link, 0, len(s.byID))
	for _, l := range s.byID {
		out = append(out, l)
	}
	return out
}

// update opens links to new peers and closes those to peers that are gone. peers maps each to its address.
func (s *links) update(n *Node, peers map[counter.Origin]string) {
	var gone []*link
	s.mu.Lock()
	for id, l := range s.byID {
		if _, ok := peers[id]; !ok {
			delete(s.byID, id)
			gone = append(gone, l)
		}
	}
	for id, addr := range peers {
		if s.byID[id] == nil {
			s.byID[id] = n.newLink(id, addr)
		}
	}
	s.mu.Unlock()
	for _, l := range gone {
		n.closing.Go(l.close) // a call to a peer that hangs ends by its own timeout
	}
}

// announce tells all peers who owns a partition.
func (s *links) announce(r wire.Route) {
	for _, l := range s.all() {
		l.lane(r.Partition).tellRoute(r)
	}
}
