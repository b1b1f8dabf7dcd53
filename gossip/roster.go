package gossip

import (
	"cmp"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/hashicorp/memberlist"
)

// maxRefused bounds what is remembered about refused nodes (R10). A node that is started again and again with wrong
// settings is a new one each time.
const maxRefused = 256

// Member is a node that is there, this one included.
type Member struct {
	ID   string // Config.ID of that node
	Meta Meta
	Addr string // gossip host:port
}

// roster is this package's own list of members, kept by memberlist's callbacks. memberlist's list cannot be used: its
// Members returns pointers into state that it goes on writing.
//
// The callbacks run under memberlist's lock, one at a time. They take roster.mu, and nothing that holds roster.mu may
// call memberlist, or wait.
type roster struct {
	self     string
	settings string
	log      *slog.Logger
	changed  chan struct{} // holds one signal

	mu struct {
		sync.Mutex
		meta    []byte // this node's, encoded
		members map[string]Member
		refused map[string]struct{}
		total   uint64 // nodes refused
		ended   bool   // memberlist's last callbacks may come after its end
	}
}

func newRoster(c Config) *roster {
	r := &roster{self: c.ID, settings: c.Meta.Settings, log: c.Logger, changed: make(chan struct{}, 1)}
	r.mu.meta, _ = c.Meta.encode() // validated
	r.mu.members = make(map[string]Member)
	r.mu.refused = make(map[string]struct{})
	return r
}

// list returns the members, by ID.
func (r *roster) list() []Member {
	r.mu.Lock()
	members := make([]Member, 0, len(r.mu.members))
	for _, m := range r.mu.members {
		members = append(members, m)
	}
	r.mu.Unlock()
	slices.SortFunc(members, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	return members
}

func (r *roster) counts() (members int, refused uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.mu.members), r.mu.total
}

func (r *roster) setMeta(encoded []byte) {
	r.mu.Lock()
	r.mu.meta = encoded
	r.mu.Unlock()
}

// end empties the list for good: a closed Gossip knows nobody.
func (r *roster) end() {
	r.mu.Lock()
	r.mu.ended = true
	clear(r.mu.members)
	r.mu.Unlock()
	r.signal()
}

// signal never blocks: one pending signal stands for all changes since it was read.
func (r *roster) signal() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// NotifyJoin implements memberlist.EventDelegate.
func (r *roster) NotifyJoin(n *memberlist.Node) { r.put(n, "member joined") }

// NotifyUpdate implements memberlist.EventDelegate.
func (r *roster) NotifyUpdate(n *memberlist.Node) { r.put(n, "member changed") }

// NotifyLeave implements memberlist.EventDelegate.
func (r *roster) NotifyLeave(n *memberlist.Node) {
	r.mu.Lock()
	m, known := r.mu.members[n.Name]
	delete(r.mu.members, n.Name)
	r.mu.Unlock()
	if !known {
		return
	}
	r.signal()
	if n.Name != r.self {
		r.log.Info("member gone", "id", m.ID, "name", m.Meta.Name, "addr", m.Addr)
	}
}

func (r *roster) put(n *memberlist.Node, what string) {
	meta, err := decodeMeta(n.Meta)
	if err != nil {
		return // NotifyAlive let only readable metadata in
	}
	m := Member{ID: n.Name, Meta: meta, Addr: nodeAddr(n.Addr, n.Port)}
	r.mu.Lock()
	ended := r.mu.ended
	if !ended {
		r.mu.members[m.ID] = m
	}
	r.mu.Unlock()
	if ended {
		return
	}
	r.signal()
	if n.Name != r.self {
		r.log.Info(what, "id", m.ID, "name", meta.Name, "addr", m.Addr, "draining", meta.Draining)
	}
}

// NotifyAlive implements memberlist.AliveDelegate: an error keeps the node out. It is called for this node as well, and
// must accept it: memberlist has no state of a node that refused itself, and uses it all the same.
func (r *roster) NotifyAlive(n *memberlist.Node) error {
	if n.Name == r.self {
		return nil
	}
	return r.check(n)
}

// NotifyMerge implements memberlist.MergeDelegate: an error ends a join in which whole lists of members are exchanged. It
// is the one that a joining node's operator sees. A list with at least one fitting node passes: NotifyAlive
// will sort out the others.
func (r *roster) NotifyMerge(peers []*memberlist.Node) error {
	var refusal error
	for _, n := range peers {
		if n.Name == r.self || (n.State != memberlist.StateAlive && n.State != memberlist.StateSuspect) {
			continue
		}
		err := r.check(n)
		if err == nil {
			return nil
		}
		refusal = err
	}
	return refusal
}

// check refuses a node whose cluster settings differ (R11), and counts and logs it once.
func (r *roster) check(n *memberlist.Node) error {
	meta, err := decodeMeta(n.Meta)
	if err == nil && meta.Settings == r.settings {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("its cluster settings differ: ours %q, its %q", r.settings, meta.Settings)
	}

	r.mu.Lock()
	_, again := r.mu.refused[n.Name]
	if !again {
		if len(r.mu.refused) >= maxRefused {
			clear(r.mu.refused)
		}
		r.mu.refused[n.Name] = struct{}{}
		r.mu.total++
	}
	r.mu.Unlock()
	if !again {
		r.log.Warn("node refused", "id", n.Name, "name", meta.Name, "addr", nodeAddr(n.Addr, n.Port), "reason", err)
	}
	return fmt.Errorf("node %s refused: %w", n.Name, err)
}

// NodeMeta implements memberlist.Delegate.
func (r *roster) NodeMeta(int) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.meta
}

// NotifyMsg implements memberlist.Delegate; no user messages are sent.
func (r *roster) NotifyMsg([]byte) {}

// GetBroadcasts implements memberlist.Delegate; no user messages are sent.
func (r *roster) GetBroadcasts(int, int) [][]byte { return nil }

// LocalState implements memberlist.Delegate; no user state is exchanged.
func (r *roster) LocalState(bool) []byte { return nil }

// MergeRemoteState implements memberlist.Delegate; no user state is exchanged.
func (r *roster) MergeRemoteState([]byte, bool) {}

// nodeAddr returns host:port in the one form in which addresses are compared.
func nodeAddr(ip net.IP, port uint16) string {
	addr, _ := netip.AddrFromSlice(ip)
	return netip.AddrPortFrom(addr.Unmap(), port).String()
}
