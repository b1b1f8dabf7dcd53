// Command arrows fails when an import arrow of the module runs the wrong way.
//
// The packages are rooms on floors: an arrow may only lead down, and only to the rooms that a rule names. Some
// libraries have one room each, so that they can be exchanged in one place. The protocol core is held to more: no
// I/O, no clock and no goroutine, because only then can a test step it through every order of events.
//
// Usage, in the module's top folder:
//
//	go run ./scripts/arrows
//
// Each violation is one line, "file:line: what: why", and the exit status is 1. A package without a rule is a
// violation too: a new room starts with the decision what it may know. The rules stand in rules.go.
package main
