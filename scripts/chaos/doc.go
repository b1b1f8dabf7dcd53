// Command chaos breaks a real cluster in many ways at once, by a seeded schedule, and checks every answer that it gave.
//
//	make chaos DURATION=10m SEED=7 NODES=3
//	go run ./scripts/chaos --bin bin/pinocchio --duration 10m --seed 7 --nodes 3
//
// "pinocchio serve" processes, each in a network namespace, and a real Postgres count under a load that records every call,
// while the faults of package schedule come and go. Then everything must come to rest, and package check judges the
// history. docs/CHAOS.md tells what is injected, what is checked and how to read a failure.
//
// All of it runs in a network and a mount namespace of the program's own (package netns), and no child outlives the
// program: whatever ends it, nothing stays behind but a folder in the temporary directory, which the next run removes unless
// it is the evidence of a failure.
package main
