package main

import (
	"cmp"
	"fmt"

	"github.com/pinocchio-nose/pinocchio/flush"
)

// tables are what the store says of each process.
type tables struct {
	ledger map[string]map[uint32]uint64 // number by process and partition
	nodes  map[string]flush.NodeState   // not closed
	closed map[string]string            // names of those that are closed and still have rows
	told   map[string]bool              // processes that answered
	heirs  map[string]string            // by past process: the node that resends its log
}

func newTables(rows flush.Adoption, values *flush.AuditReport) *tables {
	t := &tables{
		ledger: make(map[string]map[uint32]uint64), nodes: make(map[string]flush.NodeState),
		closed: make(map[string]string), told: make(map[string]bool), heirs: make(map[string]string),
	}
	for _, n := range rows.Nodes {
		t.nodes[n.ID.String()] = n
	}
	for i := range values.Origins {
		if o := &values.Origins[i]; o.Closed {
			t.closed[o.Origin.String()] = cmp.Or(o.Name, "unknown")
		}
	}
	for _, r := range rows.Ledger {
		id := r.Origin.String()
		if t.ledger[id] == nil {
			t.ledger[id] = make(map[uint32]uint64)
		}
		t.ledger[id][r.Partition] = r.Number
	}
	return t
}

// compare holds a process's answers against the ledger rows that were read between them.
func (t *tables) compare(before, after *told, cluster string) auditProcess {
	f := &after.figures
	p := auditProcess{Node: f.Node, ID: f.ID, State: "live", Told: true, Finding: addsUp, auditSums: auditSums{
		Increments: f.Increments, Accepted: f.Operations, Persisted: t.persisted(f.ID), Pending: f.Pending, Lost: f.Lost, Refused: f.Refused,
	}}
	if f.LostPast > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("of past processes %d operations are lost", f.LostPast))
	}
	for _, past := range f.Resending {
		t.heirs[past] = f.Node
	}
	_, known := t.nodes[f.ID]
	switch {
	case f.Cluster != cluster:
		return p.fault("it belongs to the cluster %q", f.Cluster)
	case !known:
		return p.fault("the store does not know this process: it has left, or has another store")
	case f.Operations > f.Increments:
		return p.fault("it numbered %d operations for %d increments", f.Operations, f.Increments)
	case before.err != nil || before.figures.ID != f.ID || len(before.figures.Partitions) != len(f.Partitions):
		p.Finding = moving
		return p
	}
	return t.comparePartitions(p, before, after)
}

// comparePartitions finds out whether the ledger has, of each partition, what the process knows to be persisted; at least what it
// knew before, at most what it had given numbers to afterwards.
func (t *tables) comparePartitions(p auditProcess, before, after *told) auditProcess {
	var missing, invented uint64
	for i := range after.figures.Partitions {
		from, to, has := before.figures.Partitions[i], after.figures.Partitions[i], t.ledger[p.ID][uint32(i)]
		switch {
		case has < from.Persisted:
			missing += from.Persisted - has
		case has > to.Given:
			invented += has - to.Given
		case from != to || has != to.Persisted:
			p.Finding = moving
		}
	}
	if invented > 0 {
		p = p.fault("the ledger has %d operations that it never made", invented)
	}
	if missing > p.Lost {
		p = p.fault("the ledger lacks %d operations that it once had, of which %d are known to be lost", missing, p.Lost)
	}
	return p
}

// fault notes why the figures do not add up.
func (p auditProcess) fault(format string, args ...any) auditProcess {
	p.Finding, p.Notes = doesNot, append(p.Notes, fmt.Sprintf(format, args...))
	return p
}

// persisted is how many operations of a process the counters contain.
func (t *tables) persisted(id string) (n uint64) {
	for _, number := range t.ledger[id] {
		n += number
	}
	return n
}

// others adds the processes that did not answer.
func (t *tables) others(a *audit) {
	ids := make(map[string]bool)
	for id := range t.nodes {
		ids[id] = true
	}
	for id := range t.ledger {
		ids[id] = true
	}
	for id := range ids {
		if !t.told[id] {
			a.add(t.unasked(id))
		}
	}
}

// unasked is a process of which only the tables tell.
func (t *tables) unasked(id string) auditProcess {
	p := auditProcess{ID: id, auditSums: auditSums{Persisted: t.persisted(id)}}
	n, open := t.nodes[id]
	switch {
	case open && n.LeaseLeft > 0:
		p.Node, p.State, p.Finding = n.Name, "live", notAsk
	case open:
		p.Node, p.State, p.Finding = n.Name, "vanished", unheard
		p.Notes = []string{"its lease ran out: unknown whether it had accepted more"}
		if heir := t.heirs[id]; heir != "" {
			p.Notes = append(p.Notes, heir+" resends its log")
		}
	default:
		p.Node, p.State, p.Finding = cmp.Or(t.closed[id], "unknown"), "closed", addsUp
	}
	return p
}
