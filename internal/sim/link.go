package sim

import (
	"slices"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// send posts the partition's next section to its owner, when there is something to send.
func (p *part) send() {
	n := p.n
	w := n.w
	if w.now < p.retryAt || !p.Ready() {
		return
	}
	owner, epoch := p.Owner()
	to := w.byID[owner]
	if _, known := n.view.find(owner); !known {
		n.wanted = true
		return
	}
	s, ok := p.Next(w.cfg.maxOps)
	if !ok {
		return
	}
	s.Ops = slices.Clone(s.Ops) // as encoded: it aliases the outbox
	w.audit.left(n.id, &s)
	if w.tracing() {
		w.logf("%s -> %s p%d e%d first %d ops %d answered %d", n.name, to.name, p.id, s.Epoch, s.First, len(s.Ops), s.Answered)
	}
	call(n, to, func() (counter.Answer, bool) { return to.parts[p.id].handle(n, s), true },
		func(a counter.Answer, ok bool) {
			if !ok {
				w.mark(markRetry)
				p.retryAt = w.now + w.between(1, 30)
				p.Retry(epoch)
				return
			}
			p.take(epoch, &a)
		})
}

// take handles the owner's answer.
func (p *part) take(epoch uint64, a *counter.Answer) {
	w := p.n.w
	if _, now := p.Owner(); now != epoch {
		w.mark(markStaleAnswer)
	}
	if w.tracing() {
		w.logf("%s <- p%d e%d code %d applied %d persisted %d results %v doubt %v", p.n.name, p.id, a.Epoch, a.Code,
			a.Applied, a.Persisted, a.Results, a.Doubt)
	}
	was := p.Phase()
	var v counter.Verdict
	p.watch(func() { v = p.Take(epoch, a) })
	if was != counter.Following {
		return
	}
	w.audit.heard(p, a)
	switch v {
	case counter.Later:
		p.retryAt = w.now + w.between(1, 10)
	case counter.Lookup:
		w.broken("R5", "%s: two processes disagree about the owner of partition %d at epoch %d", p.n.name, p.id, epoch)
	case counter.Diverge:
		w.broken("R4", "%s: the owner of partition %d has less than the store once had", p.n.name, p.id)
	}
}

// handle applies a section as the owner.
func (p *part) handle(from *node, s counter.Section) counter.Answer {
	n, w := p.n, p.n.w
	settling := len(p.Settling()) > 0
	a, loading := p.Handle(from.id, &s, w.cfg.limits, n.loadFailing)
	a.Results = slices.Clone(a.Results) // they belong to the partition, which goes on
	if _, epoch := p.Owner(); a.Code == counter.Unknown || s.Epoch > epoch {
		n.wanted = true
	}
	switch a.Code {
	case counter.OK:
		a.Doubt = !n.trusted()
		w.audit.handled(p, from.id, &s, &a)
		p.marksOf(&s, &a, settling)
	case counter.Loading:
		w.mark(markLoading)
		for _, k := range loading.Keys {
			p.want(slices.Index(w.keys, k))
		}
	case counter.Busy:
		w.mark(markBusy)
	case counter.Moved:
		w.mark(markMoved)
	case counter.Unknown:
		w.mark(markUnknown)
	case counter.Gap:
		// An origin's acknowledgements come from the owner of its epoch alone, and it has one section under way.
		w.broken("R2", "gap: %s sends %d to %s, which has %d", from.name, s.First, n.name, a.Applied)
	}
	return a
}

func (p *part) marksOf(s *counter.Section, a *counter.Answer, settling bool) {
	w := p.n.w
	if a.Doubt {
		w.mark(markDoubt)
	}
	if settling && len(p.Settling()) == 0 {
		w.mark(markSettledByHello)
	}
	for i := range s.Ops {
		if s.Ops[i].Flags&counter.Urgent != 0 {
			p.n.urgent = true
		}
	}
}

// want notes that the counter's value must be read from the store.
func (p *part) want(key int) {
	if !slices.Contains(p.missing, key) {
		p.missing = append(p.missing, key)
	}
}

// load reads what is wanted, value and ledger rows in one snapshot (R8).
func (n *node) load() {
	if n.loading {
		return
	}
	var keys []string
	var partitions []uint32
	tokens := make(map[uint32]counter.LoadToken)
	for _, p := range n.parts {
		if len(p.missing) == 0 {
			continue
		}
		t, ok := p.BeginLoad()
		if !ok {
			p.missing = nil
			continue
		}
		tokens[p.id] = t
		partitions = append(partitions, p.id)
		for _, k := range p.missing {
			keys = append(keys, n.w.keys[k])
		}
	}
	if keys == nil {
		return
	}
	n.loading = true
	ask(n, func() snapshot { return n.w.store.read(keys, partitions) }, func(s snapshot, o outcome) {
		n.loading = false
		n.loadFailing = o != answered
		if n.loadFailing {
			return
		}
		for _, id := range partitions {
			n.parts[id].loaded(tokens[id], keys, &s)
		}
	})
}

func (p *part) loaded(t counter.LoadToken, keys []string, s *snapshot) {
	w := p.n.w
	var mine []string
	for _, k := range keys {
		if i := slices.Index(w.keys, k); w.partitionOf(i) == p.id {
			mine = append(mine, k)
		}
	}
	if w.tracing() {
		w.logf("%s loads %v: %v ledger %v", p.n.name, mine, s.values, s.ledger[p.id])
	}
	if !p.Loaded(t, &counter.Snapshot{Wanted: counter.Wanted{Keys: mine}, Values: s.values, Ledger: s.ledger[p.id]}) {
		w.mark(markLoadRetry)
		return // whoever waits asks again
	}
	w.mark(markColdRead)
	w.audit.loaded(p, mine, s)
	p.missing = slices.DeleteFunc(p.missing, func(k int) bool { return slices.Contains(mine, w.keys[k]) })
}
