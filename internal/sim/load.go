package sim

import (
	"slices"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// wantID notes that the store must be asked about an idempotency key.
func (p *part) wantID(ref counter.IDRef) {
	if !slices.Contains(p.missingIDs, ref) {
		p.missingIDs = append(p.missingIDs, ref)
	}
}

// wanted is what a partition must read from the store: for others, and for this node's own operations.
func (p *part) wanted() counter.Wanted {
	own := p.Wanted()
	if !own.Empty() {
		p.n.w.mark(markWanted)
	}
	for _, ref := range own.IDs {
		p.wantID(ref)
	}
	want := counter.Wanted{IDs: slices.Clone(p.missingIDs)}
	for _, k := range p.missing {
		want.Keys = append(want.Keys, p.n.w.keys[k])
	}
	for _, k := range own.Keys {
		if !slices.Contains(want.Keys, k) {
			want.Keys = append(want.Keys, k)
		}
	}
	return want
}

// load reads what is wanted: values, idempotency keys and ledger rows in one snapshot (R8).
func (n *node) load() {
	if n.loading {
		return
	}
	var keys []string
	var ids []counter.IDRef
	var partitions []uint32
	want := make(map[uint32]counter.Wanted)
	tokens := make(map[uint32]counter.LoadToken)
	for _, p := range n.parts {
		t, ok := p.BeginLoad()
		if !ok {
			p.missing, p.missingIDs = nil, nil
			continue
		}
		some := p.wanted()
		if some.Empty() {
			continue
		}
		want[p.id], tokens[p.id] = some, t
		partitions = append(partitions, p.id)
		keys, ids = append(keys, some.Keys...), append(ids, some.IDs...)
	}
	if partitions == nil {
		return
	}
	n.loading = true
	ask(n, func() snapshot { return n.w.store.read(keys, ids, partitions) }, func(s snapshot, o outcome) {
		n.loading = false
		n.loadFailing = o != answered
		if n.loadFailing {
			return
		}
		for _, id := range partitions {
			n.parts[id].loaded(tokens[id], want[id], &s)
		}
	})
}

func (p *part) loaded(t counter.LoadToken, want counter.Wanted, s *snapshot) {
	w := p.n.w
	if w.tracing() {
		w.logf("%s loads %v: %v %v ledger %v", p.n.name, want, s.values, s.rows, s.ledger[p.id])
	}
	if w.cfg.shrinks {
		defer p.Shrink(w.cfg.limits)
	}
	if !p.Loaded(t, &counter.Snapshot{Wanted: want, Values: s.values, Rows: s.rows, Ledger: s.ledger[p.id]}) {
		w.mark(markLoadRetry)
		if p.Older(t, s.ledger[p.id]) || p.Newer(s.ledger[p.id]) {
			p.n.rewind.lastVerify, p.n.wanted = 0, true
		}
		return // whoever waits asks again
	}
	w.mark(markColdRead)
	if len(s.rows) > 0 {
		w.mark(markIDLoaded)
	}
	if p.Phase() == counter.Owning {
		w.audit.ownOutbox(p)
	}
	w.audit.loaded(p, want.Keys, s)
	p.missing = slices.DeleteFunc(p.missing, func(k int) bool { return slices.Contains(want.Keys, w.keys[k]) })
	p.missingIDs = slices.DeleteFunc(p.missingIDs, func(ref counter.IDRef) bool { return slices.Contains(want.IDs, ref) })
}
