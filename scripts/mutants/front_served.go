package main

var specMutants = []mutant{
	{"a route is added without a word in the document", "openapi", routeFile, []edit{
		{"	routeCount     = iota\n", "	routePing\n	routeCount     = iota\n"},
		{"		routeSpec:      \"/openapi.yaml\",\n", "		routeSpec:      \"/openapi.yaml\",\n		routePing:      \"/ping\",\n"},
		{"		case \"/openapi.yaml\":\n", "		case \"/ping\":\n			return routePing, nil\n		case \"/openapi.yaml\":\n"},
	}},
	{"a documented route is gone", "openapi", routeFile, one(
		"		case \"/openapi.yaml\":\n			return routeSpec, nil\n", "")},
	{"a path is gone from the document", "openapi", specFile, one("\n  /healthz:\n", "\n  /health:\n")},
	{"a method is gone from the document", "openapi", specFile, one("\n  /increment:\n    post:\n", "\n  /increment:\n    put:\n")},
	{"a status is answered that is not documented", "openapi", permitFile, one(
		"	refuse(ctx, fasthttp.StatusForbidden, p)", "	refuse(ctx, fasthttp.StatusConflict, p)")},
	{"an answer has another body than is documented", "openapi", "httpapi/handler.go", one(
		"`{\"data\":{\"status\":\"ok\"}}`", "`{\"data\":{\"state\":\"ok\"}}`")},
	{"a header comes that is not documented", "openapi", rateFile, one(
		"	header := &ctx.Response.Header\n", "	header := &ctx.Response.Header\n	header.Set(\"X-Client\", \"1\")\n")},
}

// metricMutants rename what the operators' files ask for.
var metricMutants = []mutant{
	{"a metric of an alert is renamed", "alerts", "node/metrics.go", []edit{
		{"{Name: \"pinocchio_lease_trusted\"", "{Name: \"pinocchio_lease_held\""},
		{"gauge(\"pinocchio_lease_trusted\"", "gauge(\"pinocchio_lease_held\""},
	}},
	{"a metric of the rate limit is renamed", "alerts", takeFile, []edit{
		{"{Name: \"pinocchio_rate_limit_stranded_total\"", "{Name: \"pinocchio_rate_limit_alone_total\""},
		{"NewCounter(\"pinocchio_rate_limit_stranded_total\")", "NewCounter(\"pinocchio_rate_limit_alone_total\")"},
	}},
	{"a setting of the manifests is renamed", "alerts", "cmd/pinocchio/protect.go", one(
		"	SecretFile  string `type:", "	SecretFile  string `name:\"secrets\" type:")},
}

var deployMutants = []mutant{
	{"an alert asks for a metric that there is not", "alerts", alertsFile, one(
		"expr: pinocchio_store_up == 0", "expr: pinocchio_store_ok == 0")},
	{"an alert's expression does not parse", "alerts", alertsFile, one(
		"expr: pinocchio_pending_age_seconds > 30", "expr: pinocchio_pending_age_seconds > > 30")},
	{"an alert that the docs do not explain", "alerts", alertsFile, one(
		"expr: pinocchio_store_up == 0", "expr: pinocchio_store_up == 0\n      - alert: PinocchioOther\n        expr: pinocchio_store_up == 0")},
	{"an alert without an expression", "alerts", alertsFile, one(
		"        expr: pinocchio_store_up == 0\n", "")},
	{"an alert for a label that no metric has", "alerts", alertsFile, one(
		"pinocchio_members{state=\"leased\"}", "pinocchio_members{state=\"lease\"}")},
	{"a panel asks for a metric that there is not", "alerts", grafanaFile, one(
		"\"sum(rate(pinocchio_increments_total{result=\\\"accepted\\\"}[1m]))\"", "\"sum(rate(pinocchio_increments{result=\\\"accepted\\\"}[1m]))\"")},
	{"a panel takes a histogram for a counter", "alerts", grafanaFile, one(
		"histogram_quantile(0.5, sum by (le) (rate(pinocchio_http_request_duration_seconds_bucket", "histogram_quantile(0.5, sum by (le) (rate(pinocchio_http_request_duration_seconds")},
}

var pageMutants = []mutant{
	{"what strangers sent goes into the page as HTML", "page", "dashboard/static/dom.js", one(
		"  e.append(...children);\n", "  for (const c of children) typeof c === 'string' ? e.insertAdjacentHTML('beforeend', c) : e.append(c);\n")},
	{"an answer goes into the page as HTML", "page", "dashboard/static/counter.js", one(
		"    answer.textContent = await what(find('key').value);\n", "    answer.innerHTML = await what(find('key').value);\n")},
	{"the page may run what is written into it", "page", pageFile, one(
		"const policy = \"default-src 'self';", "const policy = \"default-src * 'unsafe-inline';")},
	{"anybody may open as many streams as he likes", "page", streamFile, one(
		"len(d.mu.watchers) >= maxWatchers {", "len(d.mu.watchers) >= maxWatchers<<10 {")},
	{"a slow reader is not dropped", "page", streamFile, one(
		"		default:\n			d.drop(w)\n", "		default:\n")},
	{"the cluster is asked when the last reader was too slow", "page", streamFile, one(
		"	if len(d.mu.watchers) == 0 {\n		d.rest()\n		return false\n", "	if len(d.mu.watchers) == 0 {\n		return true\n")},
	{"the history grows for ever", "page", "dashboard/history.go", one(
		"	return all[max(len(all)-maxPoints, 0):]\n", "	return all\n")},
}

var browserMutants = []mutant{
	{"a killed node looks like the others", "page", "dashboard/static/tables.js", one(
		"class: up ? '' : 'gone'", "class: ''")},
	{"who is denied is not shown", "page", "dashboard/static/tiles.js", one(
		"count(state.sum('denied')), state", "count(0), state")},
	{"memory and goroutines are swapped", "page", "dashboard/static/tables.js", one(
		"of('memory', bytes), of('goroutines', count)", "of('goroutines', count), of('memory', bytes)")},
}
