package node

import (
	"sort"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// AuditFigures is what this process has counted since it started, for a comparison with the tables. Of each partition the
// figures are of one moment; of two partitions they may be of two.
type AuditFigures struct {
	Cluster    string          `json:"cluster"`
	Node       string          `json:"node"`
	ID         string          `json:"id"`         // of the process: the origin of its operations
	Increments uint64          `json:"increments"` // accepted; several of one key may be one operation
	Operations uint64          `json:"operations"` // numbered: the sum of Given
	Pending    uint64          `json:"pending"`    // operations that the store is not known to have: Operations - the sum of Persisted
	Lost       uint64          `json:"lost"`       // operations that are known to be lost: the store lacks them, and nobody holds them any more
	LostPast   uint64          `json:"lost_past"`  // the same, of past processes
	Refused    uint64          `json:"refused"`    // increments answered as accepted that would have left the range of a counter
	Resending  []string        `json:"resending"`  // past processes whose log this one resends
	Partitions []AuditCounting `json:"partitions"`
}

// AuditCounting are the figures of one partition, whose number is its place. Operations have the numbers 1 to Given; the store is
// known to have 1 to Persisted.
type AuditCounting struct {
	Given     uint64 `json:"given"`
	Persisted uint64 `json:"persisted"`
}

// Audit returns this process's figures, without waiting for anybody.
func (n *Node) Audit() AuditFigures {
	lost, past := n.losses.count(n.id)
	f := AuditFigures{
		Cluster: n.cfg.Cluster, Node: n.cfg.Name, ID: n.ID(),
		Lost: lost, LostPast: past, Refused: n.count.unreported.Get(),
		Resending: []string{}, Partitions: make([]AuditCounting, 0, len(n.slots.all)),
	}
	n.slots.each(func(sl *slot, p *counter.Partition) {
		f.Increments += sl.accepted
		f.Operations += p.Last()
		f.Pending += p.Last() - p.Persisted()
		f.Partitions = append(f.Partitions, AuditCounting{Given: p.Last(), Persisted: p.Persisted()})
	})
	n.haunting.Range(func(origin, _ any) bool {
		f.Resending = append(f.Resending, origin.(counter.Origin).String())
		return true
	})
	sort.Strings(f.Resending)
	return f
}
