package main

var limitMutants = []mutant{
	{"X-Forwarded-For is believed from anybody", "rate", addressFile, one(
		"		for len(rest) > 0 && p.trust(peer) {\n", "		for len(rest) > 0 {\n")},
	{"the leftmost address is believed, which anybody may have written", "rate", addressFile, one(
		"				rest, entry = rest[:i], rest[i+1:]\n", "				rest, entry = nil, rest[:i]\n")},
	{"an IPv4 address in IPv6 form is another client", "rate", addressFile, one(
		"return a.Unmap().WithZone(\"\") }", "return a.WithZone(\"\") }")},
	{"each address of an IPv6 network is a client", "rate", addressFile, one(
		"a.Prefix(64)", "a.Prefix(128)")},
	{"idle clients are never forgotten", "rate", clientsFile, one(
		"	case now-s.turned < period:\n", "	case now-s.turned < period, s.turned > 0:\n")},
	{"a client is forgotten before its allowance is whole", "rate", clientsFile, one(
		"		whole = s.older[id]\n", "		whole = 0\n")},
	{"there is no bound on clients", "rate", clientsFile, one(
		"		if !known && len(s.newer) >= c.most {\n", "		if !known && len(s.newer) >= c.most<<20 {\n")},
	{"a request that is denied takes something", "rate", clientsFile, one(
		"		next = whole\n", "		next = min(next, now+all)\n")},
	{"a rest earns more than the burst", "rate", clientsFile, one(
		"	whole = max(whole, now)\n", "	whole = max(whole, now-all)\n")},
	{"Retry-After is a second too short", "rate", "internal/limit/policy.go", one(
		"math.Ceil(d.Seconds())", "math.Floor(d.Seconds())")},
}

var limitNodeMutants = []mutant{
	{"the allowance is one for each node", "rate", takeFile, one(
		"	if here {\n		return n.rates.take(q), true\n", "	if here || n.rates.clients != nil {\n		return n.rates.take(q), true\n")},
	{"denied increments are not counted", "rate", takeFile, one(
		"	n.rates.denied.Add(cost)\n", "")},
	{"the live page does not see who is denied", "rate", takeFile, one(
		"		n.NoteDenied()\n", "		continue\n")},
	{"an owner that does not answer denies", "rate", takeFile, one(
		"		d = n.rates.take(q)\n", "		d = limit.Decision{}\n")},
	{"a decision that a node makes alone is not counted", "rate", takeFile, one(
		"		n.rates.stranded.Inc()\n", "")},
	{"an owner decides about clients that are another's", "rate", "node/limit_lane.go", one(
		"; here {\n			a = rateAnswer{decision", "; here || q.cost > 0 {\n			a = rateAnswer{decision")},
}

var limitHTTPMutants = []mutant{
	{"429 without Retry-After", "rate", rateFile, one(
		"	header.Set(\"Retry-After\", strconv.FormatInt(d.RetryAfter(), 10))\n", "	_ = d.RetryAfter()\n")},
	{"no RateLimit header", "rate", rateFile, one(
		"	header.SetCanonical(headerRate, []byte(d.Header()))\n", "")},
	{"no RateLimit-Policy header", "rate", rateFile, one(
		"	header.SetCanonical(headerRatePolicy, []byte(r.Policy.Header()))\n", "")},
	{"what is denied is counted all the same", "rate", rateFile, one(
		"long as Retry-After says\",\n	})\n	return false\n", "long as Retry-After says\",\n	})\n	return true\n")},
	{"a batch that can never pass is told to come again", "rate", rateFile, one(
		"	if count > r.Policy.Burst { //", "	if count > r.Policy.Burst<<20 { //")},
	{"a batch costs as much as one increment", "rate", rateFile, one(
		"max(1, count))", "1)")},
	{"clients are addresses although they should be credentials", "rate", rateFile, one(
		"	if r.ByCredential {\n", "	if r.ByCredential && len(r.Proxies) > 0 {\n")},
	{"X-Forwarded-For counts without a trusted proxy", "rate", rateFile, one(
		"		peer = r.Proxies.Client(peer, nil)\n", "		if a, err := netip.ParseAddr(string(header.Peek(\"X-Forwarded-For\"))); err == nil {\n			peer = a\n		}\n")},
	{"long bodies may hold any amount together", "R10", largeFile, one(
		"		if left < n {\n", "		if left < -1<<40 {\n")},
	{"a request that is cut holds what it was granted for ever", "R10", serverFile, one(
		"	c.release = func() { s.giveBack(c) }\n", "	c.release = func() {}\n")},
	{"idle connections keep the longest body they had", "R10", serverFile, one(
		"	fasthttp.SetBodySizePoolLimit(keptBody, keptBody)\n", "")},
	{"a rate limit by credential is taken where there are none", "rate", rateFile, one(
		"	case r.ByCredential && !access:\n", "	case r.ByCredential && access && false:\n")},
}
