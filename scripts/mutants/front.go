package main

// fronts are the mutants of what stands around core, log and store. Some are two mistakes at once: where one check stands behind
// another, only together they show.
func fronts() []suite {
	return append([]suite{
		{[]string{"./internal/access"}, false, accessMutants},
		{[]string{"./httpapi", "-run", "TestAccess_"}, false, accessHTTPMutants},
		{[]string{"./internal/limit"}, false, limitMutants},
		{[]string{"./node", "-run", "TestTake_|TestServeLimits_"}, false, limitNodeMutants},
		{[]string{"./httpapi", "-run", "TestRate_|TestConfig_"}, false, limitHTTPMutants},
		{[]string{"./httpapi", "-run", "TestSpec_"}, false, specMutants},
		{[]string{"./cmd/pinocchio", "-run", "TestDeploy_"}, false, metricMutants},
		{[]string{"./cmd/pinocchio", "-run", "TestDeploy_"}, true, deployMutants},
		{[]string{"./cmd/pinocchio", "-run", "Config_|Faults?_|TestServe_NamesEveryFaultAtOnce"}, false, configMutants},
		{[]string{"./flush/strategy"}, false, strategyMutants},
		{[]string{"./flush", "-run", "TestFlusher_Halves"}, false, flusherMutants},
		{[]string{"./dashboard", "-run", "TestStream_|TestPublish_|TestHistory_|TestServe_|TestPage_TakesKeys"}, false, pageMutants},
		{[]string{"./dashboard", "-run", "TestPage_Shows"}, false, browserMutants},
		{[]string{"./cmd/pinocchio", "-run", "TestMain_|TestAsking_|TestAudit_|TestHealth_|TestServe_SpeaksHTTPS"}, false, commandMutants},
		{[]string{"./client"}, false, clientMutants},
		{[]string{"./internal/certs"}, false, certMutants},
		{[]string{"./internal/reload"}, false, reloadMutants},
	}, nodeSuites()...)
}

var flusherMutants = []mutant{
	{"what the server cancelled for its time is sent again as it was (was so)", "flusher", "flush/flusher_try.go", one(
		" || isCancelled(err)\n", " || isCancelled(nil)\n")},
}

const (
	guardFile    = "internal/access/guard.go"
	grantFile    = "internal/access/grant.go"
	jwtFile      = "internal/access/jwt.go"
	jwksFile     = "internal/access/jwks.go"
	permitFile   = "httpapi/access.go"
	addressFile  = "internal/limit/address.go"
	clientsFile  = "internal/limit/clients.go"
	takeFile     = "node/limit.go"
	rateFile     = "httpapi/rate.go"
	routeFile    = "httpapi/route.go"
	specFile     = "httpapi/openapi.yaml"
	alertsFile   = "deploy/prometheus/alerts.yml"
	grafanaFile  = "deploy/grafana/pinocchio.json"
	settingsFile = "cmd/pinocchio/settingsfile.go"
	directFile   = "flush/strategy/direct.go"
	bufferedFile = "flush/strategy/buffered.go"
	pageFile     = "dashboard/dashboard.go"
	streamFile   = "dashboard/stream.go"
	mainFile     = "cmd/pinocchio/main.go"
	callFile     = "client/call.go"
	mutualFile   = "internal/certs/mutual.go"
	sourceFile   = "internal/certs/source.go"
)
