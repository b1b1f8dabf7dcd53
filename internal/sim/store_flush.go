package sim

import (
	"slices"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// statement is one flush: whole batches of different partitions, all of them or none.
type statement struct {
	node    counter.Origin
	batches []*pendingBatch
}

// mismatch is a ledger row that does not stand where a move begins.
type mismatch struct {
	origin counter.Origin
	number uint64
}

// result says that the statement was applied, or what stands in the store where it did not match.
type result struct {
	applied bool
	values  [][]counter.Value    // of each batch, without what was set aside
	owners  map[uint32]ownership // of partitions that are not the node's at the batch's epoch
	ledger  map[uint32][]mismatch
	refused []string // keys whose deltas the database can never take; nothing was written
}

// flush applies the statement, or writes nothing.
func (s *store) flush(st statement) result {
	r := result{owners: make(map[uint32]ownership), ledger: make(map[uint32][]mismatch)}
	for _, b := range st.batches {
		s.match(st.node, &b.Batch, &r)
	}
	if len(r.owners)+len(r.ledger) > 0 {
		return r
	}
	for _, b := range st.batches {
		for _, d := range b.Deltas {
			if !slices.Contains(b.aside, d.Key) && overflows(s.counters[d.Key], d.Delta) {
				r.refused = append(r.refused, d.Key)
			}
		}
	}
	if r.refused != nil {
		return r
	}
	for _, b := range st.batches {
		r.values = append(r.values, s.apply(b))
	}
	r.applied = true
	return r
}

// match compares owner and epoch (R5), and each ledger row with the value that the flusher expects (R3).
func (s *store) match(node counter.Origin, b *counter.Batch, r *result) {
	if o := s.owners[b.Partition]; o.owner != node || o.epoch != b.Epoch {
		r.owners[b.Partition] = o
	}
	for _, m := range b.Moves {
		at, row := s.ledger[b.Partition][m.Origin]
		tombstone := !row && s.byID[m.Origin].closed
		if at != m.From || tombstone {
			r.ledger[b.Partition] = append(r.ledger[b.Partition], mismatch{m.Origin, at})
		}
	}
}

func (s *store) apply(b *pendingBatch) (values []counter.Value) {
	for _, m := range b.Moves {
		s.ledger[b.Partition][m.Origin] = m.To
	}
	for _, d := range b.Deltas {
		if slices.Contains(b.aside, d.Key) {
			continue
		}
		s.counters[d.Key] += d.Delta
		values = append(values, counter.Value{Key: d.Key, Value: s.counters[d.Key]})
	}
	for _, row := range b.IDs {
		s.ids[row.IDRef] = row
	}
	if b.NewOwner != (counter.Origin{}) {
		s.owners[b.Partition] = ownership{b.Partition, b.NewOwner, b.Epoch + 1}
	}
	return values
}

func overflows(a, b int64) bool {
	s := a + b
	return (a >= 0) == (b >= 0) && (s >= 0) != (a >= 0)
}
