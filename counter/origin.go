package counter

// Ready says that there is something to send to the owner, and nothing is under way.
func (p *Partition) Ready() bool {
	return p.own == nil && !p.sending && p.owner != Origin{} && p.owner != p.self &&
		(p.hello || p.out.acked < p.out.last())
}

// Next returns the next section for the owner: at most maxOps operations, whose content is fixed from here on (R1).
// The section aliases the outbox: encode it under the same lock. Exactly one of Take or Retry ends it.
func (p *Partition) Next(maxOps int) (Section, bool) {
	if !p.Ready() {
		return Section{}, false
	}
	first := p.out.acked + 1
	n := min(p.out.last(), p.out.acked+uint64(maxOps))
	p.out.seal(n)
	p.sending = true
	return Section{
		Partition: p.id,
		Epoch:     p.epoch,
		First:     first,
		Answered:  p.out.answered,
		Ops:       p.out.ops[first-p.out.persisted-1 : n-p.out.persisted],
	}, true
}

// Poll makes the next section go out even when it is empty, so that the owner says what the store has.
func (p *Partition) Poll() {
	if p.own == nil && len(p.out.ops) > 0 {
		p.hello = true
	}
}

// Retry notes that the section sent at epoch got no answer: it goes again, maybe with more behind it, to whoever owns the
// partition by then. That is safe whether or not it arrived (R2).
func (p *Partition) Retry(epoch uint64) {
	if epoch == p.epoch {
		p.sending = false
	}
}

// Verdict says what the caller has to do after an answer.
type Verdict uint8

// Verdicts.
const (
	Fine    Verdict = iota
	Later           // wait a moment before the next section
	Lookup          // the owner is not known: ask the store
	Diverge         // the store has less than it once had, by more than what is kept: it came back from an older state (R6)
)

// Take handles the owner's answer to the section sent at epoch sentAt.
func (p *Partition) Take(sentAt uint64, a *Answer) Verdict {
	defer p.Persist(a.Persisted) // true whoever says it, and whenever
	// A store that came back from an older state gives an epoch twice: the same one is no proof that it is the same owner.
	former := (a.Code == OK || a.Code == Gap) && a.Epoch == p.epoch && a.Owner != p.owner
	if sentAt != p.epoch || p.own != nil || former {
		return Fine // the owner has changed since: its acknowledgement counts no more (R8), the rewind has resent
	}
	p.sending = false
	switch a.Code {
	case OK, Gap:
		if a.Epoch != p.epoch {
			return Later
		}
		if a.Applied < p.out.persisted && !p.out.restore(a.Applied) {
			return Diverge
		}
		p.hello = false
		if a.Code == OK {
			p.out.ack(a.Applied, a.Results, a.Doubt, applied|held)
			return Fine
		}
		p.out.acked = min(p.out.acked, a.Applied) // R2: the owner lacks what stands between
		return Fine
	case Moved:
		if p.Learn(a.Owner, a.Epoch) {
			return Fine
		}
		return Lookup
	}
	return Later
}

// Persist notes that the store has this origin's operations up to n: they are dropped (R6), and whoever waited for it is
// told. The news may overtake the owner's answer, which alone says how the operations ended: then they are kept until that
// answer, or the next owner's, is there.
func (p *Partition) Persist(n uint64) {
	switch {
	case p.own != nil:
		return // an owner learns it from its own batches, with the deltas
	case n > p.out.sealed && !p.past:
		return // of numbers that never left: it is not about this process, and would pass later for news of them
	}
	n = min(n, p.out.sealed)
	p.out.heard = max(p.out.heard, n)
	p.out.trim(min(p.out.heard, p.out.acked))
}

// Hello makes the next section go out even when it is empty and nothing is pending.
func (p *Partition) Hello() {
	if p.own == nil {
		p.hello = true
	}
}
