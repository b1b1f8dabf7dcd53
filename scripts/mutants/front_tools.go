package main

var configMutants = []mutant{
	{"the file comes before the environment", "config", settingsFile, one(
		"	if fromEnvironment(flag) != \"\" || !ok {\n", "	if !ok {\n")},
	{"the file is not read", "config", settingsFile, one(
		"	if s.path != \"\" {\n", "	if s.path != \"\" && s.flags == nil {\n")},
	{"a setting that there is not is passed over", "config", settingsFile, one(
		"		if !known || name == configFlag", "		if !known && name == configFlag")},
	{"only the first fault is named", "config", "cmd/pinocchio/faults.go", one(
		"		if fault != nil && !strings.Contains(first.Error(), \"--\"+flag.Name) {\n", "		if fault != nil && len(faults) == 0 {\n")},
	{"a password is shown", "config", "cmd/pinocchio/config.go", one(
		"		shown = redacted(value)\n", "		shown = value\n")},
	{"the environment is said to be the default", "config", "cmd/pinocchio/config.go", one(
		"	case variable != \"\":\n", "	case variable == \"-\":\n")},
}

var strategyMutants = []mutant{
	{"the naive strategy takes no lock", "strategy", directFile, one(
		"where key = $1 for update\"", "where key = $1\"")},
	{"the naive strategy gives up when another one inserts", "strategy", directFile, one(
		"		if !has(err, uniqueViolation) {\n", "		if !has(err, uniqueViolation) || err != nil {\n")},
	{"the upsert overwrites", "strategy", directFile, one(
		"set value = c.value + excluded.value`, key, delta)", "set value = excluded.value`, key, delta)")},
	{"sums wrap around", "strategy", directFile, one(
		"	return sum, (sum > a) == (b > 0)\n", "	return sum, true\n")},
	{"the buffer is read and then cleared: the race of the prototype", "strategy", bufferedFile, one(
		"	s.sums = make(map[string]int64, len(sums))\n	s.mu.Unlock()\n",
		"	sums = maps.Clone(sums)\n	s.mu.Unlock()\n	time.Sleep(time.Millisecond)\n	s.mu.Lock()\n	clear(s.sums)\n	s.mu.Unlock()\n")},
	{"a batch whose answer was lost is sent under a new number", "strategy", bufferedFile, []edit{
		{"	if _, err := s.table.pool.Exec(ctx, sendBatch, s.writer, s.number+1, b.keys", "	s.number++\n	if _, err := s.table.pool.Exec(ctx, sendBatch, s.writer, s.number, b.keys"},
		{"		return inRange(err)\n	}\n	s.number++\n", "		return inRange(err)\n	}\n"},
	}},
	{"a batch that failed is dropped", "strategy", bufferedFile, one(
		"		if err := s.send(ctx, s.queue[0]); err != nil {\n			return err\n", "		if err := s.send(ctx, s.queue[0]); err != nil {\n			s.queue = s.queue[1:]\n			return err\n")},
}

var commandMutants = []mutant{
	{"a command that failed ends with status 0", "command", mainFile, one(
		"		return report(std, err, exitFailed)\n	}\n	return exitOK\n", "		return report(std, err, exitOK)\n	}\n	return exitOK\n")},
	{"wrong usage ends with the status of a failure", "command", mainFile, one(
		"parser.Model.Name), exitUsage)", "parser.Model.Name), exitFailed)")},
	{"an error is several lines", "command", mainFile, one(
		"	return strings.Join(lines, \"; \")\n", "	return strings.Join(lines, \"\\n\")\n")},
	{"an audit that does not add up ends with status 0", "command", "cmd/pinocchio/audit_sums.go", one(
		"	return errors.Join(faults...)\n}\n\n// moreOrLess", "	if exact {\n		return errors.Join(faults...)\n	}\n	return nil\n}\n\n// moreOrLess")},
	{"a node that is not ready passes for one that is", "command", "cmd/pinocchio/health.go", one(
		"!= http.StatusOK {", "== http.StatusTeapot {")},
	{"any certificate is taken", "command", "cmd/pinocchio/health.go", one(
		"	return &tls.Config{RootCAs: roots}, nil\n", "	return &tls.Config{RootCAs: roots, InsecureSkipVerify: true}, nil\n")},
	{"a load that access control let nothing of through ends with status 0", "command", "cmd/pinocchio/bench.go", one(
		"	case r.Forbidden():\n", "	case r.Forbidden() && c.Strict:\n")},
	{"a plot that cannot be drawn is found out after the load", "command", "cmd/pinocchio/bench.go", one(
		"append(faults, plottable(c.Plot))...", "append(faults, plottable(\"\"))...")},
	{"top asks the members without TLS", "command", "cmd/pinocchio/look.go", one(
		"		return \"https://\"\n", "		return \"http://\"\n")},
	{"top asks one member after the other", "command", "cmd/pinocchio/look.go", one(
		"		all.Go(func() { looks[i] = lookAtOne(ctx, web, a.scheme()+m.HTTPAddr, limit) })\n",
		"		looks[i] = lookAtOne(ctx, web, a.scheme()+m.HTTPAddr, limit)\n")},
	{"another certificate than the named one is taken", "command", "cmd/pinocchio/health.go", one(
		"			if !bytes.Equal(s.PeerCertificates[0].Raw, own.Bytes) {\n", "			if bytes.Equal(s.PeerCertificates[0].Raw, nil) {\n")},
}

var loadMutants = []mutant{
	{"an item's refusal passes for counted", "load", "bench/batch.go", one(
		"		r.items[i].status, r.items[i].later = a.Status, a.Counted", "		r.items[i].status, r.items[i].later = min(a.Status, 202), a.Counted")},
	{"an answer with too few items is believed", "load", "bench/batch.go", one(
		"	if len(answers) != len(r.items) {\n", "	if len(answers) > len(r.items) {\n")},
	{"of a batch in doubt one increment is in doubt", "load", "bench/tally.go", one(
		"		for j := range requests[i].increments() {\n", "		for j := range min(requests[i].increments(), 1) {\n")},
}

var openMutants = []mutant{
	{"looking at a Postgres migrates it", "open", "flush/postgres_open.go", one(
		"	if opt.Existing {\n", "	if opt.Existing && have > len(steps) {\n")},
	{"looking at a file of SQLite migrates it", "open", "flush/sqlite_open.go", one(
		"		prepare = (*SQLite).examine\n", "")},
	{"looking at a file of SQLite changes its mode", "open", "flush/sqlite_open.go", one(
		"	if existing {\n", "	if existing && path == \"\" {\n")},
	{"an older schema passes for this one", "open", "flush/migrate.go", one(
		"	if have != len(steps) {\n", "	if have == 0 || have > len(steps) {\n")},
}

var clientMutants = []mutant{
	{"an increment without an idempotency key is sent again", "client", fateFile, one(
		"		return r.repeatable\n", "		return true\n")},
	{"an increment is sent again after a 500 without a key", "client", fateFile, one(
		"	case mayHaveCounted(status), status", "	case mayHaveCounted(status):\n		f.fate = refused\n	case status")},
	{"a proxy's 503 passes for a node's", "client", fateFile, one(
		"status == http.StatusServiceUnavailable && reasoned:\n", "status == http.StatusServiceUnavailable:\n")},
	{"a refusal clears the doubt that a lost answer left", "client", callFile, one(
		"		doubt = doubt || ", "		doubt = ")},
	{"a lost answer is forgotten in a batch's next round", "client", "client/batch.go", one(
		"mayCount(out[i].Err) && !mayCount", "false && !mayCount")},
	{"a node that did not answer is asked first again", "client", callFile, one(
		"	if c.choice == index {\n", "	if false {\n")},
	{"what waited for a connection in vain passes for sent", "client", fateFile, one(
		"	case c.asked.Load() && !c.had.Load():\n", "	case false:\n")},
	{"what was sent before its node went away passes for unsent (was so)", "client", fateFile, one(
		"		if !c.had.Load() || r.header", "		if true || r.header")},
	{"what was refused for good is sent again", "client", fateFile, one(
		"	case status == http.StatusTooManyRequests, ", "	case status == http.StatusTooManyRequests, status == http.StatusUnprocessableEntity, ")},
	{"a repeat has another idempotency key", "client", callFile, one(
		"		req.Header[name] = values\n", "		req.Header[name] = append([]string(nil), values...)\n		if name == \"Idempotency-Key\" {\n			req.Header.Set(name, time.Now().Format(`\"150405.000000000\"`))\n		}\n")},
	{"a lost answer passes for a refusal", "client", fateFile, one(
		"	f := &failure{fate: doubtful, err: err}\n", "	f := &failure{fate: refused, err: err}\n")},
	{"the token goes wherever a redirect leads", "client", "client/client.go", one(
		"error { return http.ErrUseLastResponse }", "error { return nil }")},
	{"Retry-After is not heeded", "client", fateFile, one(
		"err: answer, rest: answer.RetryAfter}", "err: answer}")},
	{"the writer does not press back", "client", "client/writer.go", one(
		"make(chan struct{}, opt.MaxPending)", "make(chan struct{}, 1<<20)")},
	{"the writer keeps failures to itself", "client", "client/writer.go", one(
		"	return failures\n", "	return nil\n")},
	{"a batch cut short passes for a whole one", "client", "client/batch.go", one(
		"		return nil, fmt.Errorf(\"%w: %w\", ErrUnknownOutcome, err)\n	}\n	if len(answers)", "		return make([]itemAnswer, want), nil\n	}\n	if len(answers)")},
	{"a batch with one increment without a key is sent again", "client", "client/batch.go", one(
		"		repeatable = repeatable && list[i].ID != \"\"\n", "		repeatable = repeatable || list[i].ID != \"\"\n")},
}

var certMutants = []mutant{
	{"a peer's certificate is not verified", "tls", mutualFile, one(
		"tls.RequireAndVerifyClientCert", "tls.RequireAnyClientCert")},
	{"a peer needs no certificate", "tls", mutualFile, []edit{
		{"tls.RequireAndVerifyClientCert", "tls.VerifyClientCertIfGiven"},
		{"			return c.PeerCertificates[0].VerifyHostname(m.name)\n", "			if len(c.PeerCertificates) == 0 {\n				return nil\n			}\n			return c.PeerCertificates[0].VerifyHostname(m.name)\n"},
	}},
	{"a peer's certificate may be for another service", "tls", mutualFile, one(
		"			return c.PeerCertificates[0].VerifyHostname(m.name)\n", "			return nil\n")},
	{"a node does not verify whom it calls", "tls", mutualFile, one(
		"		ServerName:   m.name,\n", "		ServerName:   m.name,\n		InsecureSkipVerify: true,\n")},
	{"nodes talk an old TLS", "tls", mutualFile, one(
		"	return &tls.Config{\n		MinVersion:             tls.VersionTLS13,\n		SessionTicketsDisabled: true, // nodes", "	return &tls.Config{\n		MinVersion:             tls.VersionTLS12,\n		SessionTicketsDisabled: true, // nodes")},
	{"clients talk an old TLS", "tls", sourceFile, one(
		"tls.VersionTLS12,", "tls.VersionTLS10,")},
	{"a renewed certificate is not shown", "tls", sourceFile, one(
		"		s.now.Store(l)\n		log.Info", "		_ = l\n		log.Info")},
	{"a torn certificate replaces the good one", "tls", sourceFile, one(
		"\"kind\", s.kind, \"error\", err, \"expires\", s.Expiry())\n			return err\n", "\"kind\", s.kind, \"error\", err, \"expires\", s.Expiry())\n			s.now.Store(new(loaded))\n			return err\n")},
	{"a node starts with a certificate that others refuse", "tls", sourceFile, one(
		"	if err := l.fits(s.name); err != nil {\n", "	if err := l.fits(s.name); err != nil && l.roots == nil {\n")},
}

var reloadMutants = []mutant{
	{"only a file's length is looked at", "tls", "internal/reload/reload.go", one(
		"		h.Write(text)\n", "")},
	{"a change before the watch began is missed", "tls", "internal/reload/reload.go", one(
		"	defer tick.Stop()\n", "	defer tick.Stop()\n	f.seen = f.digest()\n")},
}
