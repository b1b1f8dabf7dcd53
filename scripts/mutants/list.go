package main

// mutant is one planted mistake.
type mutant struct {
	name  string
	rule  string // that it breaks, of docs/INVARIANTS.md
	file  string // relative to the module's top folder
	edits []edit
}

// edit replaces a text that stands exactly once in the file.
type edit struct{ old, new string }

func one(old, new string) []edit { return []edit{{old, new}} }

const (
	cellsFile     = "counter/cells.go"
	flushFile     = "counter/flush.go"
	originFile    = "counter/origin.go"
	outboxFile    = "counter/outbox.go"
	ownedFile     = "counter/owned.go"
	ownerFile     = "counter/owner.go"
	partitionFile = "counter/partition.go"
	storeFile     = "internal/sim/store_flush.go"
	nodeFile      = "internal/sim/node.go"
	controlFile   = "internal/sim/control.go"
)

// seeds leads to mistakes that the first seeds do not meet: the mutant's name, and a seed to play besides.
var seeds = map[string]int{
	"a node does not heed that it owns again what it lost unaware (was so)": 1025229,
}

// mutants are grouped by the rule that they break first. Those marked "was so" are mistakes that the core once had.
var mutants = []mutant{
	{"increments are combined into operations that have left", "R1", outboxFile, one(
		"	if n <= o.sealed {\n		return false // R1", "	if n <= o.persisted {\n		return false // R1")},
	{"a section that is sent again gets new numbers", "R1", originFile, []edit{
		{"	p.out.seal(n)\n	p.sending = true\n", "	again := p.out.sealed - min(p.out.sealed, p.out.acked)\n	p.out.seal(n)\n	p.sending = true\n"},
		{"		First:     first,\n", "		First:     first + again,\n"},
	}},
	{"a frozen operation stays open", "R1", flushFile, one(
		"	if p.Phase() == Owning {\n		p.out.seal(p.out.last())\n	}\n", "")},
	{"a sent operation stays open", "R1", originFile, one(
		"	p.out.seal(n)\n	p.sending = true\n", "	p.sending = true\n")},
	{"a refused operation is sent again with its content", "R1", outboxFile, one(
		"		op.Delta = 0\n", "")},

	{"repeats are applied again", "R2", ownerFile, one(
		"	fresh := s.Ops[min(uint64(len(s.Ops)), st.applied+1-s.First):]\n", "	fresh := s.Ops\n")},
	{"sections are applied over a gap", "R2", ownerFile, one(
		"	if s.First > st.applied+1 {\n", "	if s.First > st.applied+1 && len(s.Ops) == 0 {\n")},
	{"a new owner forgets the ledger", "R2", partitionFile, one(
		"&stream{applied: n, frozen: n, persisted: n}", "&stream{applied: n - n}")},
	{"a known origin's stream begins anew", "R2", ownerFile, one(
		"o != p.self && p.own.streams[o] == nil {", "o != p.self {")},
	{"results are dropped while the origin still asks", "R2", ownerFile, one(
		"st.results[0].Number < s.First {", "st.results[0].Number <= s.First {")},
	{"a gap does not send the origin back", "R2", originFile, one(
		"		p.out.acked = min(p.out.acked, a.Applied) // R2: the owner lacks what stands between\n", "")},

	{"the store does not compare the ledger", "R3", storeFile, one(
		"		if at != m.From || tombstone {\n", "		if tombstone && at != m.From {\n")},
	{"a new owner applies what the ledger has of its own", "R3", partitionFile, one(
		"	p.out.trim(ledger[p.self])\n", "")},
	{"evicted counters take unflushed changes with them", "R3", cellsFile, one(
		"		if r == 0 && excess > 0 {\n", "		if excess > 0 {\n")},
	{"a second batch is frozen while one is under way", "R3", flushFile, one(
		"	if w == nil || w.frozen {\n		return false\n", "	if w == nil {\n		return false\n")},

	{"the store does not compare owner and epoch", "R5", storeFile, one(
		"o.owner != node || o.epoch != b.Epoch {", "o.owner == (counter.Origin{}) {")},
	{"the owner takes sections of any epoch", "R5", ownerFile, one(
		"	if p.Phase() != Owning || s.Epoch != w.epoch {\n", "	if p.Phase() != Owning {\n")},
	{"a batch of another epoch is done", "R5", flushFile, one(
		"	if w == nil || w.epoch != epoch || !w.frozen {\n", "	if w == nil || !w.frozen {\n")},
	{"old news of an owner is believed", "R5", partitionFile, one(
		"	if epoch <= p.epoch {\n		return false\n", "	if epoch < p.epoch {\n		return false\n")},
	{"a releasing owner goes on applying", "R5", partitionFile, one(
		"	case p.own.leaving:\n		return Releasing\n", "	case p.own.leaving && p.own.frozen && !p.own.handing:\n		return Releasing\n")},

	{"operations are dropped when they are applied", "R6", outboxFile, one(
		"	o.answered = max(o.answered, o.acked)\n}", "	o.answered = max(o.answered, o.acked)\n	o.trim(o.acked)\n}")},
	{"a new owner is sent only what the last one had not applied", "R6", partitionFile, one(
		"	p.owner, p.epoch = owner, epoch\n	p.out.rewind()\n", "	p.owner, p.epoch = owner, epoch\n")},
	{"an owner that lost the partition loses its own operations", "R6", partitionFile, one(
		"	p.own = nil\n	// A caller", "	p.own = nil\n	p.out.trim(applied)\n	// A caller")},
	{"all that an owner accepted is dropped after a flush", "R6", flushFile, one(
		"	p.out.trim(w.selfFrozen)\n", "	p.out.trim(w.selfApplied)\n")},
	{"origins are told of more than the batch had", "R6", ownedFile, one(
		"			s.persisted = s.frozen\n", "			s.persisted = s.applied\n")},

	{"callers are told of the store when the owner has applied", "R7", outboxFile, one(
		"		if t.Level == Applied || t.Err != nil {\n", "		if true {\n")},
	{"news of the store does not wait for the answer", "R7", originFile, one(
		"	p.out.trim(min(p.out.heard, p.out.acked))\n", "	p.out.trim(min(p.out.heard, p.out.sealed))\n")},
	{"what was answered before is refused for want of room", "R7", ownedFile, one(
		"addOverflows(v, delta) && !promised {", "addOverflows(v, delta) {")},
	{"refused in silence when another caller heard of it (was so)", "R7", outboxFile, one(
		"		if untold != 0 {\n", "		if untold != 0 && untold == op.Delta {\n")},

	{"acknowledgements of earlier epochs count", "R8", originFile, []edit{
		{"	if sentAt != p.epoch || p.own != nil {\n", "	if p.own != nil {\n"},
		{"		if a.Epoch != p.epoch {\n", "		if a.Epoch > p.epoch {\n"},
	}},
	{"settling ends with the first section", "R8", ownerFile, one(
		"	if s.Answered <= st.applied {\n", "	if s.Answered <= st.applied || len(s.Ops) > 0 {\n")},
	{"totals are read while settling", "R8", ownerFile, one(
		"	case len(p.own.settling) > 0:\n", "	case len(p.own.settling) > 1<<20:\n")},
	{"totals are answered while settling", "R8", ownerFile, one(
		"	return v, known && fits && len(w.settling) == 0\n", "	return v, known && fits\n")},
	{"what was applied unanswered is not awaited (was so)", "R8", outboxFile, one(
		"	o.answered = max(o.answered, o.sealed)\n", "")},
	{"a settling owner hands over (was so)", "R8", partitionFile, one(
		"	if p.Phase() != Owning || len(p.own.settling) > 0 {\n", "	if p.Phase() != Owning {\n")},
	{"a read that raced with a flush is used", "R8", ownerFile, one(
		"t.epoch != w.epoch || t.flushed != w.flushed {", "t.epoch != w.epoch {")},
	{"a read is taken to contain the batch under way", "R8", ownerFile, one(
		"	included := w.frozen && w.frozenIn(p.self, &p.out, ledger)\n", "	included := w.frozen\n")},
	{"a read is taken not to contain the batch under way", "R8", ownerFile, one(
		"	included := w.frozen && w.frozenIn(p.self, &p.out, ledger)\n", "	included := w.frozen && w.frozenIn(p.self, &p.out, nil)\n")},
	{"a counter keeps its value when a delta was set aside (was so)", "R8", ownedFile, one(
		"			w.cells.cell[i].forgetBase()\n", "")},
	{"totals wrap around at the end of the range (was so)", "R8", cellsFile, one(
		"|(v^all)&(part^all) >= 0 {", "&0|(v^all)&0 >= 0 {")},
	{"every caller of a combined operation is told its last total", "R8", outboxFile, one(
		"r.Total-(op.Delta-t.prefix), true", "r.Total, true")},
	{"a total lacks the batch under way", "R8", cellsFile, one(
		"	part := d.sent + d.pend\n", "	part := d.pend\n")},

	{"a node trusts its lease to the end", "R8", nodeFile, one(
		"func (n *node) trusted() bool { return n.w.now < n.trustUntil }", "func (n *node) trusted() bool { return n.w.now < n.trustUntil+leaseTTL }")},
	{"a node does not heed that it owns again what it lost unaware (was so)", "R8", controlFile, one(
		"		if o.owner != (counter.Origin{}) {", "		if o.owner != n.id && o.owner != (counter.Origin{}) {")},
	{"a new owner awaits nobody", "R8", controlFile, one(
		"			if settle && s.id != n.id && s.leaseLeft > 0 {\n", "			if settle && s.id != n.id && s.leaseLeft > leaseTTL {\n")},
}
