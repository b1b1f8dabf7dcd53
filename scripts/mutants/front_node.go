package main

// nodeSuites are the mutants of package node, which drives the core: the simulation has a model of it, and never meets these files.
// Each suite is the narrowest selection that must catch its mutants; where one waits for what never comes, that takes its patience.
func nodeSuites() []suite {
	return []suite{
		nodeSuite("TestCluster_CountsWhatAProcessSentThatTheDatabaseForgot|TestCluster_IsExactAfterTheDatabaseWentBackInTime|TestCluster_FindsOutWithoutAnIncrement", nodeRewindMutants),
		nodeSuite("TestNode_StartsAfreshWhenSomebodyElse", nodeOvertakenMutants),
		nodeSuite("TestNode_KeepsForTheTimeThatTheStoreStands|TestNode_LetsAPartitionOfConflictWait", nodeKeptMutants),
		nodeSuite("TestNode_ShowsWhatTheProcessBefore|TestLosses_", nodeLossesMutants),
		nodeSuite("TestLease_|TestCluster_TellsATotalAsStale|TestNode_TrustsALeaseAgain|TestCluster_TellsAtEveryNodeThatAnOwnerDoubts", nodeLeaseMutants),
		nodeSuite("TestNode_ClaimsFromWhoIsGone|TestNode_GivesANewGrace|TestCluster_HandsNothingOverForARing", nodeClaimMutants),
		nodeSuite("TestCluster_TellsNoTotalWithoutWhatWasAnswered", nodeSettleMutants),
		nodeSuite("TestCluster_LosesNoRequestWhenANodeLeavesUnderLoad", nodeRingMutants),
		nodeSuite("TestNode_HandsOverAllTheSame|TestNode_TellsAgainThatItLeaves", nodeDrainMutants),
		nodeSuite("TestNode_LeavesItsLog|TestNode_SaysHowMuchIsLost|TestNode_AcceptsNothingOnceItLeaves", nodeStopMutants),
		nodeSuite("TestNode_RefusesDurabilityDisk|TestScribe_|TestGhost_|TestCluster_CountsOnceWhatWasLogged", nodeDiskMutants),
		nodeSuite("TestCopies_|TestNode_AnswersReplica", nodeReplicaMutants),
		nodeSuite("TestCluster_CountsOnceWhatASecondNodeHolds", nodeLossMutants),
		nodeSuite("TestNode_FlushesWhatOthersSent|TestNode_StandsInForALost|TestCopier_|TestCopies_OfAStoreThatWentBack|TestCopies_WaitWhenTheStoreLacks", nodeHolderMutants),
		nodeSuite("TestNode_TakesEverythingAgain|TestR10_Commands", nodeBoundMutants), // not the test that counts on until it is refused
		nodeSuite("TestCluster_RefusesAnIdempotencyKey|TestNode_RefusesAnIdempotencyKey|TestNode_ReadsOfAnOlder", nodeOnceMutants),
		nodeSuite("TestNode_ResolvesNothing|TestCluster_LeavesACommandInDoubtWhenTheAnswer|TestCluster_RefusesACommandWhenItsOwner|TestNode_LeavesACommandInDoubt", nodeCommandMutants),
		nodeSuite("TestR13_Recorded|TestR13_Forged|TestPeers_RefuseWhatIsMeant", nodePeerMutants),
		nodeSuite("TestLane_|TestEnqueue_|TestNode_GivesUpAPartition|TestNode_LearnsTheOwner", nodeLinkMutants),
		nodeSuite("TestNode_FlushesAPartitionThatCameBack|TestNode_FlushesForAWaiting|TestNode_TellsItsHeir", nodeFlushMutants),
	}
}

func nodeSuite(tests string, all []mutant) suite {
	return suite{[]string{"./node", "-run", tests}, false, all}
}

const (
	backFile    = "node/rewind.go"
	slotFile    = "node/slot.go"
	roundFile   = "node/control.go"
	givenFile   = "node/source.go"
	trustFile   = "node/lease.go"
	readFile    = "node/read.go"
	peersFile   = "node/peers.go"
	addFile     = "node/increment.go"
	movesFile   = "node/moves.go"
	stopFile    = "node/stop.go"
	scribeFile  = "node/scribe.go"
	resendFile  = "node/ghost.go"
	lossesFile  = "node/losses.go"
	copierFile  = "node/copier.go"
	copiesFile  = "node/copies.go"
	onceFile    = "node/once.go"
	changeFile  = "node/command.go"
	changesFile = "node/command_lane.go"
	callerFile  = "node/caller.go"
	linkFile    = "node/link.go"
)

var nodeRewindMutants = []mutant{
	{"a process that the database forgot leaves to the owners what it sent", "node", backFile, one(
		"		case n.forgotten && n.sentFor(o.Partition):\n", "		case n.forgotten && n.sentFor(o.Partition) && n.draining.Load():\n")},
	{"epochs that the database went back to are believed", "node", backFile, one(
		"		case k.Epoch > o.Epoch || other:\n", "		case (k.Epoch > o.Epoch || other) && n.draining.Load():\n")},
	{"an owner looks in the ledger for its own operations alone", "node", backFile, one(
		"stands < number && there[origin] {", "stands < number && there[origin] && origin == n.id {")},
	{"what the database has is let go at once", "node", slotFile, one(
		"now-sl.stored[old].at >= keep;", "now-sl.stored[old].at >= keep/1000;")},
}

var nodeKeptMutants = []mutant{
	{"what is kept grows old while the store is away", "node", roundFile, one(
		"		n.stood.pause()\n", "")},
	{"a partition of conflict is dropped before it waits for a new epoch", "node", givenFile, []edit{
		{"	n.afresh.add(b.Partition, b.Epoch) // first: until", "	// first: until"},
		{"		if _, epoch := p.Owner(); epoch == b.Epoch {\n			p.Drop()\n		}\n	})\n", "		if _, epoch := p.Owner(); epoch == b.Epoch {\n			p.Drop()\n		}\n	})\n	n.afresh.add(b.Partition, b.Epoch)\n"},
	}},
}

var nodeLeaseMutants = []mutant{
	{"a lease is trusted until its very end", "node", trustFile, one(
		"	trust := l.ttl * 6 / 10\n", "	trust := l.ttl\n")},
	{"a lease is trusted from the answer on", "node", trustFile, one(
		"l.till.Store(int64(asked + trust))", "l.till.Store(int64(max(asked, l.now()) + trust))")},
	{"a lease is trusted before what was lost is given up", "node", roundFile, one(
		"	n.heed(w)\n	n.lease.renewed(asked)", "	n.lease.renewed(asked)\n	n.heed(w)")},
	{"a total is told by the lease that there was before it was read", "node", readFile, []edit{
		{"	for asked := false; ; {\n		sl.mu.Lock()\n		v, state := sl.p.Total(hash, key)\n", "	stale := !n.lease.trusted()\n	for asked := false; ; {\n		sl.mu.Lock()\n		v, state := sl.p.Total(hash, key)\n"},
		{"Stale: !n.lease.trusted()}", "Stale: stale}"},
	}},
	{"a total is told to another node by the lease before it was read", "node", peersFile, []edit{
		{"	keys, err := wire.DecodeReads(rest, nil)\n", "	trusted := n.lease.trusted()\n	keys, err := wire.DecodeReads(rest, nil)\n"},
		{"	if !n.lease.trusted() {\n", "	if !trusted {\n"},
	}},
	{"an owner in doubt of its lease passes for a sure one", "node", peersFile, one(
		"		a.Doubt = !n.lease.trusted()\n", "		a.Doubt = false\n")},
	{"an owner in doubt of its lease counts for sure", "node", addFile, one(
		"	if !n.lease.probably() {\n		return Result{Later: true}\n	}\n", "")},
}

var nodeClaimMutants = []mutant{
	{"after an outage of the store there is no grace", "node", movesFile, one(
		"		since = time.Now()\n", "		since = time.Time{}\n")},
	{"the grace of an outage is used up by an earlier one", "node", movesFile, one(
		"m == nil || m.LeaseLeft > 0 {\n			delete(", "m == nil {\n			delete(")},
	{"partitions are handed over for a ring that lacks who is coming back", "node", movesFile, one(
		"	if !n.draining.Load() && n.incomplete(w) {\n", "	if n.draining.Load() && n.incomplete(w) {\n")},
}

var nodeSettleMutants = []mutant{
	{"a new owner awaits nobody", "node", movesFile, one(
		"(s.LeaseLeft > 0 || n.seenAlive(s.ID) || n.haunted(s.ID)) {", "n.haunted(s.ID) {")},
}

var nodeRingMutants = []mutant{
	{"who leaves stays on the ring", "node", roundFile, one(
		"|| m.Draining != draining {", "|| draining && !m.Draining {")},
}

var nodeDrainMutants = []mutant{
	{"a node leaves without handing over when the store fails for a moment", "node", stopFile, one(
		"		if ctx.Err() != nil || errors.Is(err, flush.ErrClosed) {\n", "		if told || errors.Is(err, flush.ErrClosed) {\n")},
	{"a node does not say again that it leaves when the database forgot", "node", roundFile, one(
		"	n.stayLeaving(ctx, w)\n", "")},
}

var nodeStopMutants = []mutant{
	{"a process is closed although the store lacks what it holds", "node", stopFile, one(
		"	if left == 0 && !failed {\n", "	if !failed {\n")},
	{"a failed log passes for one that has everything", "node", stopFile, one(
		"	return n.scribe.fault() == nil\n", "	return true\n")},
	{"increments are accepted after the last look at what is pending", "node", addFile, one(
		"func (n *Node) stillGood(level Durability) error {\n	if !n.accepting.Load() {\n		return ErrNotReady\n	}\n", "func (n *Node) stillGood(level Durability) error {\n")},
}

var nodeDiskMutants = []mutant{
	{"durability disk is taken although the log has failed", "node", addFile, []edit{
		{"	if (level == Disk || level == Replica) && n.scribe.fault() != nil {\n", "	if level > Database && n.scribe.fault() != nil {\n"},
		{"	if n.scribe.fault() != nil {\n		return d, errLogFailed", "	if d > Database && n.scribe.fault() != nil {\n		return d, errLogFailed"},
	}},
	{"callers are told of the disk although it failed", "node", scribeFile, one(
		"		s.fail(err)\n		return\n	}\n	s.node.count.logSync", "		s.node.log.Warn(\"syncing the log\", \"error\", err)\n	}\n	s.node.count.logSync")},
	{"callers are told of the disk before it has anything", "node", scribeFile, one(
		"	began := time.Now()\n", "	for _, m := range s.marks {\n		sl := &s.node.slots.all[m.partition]\n		sl.mu.Lock()\n		sl.p.Logged(m.number)\n		sl.mu.Unlock()\n	}\n	began := time.Now()\n")},
	{"the word of an owner in doubt of its lease ends a past process's log", "node", resendFile, one(
		"a.Code == counter.OK && !a.Doubt && p.Pending()", "a.Code == counter.OK && p.Pending()")},
	{"a past process's log goes when the owners have taken it", "node", resendFile, one(
		"a.Code == counter.OK && !a.Doubt && p.Pending() == 0 && a.Applied == a.Persisted\n", "a.Code == counter.OK\n")},
}

var nodeLossesMutants = []mutant{
	{"what is lost is forgotten with the process", "node", lossesFile, one(
		"	return told, l.write()\n", "	return told, nil\n")},
	{"a node stops at every start for what is lost", "node", resendFile, one(
		"	if !told {\n", "	if !told || g.whole {\n")},
	{"an older state than the one that was told of passes for it", "node", lossesFile, one(
		"told = found && was.first <= lost.first; found", "told = found; found")},
}

var nodeReplicaMutants = []mutant{
	{"a second node that has no room passes for a holder", "node", copierFile, one(
		"	if !answered || held < m.number {\n", "	if !answered {\n")},
	{"replica is answered by the owner alone", "node", addFile, one(
		"Replica: counter.Held,", "Replica: counter.Applied,")},
	{"copies are forgotten for a view that is older than they", "node", copiesFile, one(
		"	if c.born[origin] >= c.rounds {\n		return\n	}\n", "")},
	{"copies go that the store does not have yet", "node", copiesFile, one(
		"persisted-s.first+1)\n", "persisted-s.first+2)\n")},
	{"copies of a living process are resent", "node", copiesFile, one(
		"		case m.LeaseLeft > 0 || m.alive || n.haunted(origin):\n", "		case n.haunted(origin):\n")},
}

var nodeLossMutants = []mutant{
	{"copies of a dead process are not resent", "node", roundFile, one(
		"	n.standIn(w)\n", "")},
}

var nodeOvertakenMutants = []mutant{
	{"an owner whose partition somebody else has flushed goes on", "node", backFile, one(
		"		if n.overtaken(id, epochs[id], ledger[id]) {\n", "		if n.overtaken(id, epochs[id], ledger[id]) && n.draining.Load() {\n")},
}

var nodeHolderMutants = []mutant{
	{"a new holder of copies gets only what is new (was so)", "node", copierFile, one(
		"		if p.HasToCopy() && c.wasHeld(p.ID()) {\n", "		if p.HasToCopy() && !c.wasHeld(p.ID()) {\n")},
	{"a former holder of copies is not told what the store has (was so)", "node", copierFile, one(
		"			c.tidyFormer()\n", "")},
	{"the last node leaves without flushing what others sent (was so)", "node", stopFile, one(
		"	if err := n.flusher.Flush(ctx); err != nil {\n", "	if err := ctx.Err(); err != nil {\n")},
	{"a holder of copies leaves before it has stood in (was so)", "node", stopFile, one(
		"	for ctx.Err() == nil && n.holdsForOthers(", "	for ctx.Err() != nil && n.holdsForOthers(")},
	{"a holder says that it has what it let go (was so)", "node", copiesFile, one(
		"	case in.Persisted+1 < s.first:\n		return in.Persisted", "	case in.Persisted+1 < s.first:\n		return s.next() - 1")},
	{"copies that cannot be counted yet are thrown away (was so)", "node", copiesFile, one(
		"			s.torn = true //", "			delete(c.of[origin], p.ID()) //")},
	{"who was the last to hold copies is forgotten (was so)", "node", copierFile, one(
		"	if l == nil || id != c.peer {\n		c.retire()\n", "	if l != nil && id != c.peer {\n		c.retire()\n")},
}

var nodeBoundMutants = []mutant{
	{"increments are accepted without a bound", "node", addFile, one(
		"	if n.full() { // R10: before", "	if n.full() && n.draining.Load() { // R10: before")},
	{"what waits for the store may weigh whatever it likes", "node", addFile, one(
		" || n.slots.bytes.Load() >= int64(n.cfg.MaxPendingBytes)\n", "\n")},
	{"what the store has taken still counts as pending", "node", slotFile, one(
		"	if d := sl.p.Pending() - before; d != 0 {\n", "	if d := sl.p.Pending() - before; d > 0 {\n")},
	{"what the store has taken still weighs", "node", slotFile, one(
		"	if d := sl.p.PendingBytes() - weighed; d != 0 {\n", "	if d := sl.p.PendingBytes() - weighed; d > 0 {\n")},
	{"commands are accepted without a bound", "node", changeFile, one(
		"	if n.full() { // R10\n", "	if n.full() && n.draining.Load() { // R10\n")},
	{"any number of commands are under way to an owner", "node", changesFile, one(
		"	case <-timer.C:\n		return ErrOverloaded\n", "	case <-timer.C:\n		go func() { l.turns <- struct{}{} }()\n		return nil\n")},
}

var nodeOnceMutants = []mutant{
	{"an idempotency key that nobody can look up is taken for new", "node", onceFile, one(
		"			return r, ErrUnreachable\n", "			return wire.ReadResult{Code: wire.IDAbsent}, nil\n")},
	{"idempotency keys are not looked up before they get a number", "node", onceFile, one(
		"		r, err := n.lookUp(c.sl, ref, deadline)\n", "		r, err := wire.ReadResult{Code: wire.IDAbsent}, error(nil)\n")},
	{"a key whose row was read and not used is read again at once (was so)", "node", onceFile, one(
		"		pause := asked || !absent ", "		pause := asked && !absent || !absent ")},
}

var nodeCommandMutants = []mutant{
	{"a command is carried out without a lease", "node", changeFile, one(
		"	if !n.lease.trusted() {\n", "	if !n.lease.trusted() && n.draining.Load() {\n")},
	{"a command is sent again when its answer is lost", "node", changesFile, one(
		"	case err != nil:\n		return Changed{}, ErrInDoubt\n", "	case err != nil:\n		return Changed{}, errMoved\n")},
	{"a command that was never sent is in doubt", "node", changesFile, one(
		"	case err != nil && neverTaken(err):\n", "	case err != nil && neverTaken(err) && n.draining.Load():\n")},
	{"a command is answered although its durability was not reached", "node", changeFile, one(
		"	case errors.Is(err, ErrDurabilityTimeout), errors.Is(err, ErrIDReused):", "	case errors.Is(err, ErrDurabilityTimeout):\n		return Changed{Before: r.Before, Delta: r.Delta}, nil\n	case errors.Is(err, ErrIDReused):")},
}

var nodePeerMutants = []mutant{
	{"a signed message is taken twice", "node", peersFile, one(
		"	case sealed && !n.auth.taken.Take(h.Sender, q.Number):\n", "	case sealed && !n.auth.taken.Take(h.Sender, q.Number) && len(body) == 0:\n")},
	{"a message for another process is taken", "node", peersFile, one(
		"		return q.To == n.id\n", "		return q.To == n.id || true\n")},
	{"without a secret, a message for an earlier process is taken (was so)", "node", peersFile, one(
		"	return string(ctx.Request.Header.Peek(toHeader)) == n.id.String()\n", "	return true\n")},
	{"an answer is believed whoever signed it", "node", callerFile, one(
		"	case code == fasthttp.StatusOK && genuine:\n", "	case code == fasthttp.StatusOK:\n")},
}

var nodeLinkMutants = []mutant{
	{"what a peer left out of its answer is never sent again", "node", linkFile, one(
		"	if len(f.epochs) > 0 { // the peer", "	if len(f.epochs) > maxBatchOps { // the peer")},
	{"news of owners are told once, whether the peer heard them or not", "node", linkFile, one(
		"	for _, r := range f.routes {\n		a.tellRoute(r)\n	}\n", "")},
	{"a section goes to the former owner's link", "node", linkFile, one(
		"	if owner, _ := sl.p.Owner(); owner != a.link.peer {\n", "	if owner, _ := sl.p.Owner(); owner == (counter.Origin{}) {\n")},
	{"what stood in the queue of a closed link stands there for ever", "node", slotFile, one(
		"	if sl.queued == l { // this", "	if sl.queued != nil { // this")},
	{"the end of an earlier epoch's flush gives up a later epoch", "node", givenFile, one(
		"owner == n.id && epoch == b.Epoch {", "owner == n.id && epoch >= b.Epoch {")},
	{"a flush that was refused does not tell whose the partition is", "node", givenFile, one(
		"	if now.Owner != (counter.Origin{}) {\n", "	if now.Owner == n.id {\n")},
}

var nodeFlushMutants = []mutant{
	{"a partition that came back is flushed beside its last flush", "node", givenFile, one(
		"		if !sl.flushing {\n", "		if !sl.flushing || sl.p.Pending() > 0 {\n")},
	{"who came while a flush was under way waits for the next interval", "node", givenFile, one(
		"	if urgent { // who came", "	if urgent && s.n.draining.Load() { // who came")},
	{"an owner that reads its own hand-over in the store tells nobody", "node", roundFile, one(
		"o.Owner != (counter.Origin{}) && !n.handing(o) {", "o.Owner != (counter.Origin{}) {")},
}
