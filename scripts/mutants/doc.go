// Command mutants shows that the checks bite: it plants mistakes in core, log and store, one at a time, and runs the package's
// unit tests and a part of the simulation against each. Every one must be caught.
//
// Usage, in the module's top folder:
//
//	go run ./scripts/mutants [-seeds 3000] [-only text]
//
// The tree is never touched: a changed copy of the file is laid over it for the build (go test -overlay). Each mutant is one
// line: "caught by" the unit test or the seed that failed, or SURVIVED. The exit status is 1 when one survived, did not
// build, or no longer fits the code: a mutant must be planted exactly where it was meant. The list stands in list.go.
package main
