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

// ErrIDReused is an operation's result when its idempotency key was used for another operation on the counter. It adds nothing.
var ErrIDReused = errors.New("the idempotency key was used for another operation")

// ErrNotLogged is told to those who wait for the log on disk when it has failed. The operation counts all the same.
var ErrNotLogged = errors.New("the log on disk has failed")

// Flags of an operation.
type Flags uint8

// Flags.
const (
	Want   Flags = 1 << iota // a caller wants the total just after this operation
	Urgent                   // a caller waits until the store has it: flush without waiting for the interval
)

// Op is one numbered operation: add Delta to Key. Its number is its place in the outbox. With an idempotency key it counts only
// where no earlier operation of that key and ID did (R9); it is never combined with others, and always resent as it is.
type Op struct {
	Key   string
	Delta int64
	ID    string
	Flags Flags
	// waiting is the list of callers that wait for this operation; only at its origin.
	waiting *Ticket
}

// Level is the evidence that a caller waits for (R7). Each one includes those before it.
type Level uint8

// Levels.
const (
	Applied   Level = iota // the owner has applied it
	Logged                 // and the origin's log on disk holds it, where there is one
	Held                   // and two nodes hold it
	Persisted              // the store has it
)

// evidence is a set of what a caller still waits for. The store's word is more than all of them.
type evidence uint8

const (
	applied evidence = 1 << iota
	logged
	held
	persisted
)

// needs returns what a level asks for.
func (l Level) needs() evidence {
	return [...]evidence{Applied: applied, Logged: applied | logged, Held: applied | logged | held, Persisted: persisted}[l]
}

// Ticket is one caller's claim on the outcome of an operation. The caller gives it a channel of capacity 1, waits on it,
// and reads the result only after receiving. A caller that stops waiting leaves the ticket to the garbage collector.
type Ticket struct {
	Level Level
	Done  chan struct{}

	// Results, valid after Done.
	Total    int64
	HasTotal bool
	Doubt    bool // Answer.Doubt
	Moved    bool // the partition's owner has changed since the operation was added
	Replayed bool // an earlier operation with this idempotency key counts, this one does not
	Err      error

	need evidence

	// prefix is the operation's delta just after this caller's part was combined into it: the caller's own total
	// is the operation's total less what came behind it.
	prefix int64
	part   int64 // what of the operation's delta is this caller's, and of increments before it that nobody waits for
	next   *Ticket
	gone   bool // the caller has stopped waiting
}

// LacksOwner says that nothing but the owner's answer is missing, or nothing at all. The caller holds the partition's lock.
func (t *Ticket) LacksOwner() bool { return t.need&^applied == 0 }

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
