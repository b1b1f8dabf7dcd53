package sim

import (
	"maps"
	"slices"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// image returns a copy of everything in the store.
func (s *store) image() *store {
	c := &store{
		byID: make(map[counter.Origin]*process), owners: slices.Clone(s.owners),
		counters: maps.Clone(s.counters), ids: maps.Clone(s.ids), timeline: s.timeline,
	}
	for _, p := range s.processes {
		row := *p
		c.processes = append(c.processes, &row)
		c.byID[row.id] = &row
	}
	for _, rows := range s.ledger {
		c.ledger = append(c.ledger, maps.Clone(rows))
	}
	return c
}

func (s *store) clone() *store { return s.image() }

// restore puts the store back to an earlier state. Connections break: what is on its way never arrives.
func (s *store) restore(image *store) {
	timeline := s.timeline + 1
	*s = *image
	s.timeline = timeline
}

// afresh gives those of the partitions that still stand as given the next epoch, with the same owner.
func (s *store) afresh(take []ownership) (won []ownership) {
	for _, o := range take {
		if row := &s.owners[o.partition]; *row == o {
			row.epoch++
			won = append(won, *row)
		}
	}
	return won
}

// reclaimed is a partition to take over at an epoch above one that is known.
type reclaimed struct {
	ownership
	above uint64
}

// reclaim gives id those of the partitions that still stand as given, whoever has a lease.
func (s *store) reclaim(id counter.Origin, want []reclaimed, now ticks) (won []ownership) {
	if p := s.byID[id]; p == nil || p.closed || p.leaseUntil <= now {
		return nil
	}
	for _, r := range want {
		row := &s.owners[r.partition]
		if *row == r.ownership && r.above > row.epoch {
			row.owner, row.epoch = id, r.above+1
		}
		if row.owner == id && row.epoch == r.above+1 {
			won = append(won, *row)
		}
	}
	return won
}
