// Command mutants shows that the checks bite: it plants mistakes, one at a time, and runs against each the tests that must
// notice it. Those of core, log and store, named by the rule that they break, meet the package's unit tests and a part of the
// simulation; those of what stands around them, named by their part, the few tests that their suite names, which keeps a run short.
//
// Usage, in the module's top folder:
//
//	go run ./scripts/mutants [-seeds 3000] [-only text] [-list]
//
// -only takes a rule (R9), a part (access, rate, node, flusher, openapi, alerts, config, strategy, page, command, client, tls) or a piece of a
// name. Postgres, and Chromium for the page, must be found by PATH, as make mutants has them.
//
// The tree is never touched: a changed copy of the file is laid over it for the build (go test -overlay), or for a file that
// a test reads while it runs, stands in a second tree of links. Each mutant is one line:
// "caught by" the unit test or the seed that failed, or SURVIVED. The exit status is 1 when one survived, did not
// build, or no longer fits the code: a mutant must be planted exactly where it was meant. The lists stand in list.go, store.go and front*.go.
package main
