package main

// storeSuites are the mutants of the real store's flush and of the flusher, and of what keeps other settings, strangers and floods out.
// The simulation has a model of the store (internal/sim/store_flush.go): it never meets these files.
func storeSuites() []suite {
	return []suite{
		{[]string{"./flush", "-run", "TestStore/postgres$/Flush|TestPostgres_(Waits|Claims|Closes)"}, false, postgresMutants},
		{[]string{"./flush", "-run", "TestStore/sqlite$/Flush"}, false, sqliteMutants},
		{[]string{"./flush", "-run", "TestFlusher_"}, false, flusherMutants},
		{[]string{"./ring", "-run", "TestR11_"}, false, ringMutants},
		{[]string{"./gossip", "-run", "TestR1[0-3]_"}, false, gossipMutants},
		{[]string{"./internal/seal"}, false, sealMutants},
	}
}

const (
	postgresFile = "flush/migrations/postgres/0006_flush.sql"
	resolveFile  = "flush/flusher_resolve.go"
	tryFile      = "flush/flusher_try.go"
	flusherFile  = "flush/flusher.go"
	tableFile    = "ring/table.go"
	rosterFile   = "gossip/roster.go"
	streamsFile  = "gossip/transport.go"
	gossipFile   = "gossip/gossip.go"
	messageFile  = "internal/seal/message.go"
	windowFile   = "internal/seal/window.go"
)

var postgresMutants = []mutant{
	{"Postgres does not compare the ledger", "R3", postgresFile, []edit{
		{"    where coalesce(l.number, 0) <> m.number or (l.number is null and n.id is null);", "    where l.number is null and n.id is null;"},
		{" and l.origin = m.origin and l.number = m.number_from;", " and l.origin = m.origin;"},
	}},
	{"Postgres tells nobody where the ledger stands", "R3", postgresFile, one(
		"    where coalesce(l.number, 0) <> m.number or (l.number is null and n.id is null);", "    where l.number is null and n.id is null;")},
	{"Postgres does not count the ledger rows that it moved", "R3", postgresFile, one(
		"    if changed + created <> cardinality(in_move_partitions) then", "    if false then")},
	{"Postgres overwrites the counters", "R3", postgresFile, one(
		"set value = c.value + excluded.value,", "set value = excluded.value,")},
	{"Postgres does not count the counters that it wrote", "R3", postgresFile, one(
		"    if written <> cardinality(in_keys) then", "    if false then")},
	{"Postgres sets deltas aside without moving the ledger", "R3", postgresFile, []edit{
		{"and l.number = m.number_from;", "and l.number = m.number_from and cardinality(in_q_keys) = 0;"},
		{"    where m.number_from = 0\n    on conflict", "    where m.number_from = 0 and cardinality(in_q_keys) = 0\n    on conflict"},
		{"    if changed + created <> cardinality(in_move_partitions) then", "    if changed + created <> cardinality(in_move_partitions) and cardinality(in_q_keys) = 0 then"},
	}},
	{"Postgres moves the ledger and forgets what was set aside", "R4", postgresFile, one(
		"        as q (key, raw_key, delta, partition, reason);", "        as q (key, raw_key, delta, partition, reason)\n    where q.raw_key is not null;")},
	{"Postgres keeps what was only tried", "R3", postgresFile, one(
		"    raise exception using errcode = 'PNDRY';\n", "")},
	{"Postgres does not compare the owner", "R5", postgresFile, one(
		"    where p.owner is distinct from in_node or p.epoch is distinct from r.epoch;", "    where p.epoch is distinct from r.epoch;")},
	{"Postgres does not compare the epoch", "R5", postgresFile, one(
		"    where p.owner is distinct from in_node or p.epoch is distinct from r.epoch;", "    where p.owner is distinct from in_node;")},
	{"Postgres does not lock the partition", "R5", postgresFile, one(
		"where p.partition = any (in_partitions) order by p.partition for update;", "where p.partition = any (in_partitions) order by p.partition;")},
	{"Postgres hands a partition over within its epoch", "R5", postgresFile, one(
		"set owner = h.new_owner, epoch = p.epoch + 1", "set owner = h.new_owner, epoch = p.epoch")},
	{"a process may be closed while Postgres makes its first ledger row", "R3", postgresFile, one(
		"    order by n.id for key share;", "    order by n.id;")},
	{"in Postgres, a key that is taken does not stop the flush", "R9", postgresFile, one(
		"            if written <> cardinality(in_id_keys) then", "            if false then")},
	{"in Postgres, keys are overwritten before they expire", "R9", postgresFile, one(
		"                where i.expires_at <= at;\n            get", "                where i.expires_at <> at;\n            get")},
}

var sqliteMutants = []mutant{
	{"SQLite does not compare the ledger", "R3", sqliteFile, []edit{
		{"if miss.Refused || miss.Number != m.From {", "if miss.Refused {"},
		{"		where number = ?4`)", "		where ?4 = ?4`)"},
	}},
	{"SQLite does not count the ledger rows that it moved", "R3", sqliteFile, one(
		"			if n != 1 { // cannot", "			if n > 1 { // cannot")},
	{"SQLite overwrites the counters", "R3", sqliteFile, one(
		"set value = value + excluded.value,", "set value = excluded.value,")},
	{"SQLite keeps what was only tried", "R3", sqliteFile, one(
		"		return !r.DryRun, nil\n", "		return true, nil\n")},
	{"SQLite does not compare the owner", "R5", sqliteFile, one(
		"if stands.UUID != r.Node || epoch != b.Epoch {", "if epoch != b.Epoch {")},
	{"SQLite does not compare the epoch", "R5", sqliteFile, one(
		"if stands.UUID != r.Node || epoch != b.Epoch {", "if stands.UUID != r.Node {")},
}

var flusherMutants = []mutant{
	{"what the server cancelled for its time is sent again as it was (was so)", "flusher", "flush/flusher_try.go", one(
		" || isCancelled(err)\n", " || isCancelled(nil)\n")},
	{"an unknown outcome is taken for applied", "R3", tryFile, one(
		"		f.postpone(c, err, timedOut, &rep)\n	}\n	return rep\n",
		"		_ = timedOut\n		for _, p := range c.batches {\n			rep.done = append(rep.done, finished{batch: p, outcome: Outcome{Verdict: Committed}})\n		}\n	}\n	return rep\n")},
	{"what an earlier try applied is taken for not applied", "R3", resolveFile, one(
		"	case exact == len(b.Moves) && b.NewOwner == uuid.Nil:\n", "	case exact == len(b.Moves) && b.NewOwner == uuid.Nil && len(off) == 0:\n")},
	{"a ledger beyond the batch is taken for the batch's", "R3", resolveFile, one(
		"	case exact == len(b.Moves) && b", "	case past == len(b.Moves) && b")},
	{"one of the batch's ledger rows is taken for all", "R3", resolveFile, one(
		"	case exact == len(b.Moves) && b", "	case exact > 0 && b")},
	{"a hand-over is believed without its ledger", "R3", resolveFile, one(
		"	case moved && b.handedOver(owner) && past == len(b.Moves):\n", "	case moved && b.handedOver(owner):\n")},
	{"what the database refuses is dropped without a record", "R4", tryFile, one(
		"			req.Quarantine = p.quarantine\n",
		"			req.Batches[i].Deltas = nil\n			for _, d := range p.Deltas {\n				if _, poison := p.quarantine[d.Key]; !poison {\n					req.Batches[i].Deltas = append(req.Batches[i].Deltas, d)\n				}\n			}\n")},
	{"the last flush is cancelled when the flusher stops", "R12", flusherFile, one(
		"context.WithCancel(context.WithoutCancel(ctx))", "context.WithCancel(ctx)")},
}

var ringMutants = []mutant{
	{"the table depends on the order of the members", "R11", tableFile, one(
		"	slices.Sort(names)\n", "")},
}

var gossipMutants = []mutant{
	{"a member with other settings is accepted", "R11", rosterFile, one(
		"	if err == nil && meta.Settings == r.settings {\n", "	if err == nil {\n")},
	{"a member's settings are looked at only when it joins", "R11", rosterFile, one(
		"	return r.check(n)\n", "	return nil\n")},
	{"refused nodes are remembered without a bound", "R10", rosterFile, one(
		"len(r.mu.refused) >= maxRefused {", "len(r.mu.refused) >= maxRefused<<10 {")},
	{"anybody may open as many gossip streams as he likes", "R10", streamsFile, one(
		"len(t.mu.open) >= maxStreams {", "len(t.mu.open) >= maxStreams<<10 {")},
	{"gossip is sent and taken in the clear", "R13", gossipFile, one(
		"	if g.keyring != nil {\n", "	if g.keyring != nil && g.cfg.ID == \"\" {\n")},
}

var sealMutants = []mutant{
	{"a message counts whoever signed it", "R13", messageFile, one(
		"hmac.Equal(sum[:], raw[24:]) {", "len(sum) == len(raw[24:]) {")},
	{"a signature holds for any path", "R13", messageFile, one(
		"unsafe.Slice(unsafe.StringData(path), len(path)), body)", "unsafe.Slice(unsafe.StringData(path), 0), body)")},
	{"an answer counts for any question", "R13", messageFile, one(
		"	at += copy(head[at:], q.mac[:])\n	binary.BigEndian.PutUint32(head[at:], uint32(status))",
		"	at += len(q.mac)\n	binary.BigEndian.PutUint32(head[at:], uint32(status))")},
	{"a number is taken twice", "R13", windowFile, one(
		"	if s.bits[word]&bit != 0 {\n", "	if s.bits[word]&bit != 0 && n < s.high {\n")},
}
