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
	call(n, to, func() (counter.Answer, bool) { return to.parts[p.id].handle(n.id, s, false), true },
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
	was, had := p.Phase(), p.Persisted()
	owner, now := p.Owner()
	believed := was == counter.Following && now == epoch && a.Code == counter.OK && a.Epoch == epoch && a.Owner == owner
	var v counter.Verdict
	p.watch(func() { v = p.Take(epoch, a) })
	if p.Persisted() < had {
		w.mark(markRestoreTake)
	}
	if was != counter.Following {
		return
	}
	if believed {
		w.audit.heard(p, a, had)
	}
	switch v {
	case counter.Later:
		p.retryAt = w.now + w.between(1, 10)
	case counter.Lookup:
		p.n.wanted = true
		w.mustBe(w.rewound(), "R5", "%s: two processes disagree about the owner of partition %d at epoch %d", p.n.name, p.id, epoch)
	case counter.Diverge:
		p.n.tooOld(p, a.Applied)
	}
}

// handle applies a section as the owner. resent: it comes from a log, or from a holder of copies.
func (p *part) handle(from counter.Origin, s counter.Section, resent bool) counter.Answer {
	n, w := p.n, p.n.w
	settling := len(p.Settling()) > 0
	a, loading := p.Handle(from, &s, w.cfg.limits, n.loadFailing)
	a.Results = slices.Clone(a.Results) // they belong to the partition, which goes on
	if _, epoch := p.Owner(); a.Code == counter.Unknown || s.Epoch > epoch {
		n.wanted = true
	}
	switch a.Code {
	case counter.OK:
		a.Doubt = !n.trusted()
		w.audit.handled(p, from, &s, &a, resent)
		if resent || !w.byID[from].alive {
			p.tenure.excuse(from) // what never reached its log is lost with it
			if settling && len(p.Settling()) == 0 {
				w.mark(markGhostSettled)
			}
		}
		p.marksOf(&s, &a, settling)
	case counter.Loading:
		w.mark(markLoading)
		for _, k := range loading.Keys {
			p.want(slices.Index(w.keys, k))
		}
		for _, ref := range loading.IDs {
			p.wantID(ref)
		}
	case counter.Busy:
		w.mark(markBusy)
	case counter.Moved:
		w.mark(markMoved)
	case counter.Unknown:
		w.mark(markUnknown)
	case counter.Gap:
		if w.rewound() {
			break
		}
		// An origin's acknowledgements come from the owner of its epoch alone, and it has one section under way.
		w.broken("R2", "gap: %s sends %d to %s, which has %d", w.name(from), s.First, n.name, a.Applied)
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
