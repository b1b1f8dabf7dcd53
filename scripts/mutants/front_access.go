package main

var accessMutants = []mutant{
	{"a token that was taken out of the file is still accepted", "access", guardFile, one(
		"		g.tokens.Store(found)\n	}\n	set, noSet", "	}\n	set, noSet")},
	{"a tokens file that cannot be read locks everybody out", "access", guardFile, one(
		"	if noTokens == nil {\n		g.tokens.Store(found)\n", "	if g != nil {\n		g.tokens.Store(found)\n")},
	{"two credentials pass for the first", "access", guardFile, one(
		"	if len(headers) > 1 {\n", "	if len(headers) > 2 {\n")},
	{"a token of another scheme is taken", "access", guardFile, one(
		"bytes.EqualFold(scheme, []byte(\"bearer\")) && len", "len(scheme) > 0 && len")},
	{"the scheme is compared with its case", "access", guardFile, one(
		"bytes.EqualFold(scheme, []byte(\"bearer\"))", "string(scheme) == \"Bearer\"")},
	{"a token that is refused stands in the log", "access", guardFile, one(
		"	if !g.cfg.signed() || !looksLikeJWT(token) {\n", "	if !g.cfg.signed() || !looksLikeJWT(token) {\n		g.log.Warn(\"refused\", \"token\", string(token))\n")},
	{"a file that is broken holds up the keys of the other", "access", sourcesFile, one(
		"		if noSet == nil {\n", "		if noSet == nil && noSecret == nil {\n")},
	{"a set that cannot be read takes the last good keys away", "access", sourcesFile, one(
		"		if noSet == nil {\n", "		if s != nil {\n")},
	{"a token whose key is still to be fetched is refused for good", "access", guardFile, one(
		"		if by.partial {\n", "		if by.partial && by == nil {\n")},
	{"a short secret of HS256 is taken", "access", sourcesFile, one(
		"len(text) < minSecret {", "len(text) < 1 {")},
	{"one scope of several is enough", "access", grantFile, one(
		"g.scopes&s == s }", "g.scopes&s != 0 }")},
	{"the key's prefix is not compared", "access", grantFile, one(
		"len(key) >= len(p) && string(key[:len(p)]) == p {", "len(key) >= len(p) {")},
	{"the prefix may begin with the key", "access", grantFile, one(
		"if len(key) >= len(p) && string(key[:len(p)]) == p {", "if n := min(len(key), len(p)); string(key[:n]) == p[:n] {")},
	{"whoever has a prefix sees the whole cluster", "access", grantFile, one(
		" && len(g.prefixes) == 0\n}", "\n}")},

	{"the expiry of a JWT is not checked", "access", jwtFile, one(
		"jwt.WithLeeway(leeway)", "jwt.WithLeeway(1000*time.Hour)")},
	{"a JWT needs no expiry", "access", jwtFile, []edit{
		{"jwt.WithExpirationRequired(), ", ""},
		{"	if err != nil || expiry == nil {\n		return nil, until, jwt.ErrTokenRequiredClaimMissing\n	}\n", "	if err != nil {\n		return nil, until, jwt.ErrTokenRequiredClaimMissing\n	}\n	if expiry == nil {\n		expiry = jwt.NewNumericDate(time.Now().Add(time.Hour))\n	}\n"},
	}},
	{"the audience of a JWT is not checked", "access", jwtFile, one(", jwt.WithAudience(c.Audience)", "")},
	{"the issuer of a JWT is not checked", "access", jwtFile, one(", jwt.WithIssuer(c.Issuer)", "")},
	{"a remembered JWT outlives its expiry", "access", "internal/access/cache.go", one(
		"ok && now.Before(one.until) {", "ok {")},
	{"a remembered JWT outlives its key", "access", "internal/access/cache.go", one(
		"	if c.by != by {\n		return nil\n", "	if c.by == nil {\n		return nil\n")},
	{"alg none is accepted", "access", jwtFile, []edit{
		{"jwt.WithValidMethods(algorithms)", "jwt.WithValidMethods(append(algorithms, \"none\"))"},
		{"	id, named := t.Header[\"kid\"].(string)\n", "	if t.Method.Alg() == \"none\" {\n		return jwt.UnsafeAllowNoneSignatureType, nil\n	}\n	id, named := t.Header[\"kid\"].(string)\n"},
	}},
	{"the token chooses its algorithm", "access", jwtFile, []edit{
		{"jwt.WithValidMethods(algorithms), ", ""},
		{"k.algorithm == t.Method.Alg() && (", "("},
	}},
	{"HS256 with a public key as its secret", "access", jwtFile, []edit{
		{"	\"errors\"\n", "	\"crypto/x509\"\n	\"encoding/pem\"\n	\"errors\"\n"},
		{"	if len(set.Keys) == 0 {\n", "	for _, k := range i.keys {\n		if der, err := x509.MarshalPKIXPublicKey(k.key); err == nil && t.Method.Alg() == \"HS256\" {\n			set.Keys = append(set.Keys, pem.EncodeToMemory(&pem.Block{Type: \"PUBLIC KEY\", Bytes: der}))\n		}\n	}\n	if len(set.Keys) == 0 {\n"},
	}},
	{"a claim of prefixes that says nothing grants every key", "access", jwtFile, one(
		"err != nil || given && len(prefixes) == 0 {", "err != nil || given && claim != nil && len(prefixes) == 0 {")},
	{"any key will do, whatever the name in the token", "access", jwtFile, one(
		"&& (!named || k.id == \"\" || k.id == id) {", "&& (!named || k.id == \"\" || id != \"\") {")},
	{"a critical header is passed over", "access", jwtFile, one("; critical {", "; critical && t.Valid {")},
	{"a weak RSA key is taken", "access", jwksFile, one("n.BitLen() < minRSABits {", "n.BitLen() < 512 {")},
	{"a key for encryption checks signatures", "access", jwksFile, one("k.Use != \"\" && k.Use != \"sig\":", "k.Use == \"none\":")},
	{"keys are fetched from wherever a redirect leads", "access", "internal/access/fetch.go", one(
		"			return safeURL(r.URL.String())\n", "			return nil\n")},
}

var accessHTTPMutants = []mutant{
	{"scopes are not checked", "access", permitFile, one(
		"		return g.May(needs), needs\n	case routeCluster", "		return true, needs\n	case routeCluster")},
	{"who may write may read", "access", permitFile, one(
		"			needs = access.Read\n", "			needs = 0\n")},
	{"a new route is open to everybody", "access", permitFile, one(
		"	return g.May(access.Admin), access.Admin // whatever", "	return true, access.Admin // whatever")},
	{"the live page's stream asks for no credential", "access", permitFile, one(
		"		return !bytes.HasSuffix(path, []byte(\"events\"))", "		return !bytes.Equal(path, []byte(\"events\"))")},
	{"the stream is open when its path is written otherwise", "access", permitFile, one(
		"	if openRoute(r, ctx.Path()) {\n", "	if openRoute(r, header.RequestURI()) {\n")},
	{"a total is of any key", "access", "httpapi/reads.go", one(
		"!ok || !s.mayKey(ctx, key) {\n		return\n	}\n	reading, err", "!ok {\n		return\n	}\n	reading, err")},
	{"a list is for any prefix", "access", "httpapi/list.go", one(
		"!ok || !s.mayKey(ctx, []byte(p.prefix)) {", "!ok || !s.mayKey(ctx, append([]byte(p.prefix), \"page:\"...)) && p.prefix == \"\" {")},
	{"an increment is for any key", "access", "httpapi/increment.go", one(
		"	if !s.mayKey(ctx, f.key.text) {\n", "	if !s.mayKey(ctx, f.key.text) && len(f.key.text) == 0 {\n")},
	{"an item of a batch is for any key", "access", "httpapi/items.go", one(
		"	if !b.grant.MayKey(f.key.text) {\n", "	if len(b.in) == 0 && !b.grant.MayKey(f.key.text) {\n")},
	{"a grant does not reach the handler", "access", permitFile, one(
		"	if ok {\n		ctx.SetUserValue", "	if ok && g == nil {\n		ctx.SetUserValue")},
	{"a token that was taken back keeps its live page", "access", "httpapi/page.go", one(
		"		return err == nil && ok\n", "		return err == nil && ok || len(headers) > 0\n")},
	{"a stranger may send a long body", "access", largeFile, one(
		"	case !may:\n", "	case s.cfg.Access == nil && !may:\n")},
	{"401 without WWW-Authenticate", "access", permitFile, one(
		"		setChallenge(ctx, challenge)\n", "")},
	{"403 without WWW-Authenticate", "access", permitFile, one(
		"	setChallenge(ctx, value)\n	refuse(ctx, fasthttp.StatusForbidden, p)", "	_ = value\n	refuse(ctx, fasthttp.StatusForbidden, p)")},
	{"403 does not say which scope is missing", "access", permitFile, one(
		"	if needs != 0 {\n", "	if needs == 0 {\n")},
}
