package counter

import (
	"errors"
	"math"

	"github.com/google/uuid"
)

// Origin is one process lifetime of a node, as the source of numbered operations.
type Origin = uuid.UUID

// ErrOutOfRange is an operation's result when the total would leave the range of int64. It adds nothing.
var ErrOutOfRange = errors.New("the total would leave the range of a 64-bit counter")

// Flags of an operation.
type Flags uint8

// Flags.
const (
	Want   Flags = 1 << iota // a caller wants the total just after this operation
	Urgent                   // a caller waits until the store has it: flush without waiting for the interval
)

// Op is one numbered operation: add Delta to Key. Its number is its place in the outbox.
type Op struct {
	Key   string
	Delta int64
	Flags Flags
	// waiting is the list of callers that wait for this operation; only at its origin.
	waiting *Ticket
}

// Level is the evidence that a caller waits for (R7).
type Level uint8

// Levels.
const (
	Applied   Level = iota // the owner has applied it
	Persisted              // the store has it
)

// Ticket is one caller's claim on the outcome of an operation. The caller gives it a channel of capacity 1, waits on it,
// and reads the result only after receiving. A caller that stops waiting leaves the ticket to the garbage collector.
type Ticket struct {
	Level Level
	Done  chan struct{}

	// Results, valid after Done.
	Total    int64
	HasTotal bool
	Doubt    bool // Answer.Doubt
	Err      error

	// prefix is the operation's delta just after this caller's part was combined into it: the caller's own total
	// is the operation's total less what came behind it.
	prefix int64
	part   int64 // what of the operation's delta is this caller's, and of increments before it that nobody waits for
	next   *Ticket
	gone   bool // the caller has stopped waiting
}

func (t *Ticket) finish() {
	select {
	case t.Done <- struct{}{}:
	default: // already told
	}
}

// addOverflows says whether a+b leaves int64.
func addOverflows(a, b int64) bool {
	s := a + b
	return (a >= 0) == (b >= 0) && (s >= 0) != (a >= 0)
}

// combinable bounds the deltas that may share one operation, so that a huge delta travels alone: if the owner
// refuses it as out of range, no other caller's increment is refused with it.
func combinable(a, b int64) bool {
	const limit = math.MaxInt64 >> 16
	return a < limit && a > -limit && b < limit && b > -limit
}

// must stops the process on a broken invariant: counting on would count wrong.
func must(ok bool, what string) {
	if !ok {
		panic("counter: invariant broken: " + what)
	}
}
