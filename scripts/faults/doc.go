// Command faults breaks a real cluster under load, in every way that it promises to survive, and checks the sums.
//
//	go run ./scripts/faults                          all scenarios, one after another
//	go run ./scripts/faults --scenario kill,pause    some of them
//	go run ./scripts/faults --list                   what there is
//
// Each scenario gets a Postgres server of its own, which syncs its writes, and "pinocchio serve" processes built from this
// tree, on free ports of the loopback interface. The bench package puts load on all of them, in a closed loop, and
// keeps for each key what was answered. Then the fault is injected: signals to real processes, a proxy between nodes
// and Postgres, dropped packets between network namespaces. In the end each key is read through every node and by
// SQL, and held against the answers. A promise that is broken makes the exit status 1.
//
// How a figure is to be read:
//
//   - failed: requests that were refused, rejected, or whose outcome the client cannot know.
//   - later: answered with "Counted: later", as the owner of the key was not reached in time. They count.
//   - unknown: they widen what a key's total may be. With 0 of them a total must be exact.
//   - missing, doubled: over all keys, what totals lack or have too much beyond that.
//   - recovery: from the loss of a node until the others counted everything of its at once again, without "later". Where
//     the cluster cannot recover before the fault ends (pgkill, split, storm): from that end on.
//
// Whatever was started is ended by its process id, also after SIGINT, SIGTERM or a failure; and should this program
// be killed, the kernel ends its children. It runs on Linux, and as root when Postgres is to have an account of its own.
package main
