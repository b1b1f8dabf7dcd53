package main

// mutant is one planted mistake.
type mutant struct {
	name  string
	rule  string // that it breaks, of docs/INVARIANTS.md, or the part of the service
	file  string // relative to the module's top folder
	edits []edit
}

// suite is mutants that the same tests must catch.
type suite struct {
	tests   []string // a package and, after it, options of its tests; nil: as coreSuite has it
	read    bool     // the tests read the file while they run: it is no part of what is compiled
	mutants []mutant
}

// suites are all there are: of core, log and store, and of what stands around them.
func suites() []suite {
	return append(append([]suite{{mutants: mutants}}, storeSuites()...), fronts()...)
}

// edit replaces a text that stands exactly once in the file.
type edit struct{ old, new string }

func one(old, new string) []edit { return []edit{{old, new}} }

const (
	idsFile       = "counter/ids.go"
	commandFile   = "counter/command.go"
	holdersFile   = "counter/holders.go"
	opFile        = "counter/op.go"
	logFile       = "journal/log.go"
	formatFile    = "journal/format.go"
	recoverFile   = "journal/recover.go"
	segmentFile   = "journal/segment.go"
	osFile        = "journal/osfs.go"
	sqliteFile    = "flush/sqlite_flush.go"
	leaseFile     = "flush/sqlite_lease.go"
	ghostFile     = "internal/sim/ghost.go"
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
	rewindFile    = "internal/sim/rewind.go"
	rewoundFile   = "internal/sim/store_rewind.go"
)

// seeds leads to mistakes that the first seeds do not meet: the mutant's name, and a seed to play besides.
var seeds = map[string]int{
	"increments join an operation whose callers were told that the log has failed (was so)": 23138,
	"an older state's second owner of an epoch is not believed (was so)":                    3266,
	"an older state of the store is reclaimed only by the ring (was so)":                    7846,
	"a process that the store forgot trusts the owners with what it sent (was so)":          311936,
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
		"		op.Delta, op.ID = 0, \"\" // an", "		op.ID = \"\" // an")},

	{"repeats are applied again", "R2", ownerFile, one(
		"	fresh := s.Ops[min(uint64(len(s.Ops)), st.applied+1-s.First):]\n", "	fresh := s.Ops\n")},
	{"sections are applied over a gap", "R2", ownerFile, one(
		"	if s.First > st.applied+1 {\n", "	if s.First > st.applied+1 && len(s.Ops) == 0 {\n")},
	{"a new owner forgets the ledger", "R2", partitionFile, one(
		"&stream{applied: n, frozen: n, persisted: n}", "&stream{applied: n - n}")},
	{"a known origin's stream begins anew", "R2", ownerFile, one(
		"o != p.self && p.own.streams[o] == nil {", "o != p.self {")},
	{"an owner with too much unflushed takes ever more", "R10", ownerFile, one(
		"len(w.cells.dirty) > lim.MaxDirty {", "len(w.cells.dirty) > lim.MaxDirty+1<<20 {")},
	{"results are dropped while the origin still asks", "R2", ownerFile, one(
		"st.results[0].Number < s.First {", "st.results[0].Number <= s.First {")},
	{"a gap does not send the origin back", "R2", originFile, one(
		"		p.out.acked = min(p.out.acked, a.Applied) // R2: the owner lacks what stands between\n", "")},

	{"the modelled store does not compare the ledger", "R3", storeFile, one(
		"		if at != m.From || tombstone {\n", "		if tombstone && at != m.From {\n")},
	{"a new owner applies what the ledger has of its own", "R3", partitionFile, one(
		"	p.out.trim(ledger[p.self])\n", "")},
	{"evicted counters take unflushed changes with them", "R3", cellsFile, one(
		"		if r == 0 && excess > 0 {\n", "		if excess > 0 {\n")},
	{"a second batch is frozen while one is under way", "R3", flushFile, one(
		"	if w == nil || w.frozen {\n		return false\n", "	if w == nil {\n		return false\n")},

	{"the modelled store does not compare owner and epoch", "R5", storeFile, one(
		"o.owner != node || o.epoch != b.Epoch {", "o.owner == (counter.Origin{}) {")},
	{"a section that wants more than an owner remembers waits for ever (was so)", "R12", ownerFile, one(
		"			fresh = fresh[:lim.first(fresh)]\n", "			_ = lim.first(fresh)\n")},
	{"what the store lacks pushes out what was just read (was so)", "R12", idsFile, one(
		"	limit += len(s.fresh) + len(s.sent)\n", "")},
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
		"		if t.need &^= e; t.need == 0 || t.Err != nil {\n", "		if t.need &^= e; true {\n")},
	{"news of the store does not wait for the answer", "R7", originFile, one(
		"	p.out.trim(min(p.out.heard, p.out.acked))\n", "	p.out.trim(min(p.out.heard, p.out.sealed))\n")},
	{"news of numbers that were never sent is believed (was so)", "R7", originFile, []edit{
		{"	case n > p.out.sealed && !p.past:\n", "	case n > p.out.sealed && !p.past && n == 0:\n"},
		{"	n = min(n, p.out.sealed)\n", ""},
	}},
	{"what was answered before is refused for want of room", "R7", ownedFile, one(
		"addOverflows(v, delta) && !promised {", "addOverflows(v, delta) {")},
	{"refused in silence when another caller heard of it (was so)", "R7", outboxFile, one(
		"		if untold != 0 {\n", "		if untold != 0 && untold == op.Delta {\n")},

	{"acknowledgements of earlier epochs count", "R8", originFile, []edit{
		{"	if sentAt != p.epoch || p.own != nil || former {\n", "	if p.own != nil || former {\n"},
		{"		if a.Epoch != p.epoch {\n", "		if a.Epoch > p.epoch {\n"},
	}},
	{"settling ends with the first section", "R8", ownerFile, one(
		"	if s.Answered <= st.applied {\n", "	if s.Answered <= st.applied || len(s.Ops) > 0 {\n")},
	{"totals are read while settling", "R8", ownerFile, one(
		"	case !p.own.complete():\n", "	case !p.own.complete() && key == \"\":\n")},
	{"totals are answered while settling", "R8", ownerFile, one(
		"	return v, known && fits && w.complete()\n", "	return v, known && fits\n")},
	{"what was applied unanswered is not awaited (was so)", "R8", outboxFile, one(
		"	o.answered = max(o.answered, o.sealed)\n", "")},
	{"a settling owner hands over (was so)", "R8", partitionFile, one(
		"	if p.Phase() != Owning || len(p.own.settling) > 0 ||", "	if p.Phase() != Owning ||")},
	{"a command is resolved before this owner's own operations are applied", "R8", commandFile, one(
		" || p.own.selfApplied != p.out.last() {", " {")},
	{"a command is resolved by a total beyond the range", "R8", commandFile, one(
		"!p.own.fits(i) ||", "i+1 == 0 ||")},
	{"a bound is not looked at", "R8", commandFile, one(
		"	case c.Value > 0 && (over || after > c.Max):", "	case c.Value > 0 && over:")},
	{"what fits is counted from the bound that the total has passed", "R8", commandFile, one(
		"limit, none = max(c.Max, total),", "limit, none = c.Max,")},
	{"another command passes for a repeat", "R9", commandFile, one(
		"	case !c.Saturate:\n		return false\n", "")},
	{"a repeat at a later owner passes for another command", "R9", commandFile, one(
		"	case c.mayAdd(int64(e.row.Fingerprint)):\n		err = ErrOtherTotal\n", "")},
	{"a command leads its total to where its key cannot tell it (was so)", "R9", commandFile, one(
		"err == nil && r.Before+r.Delta == UnknownTotal {", "err == nil && r.Before+r.Delta == UnknownTotal && c == nil {")},
	{"a rejected command keeps its idempotency key", "R9", commandFile, one(
		"	if err == nil {\n		r.Added, err = p.AddID(hash, ref, r.Delta)",
		"	if err == nil || errors.Is(err, ErrOutOfBounds) {\n		r.Added, _ = p.AddID(hash, ref, r.Delta)")},
	{"a read that raced with a flush is used", "R8", ownerFile, one(
		"t.epoch == p.own.epoch && t.flushed == p.own.flushed\n", "t.epoch == p.own.epoch\n")},
	{"a snapshot that a flush overtook passes for an older state (was so)", "R8", ownerFile, one(
		"	return p.holds(t) && p.older(ledger)\n", "	return p.own != nil && p.older(ledger)\n")},
	{"a read that has more than this owner wrote is used (was so)", "R8", ownerFile, one(
		"	if !p.explains(s.Ledger, included) {\n", "	if !p.explains(s.Ledger, included) && false {\n")},
	{"a read of an older state of the store is used (was so)", "R8", ownerFile, one(
		" || p.older(s.Ledger) {", " {")},
	{"a former owner of the same epoch is believed (was so)", "R5", originFile, one(
		"p.own != nil || former {", "p.own != nil || former && false {")},
	{"rows of a process that was closed by hand pass for an older state (was so)", "R8", ownerFile, one(
		"if _, left := p.own.leftover[id]; !left && id", "if id")},
	{"a read is taken to contain the batch under way", "R8", ownerFile, one(
		"	included := w.frozen && w.frozenIn(p.self, &p.out, s.Ledger)\n", "	included := w.frozen\n")},
	{"a read is taken not to contain the batch under way", "R8", ownerFile, one(
		"	included := w.frozen && w.frozenIn(p.self, &p.out, s.Ledger)\n", "	included := w.frozen && w.frozenIn(p.self, &p.out, nil)\n")},
	{"a counter keeps its value when a delta was set aside (was so)", "R8", ownedFile, one(
		"			w.cells.cell[i].forgetBase()\n", "")},
	{"totals wrap around at the end of the range (was so)", "R8", cellsFile, one(
		"|(v^all)&(part^all) >= 0 {", "&0|(v^all)&0 >= 0 {")},
	{"every caller of a combined operation is told its last total", "R8", outboxFile, one(
		"r.Total-(op.Delta-t.prefix), true", "r.Total, true")},
	{"a total lacks the batch under way", "R8", cellsFile, one(
		"	part := d.sent + d.pend\n", "	part := d.pend\n")},
	{"what comes between freeze and commit is lost: the race of the prototype", "R4", ownedFile, one(
		"		r.sent, r.frozen = 0, false\n", "		r.sent, r.pend, r.frozen = 0, 0, false\n")},

	{"a node trusts its lease to the end", "R8", nodeFile, one(
		"func (n *node) trusted() bool { return n.w.now < n.trustUntil }", "func (n *node) trusted() bool { return n.w.now < n.trustUntil+leaseTTL }")},
	{"a new owner awaits nobody", "R8", controlFile, one(
		"			if settle && s.id != n.id && (s.leaseLeft > 0 || n.haunted(s.id)) {\n", "			if settle && s.id != n.id && s.leaseLeft > leaseTTL {\n")},

	{"a repeat is counted again once the store has the first", "R9", ownerFile, one(
		"	case e.counted:\n		return OpResult{Code: Replayed", "	case e.counted && e.pinned:\n		return OpResult{Code: Replayed")},
	{"another increment passes for a repeat", "R9", ownerFile, one(
		"	case e.counted && e.row.Fingerprint != op.fingerprint():\n", "	case e.counted && e.row.Fingerprint != op.fingerprint() && op.Delta == 0:\n")},
	{"idempotency keys are forgotten before the store has them", "R9", idsFile, one(
		"		if e.pinned || e.used {\n", "		if e.used {\n")},
	{"keys that the store has are taken for new", "R9", idsFile, one(
		"counted: counted, used: true}", "counted: false, used: true}")},
	{"a batch leaves its idempotency keys out", "R9", flushFile, one(
		"	b.IDs = w.ids.freeze()\n", "	_ = w.ids.freeze()\n")},
	{"keys counted since the freeze pass for stored", "R9", idsFile, one(
		"	for _, e := range s.sent {\n", "	for _, e := range append(s.sent, s.fresh...) {\n")},
	{"a refused operation keeps its idempotency key (was so)", "R9", outboxFile, one(
		"		op.Delta, op.ID = 0, \"\" // an", "		op.Delta = 0 // an")},
	{"an owner passes over its own operation with an unknown key", "R9", partitionFile, one(
		"		if !known {\n			break\n", "		if !known {\n			continue\n")},
	{"an owner hands over while its own operations wait", "R6", partitionFile, one(
		"|| p.own.selfApplied < p.out.last() {\n		return false\n", "{\n		return false\n")},
	{"an owner does not await its own answered operations", "R8", partitionFile, one(
		"w.behind = n, n < o.answered\n", "w.behind = n, false\n")},

	{"what goes to the log stays open", "R1", holdersFile, one(
		"	return p.out.behind(&p.out.logging, limit)\n", "	sealed := p.out.sealed\n	first, ops = p.out.behind(&p.out.logging, limit)\n	p.out.sealed = sealed\n	return first, ops\n")},
	{"callers are told of more than the log has", "R7", holdersFile, one(
		"p.out.safe(&p.out.logged, n, logged) }", "p.out.safe(&p.out.logged, max(n, p.out.last()), logged) }")},
	{"a failed log passes for a good one", "R7", holdersFile, one(
		"				t.Err = ErrNotLogged\n", "				t.need &^= logged\n")},
	{"increments join an operation whose callers were told that the log has failed (was so)", "R7", holdersFile, one(
		"	p.out.seal(p.out.last()) // nothing joins", "	// nothing joins")},
	{"callers are told of the disk before the owner has applied", "R7", opFile, one(
		"Logged: applied | logged,", "Logged: logged,")},
	{"who waits for the log does not wait for the new owner (was so)", "R8", outboxFile, one(
		"			t.need |= t.Level.needs() & back\n", "			t.need |= 0\n")},
	{"callers are told of more than the holder has", "R7", holdersFile, one(
		"p.out.safe(&p.out.held, n, held) }", "p.out.safe(&p.out.held, max(n, p.out.last()), held) }")},
	{"an owner passes for the second holder of its own operations", "R7", partitionFile, one(
		"	o.ack(n, results, false, applied)\n", "	o.ack(n, results, false, applied|held)\n")},
	{"a replay of the log begins anew with number 1", "R1", partitionFile, one(
		"	p.out.persisted, p.out.acked = first-1, first-1\n", "	p.out.persisted, p.out.acked = first-first, first-first\n")},
	{"a replay of the log may be refused", "R7", partitionFile, one(
		"	p.out.sealed, p.out.answered = p.out.last(), p.out.last()\n", "")},
	{"what the store may lose again is not kept", "R6", outboxFile, one(
		"		o.kept = append(o.kept, o.ops[:k]...)\n", "		o.kept = append(o.kept, o.ops[:k-1]...)\n")},
	{"what the store lost is not sent again", "R6", outboxFile, one(
		"	o.rewind()\n	return true\n", "	return true\n")},

	{"for an older state of the store, nothing is kept", "R6", partitionFile, one(
		"p.out.hasLog, p.out.keeps = h.Log, h.Keep\n", "p.out.hasLog, p.out.keeps = h.Log, h.Keep && h.Log && !h.Keep\n")},
	{"for an older state of the store, things are kept too briefly", "R6", rewindFile, one(
		"r.clock-marks[old].at >= n.w.cfg.keep;", "r.clock-marks[old].at >= n.w.cfg.keep/2;")},
	{"an older state of the store is reclaimed at its own next epoch", "R5", leaseFile, one(
		"Epoch: w.Above + 1}", "Epoch: w.Epoch + 1}")},
	{"in an older state of the store, a given-up epoch is taken again (was so)", "R5", partitionFile, one(
		"return epoch <= p.dropped }", "return epoch+1 <= p.dropped }")},
	{"an older state's second owner of an epoch is not believed (was so)", "R5", partitionFile, one(
		"	if epoch < p.epoch || epoch == p.epoch && owner == p.owner {\n", "	if epoch <= p.epoch {\n")},
	{"a process that the store forgot trusts the owners with what it sent (was so)", "R6", rewindFile, one(
		"if p := n.parts[o.partition]; n.rewind.forgotten && ", "if p := n.parts[o.partition]; n.rewind.forgotten && n.leaving && ")},
	{"an older state of the store is reclaimed only by the ring (was so)", "R12", rewindFile, one(
		"known > o.epoch {", "known > o.epoch && n.opinion[o.partition] == n.slot {")},
	{"an older state of the store is not looked for in the ledger", "R6", rewindFile, one(
		"		if a.ledger[partition][s.id] < has[s.id] {\n", "		if a.ledger[partition][s.id] < has[s.id] && s.id == n.id {\n")},

	{"the log is not synced", "R7", logFile, one(
		"	if err := s.file.Sync(); err != nil {\n", "	if err := s.file.Sync(); err != nil && s == nil {\n")},
	{"a log whose fsync failed goes on", "R7", logFile, one(
		"	l.failure.Store(&err)\n	l.pending.reset()\n", "	l.pending.reset()\n")},
	{"a record's checksum is not compared", "R1", formatFile, one(
		"	if checksum(b, offset) != binary", "	if offset < 0 && checksum(b, offset) != binary")},
	{"a torn tail passes for damage", "R6", recoverFile, one(
		"	if !s.last {\n		return s.damage", "	if s.last {\n		return s.damage")},
	{"damage passes for a torn tail", "R6", recoverFile, one(
		"	if not != nil {\n", "	if not != nil && !s.last {\n")},
	{"the log is trimmed too early", "R6", segmentFile, one(
		"		if number > by(partition) {\n", "		if number > by(partition)+1 {\n")},
	{"a log is replayed while its process lives", "R1", osFile, one(
		"unix.LOCK_EX|unix.LOCK_NB", "unix.LOCK_SH|unix.LOCK_NB")},
	{"the log is removed before the store has everything", "R6", ghostFile, one(
		"	p.done = a.Code == counter.OK && p.Pending() == 0 && a.Applied == a.Persisted\n", "	p.done = a.Code == counter.OK\n")},

	{"a key that is taken does not stop the flush", "R9", sqliteFile, one(
		"r.KeepIDs); err != nil || res.IDs != nil {\n", "r.KeepIDs); err != nil {\n")},
	{"keys are overwritten before they expire", "R9", sqliteFile, one(
		"		where expires_at_us <= ?7`)", "		where expires_at_us <> ?7`)")},
	{"keys expire that a vanished process may need", "R9", leaseFile, one(
		"closed_at_us is null and lease_until_us < ?\"\n	if err", "closed_at_us is null and lease_until_us < ? and 1 = 0\"\n	if err")},
	{"keys are stored although nothing else matches", "R9", sqliteFile, one(
		"err != nil || res.Owners != nil || res.Ledger != nil {\n			return false, err\n", "err != nil || res.Owners != nil || res.Ledger != nil {\n			_, _ = recordIDs(ctx, tx, sorted.ids, r.KeepIDs)\n			return err == nil, err\n")},
}
