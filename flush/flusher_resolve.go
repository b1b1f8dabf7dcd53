package flush

import "github.com/google/uuid"

// standing is what the store has where a request did not match.
type standing struct {
	owners map[uint32]Ownership
	ledger map[place]Mismatch
	ids    map[IDRef]struct{}
}

// place names a ledger row.
type place struct {
	partition uint32
	origin    uuid.UUID
}

func index(res *Result) standing {
	s := standing{
		make(map[uint32]Ownership, len(res.Owners)), make(map[place]Mismatch, len(res.Ledger)),
		make(map[IDRef]struct{}, len(res.IDs)),
	}
	for _, o := range res.Owners {
		s.owners[o.Partition] = o
	}
	for _, m := range res.Ledger {
		s.ledger[place{m.Partition, m.Origin}] = m
	}
	for _, ref := range res.IDs {
		s.ids[ref] = struct{}{}
	}
	return s
}

// resolve says how a batch ended; false when it matches and was only held up by others of its statement.
//
// While the partition is ours at the batch's epoch, nobody else moves its ledger: all moves at their ends mean that this
// very batch was applied. "No row" is never that.
func (s standing) resolve(b *Batch) (Outcome, bool) {
	var off []Mismatch
	exact, past := 0, 0
	for _, m := range b.Moves {
		miss, ok := s.ledger[place{b.Partition, m.Origin}]
		if !ok {
			continue
		}
		off = append(off, miss)
		if miss.Number == m.To {
			exact++
		}
		if miss.Number >= m.To {
			past++
		}
	}
	owner, moved := s.owners[b.Partition]
	switch {
	case moved && b.handedOver(owner) && past == len(b.Moves):
		// The hand-over was applied, after which the new owner may have gone further.
		return Outcome{Verdict: Committed}, true
	case moved:
		return Outcome{Verdict: NotOwner, Owner: owner}, true
	case len(off) == 0:
		taken := s.taken(b)
		return Outcome{Verdict: Conflict, IDs: taken}, taken != nil
	case exact == len(b.Moves) && b.NewOwner == uuid.Nil:
		return Outcome{Verdict: Committed}, true
	}
	return Outcome{Verdict: Conflict, Ledger: off}, true
}

// taken returns the batch's IDs that have a record. Not by this batch, whose ledger rows would have moved with them.
func (s standing) taken(b *Batch) (refs []IDRef) {
	for i := range b.IDs {
		ref := b.IDs[i].Ref()
		if _, ok := s.ids[ref]; ok {
			refs = append(refs, ref)
		}
	}
	return refs
}

// handedOver reports whether the partition stands where the batch's hand-over leaves it.
func (b *Batch) handedOver(o Ownership) bool {
	return b.NewOwner != uuid.Nil && o.Owner == b.NewOwner && o.Epoch == b.Epoch+1
}
