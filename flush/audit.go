package flush

import (
	"bytes"
	"math/big"
	"slices"
	"time"

	"github.com/google/uuid"
)

// AuditReport shows in one snapshot that the counters are what the origins counted:
//
//	Counters + Quarantine = Base + Retired + the Origins' sums
//
// The sums of all but the origins' moves are exact. A Move's Sum is one modulo 2^64, so the two sides may differ by a
// multiple of that when the deltas of one move leave the range of 64 bits together.
type AuditReport struct {
	Origins    []OriginSum // that have ledger rows, in order of their ids
	Base       *big.Int    // what counters and quarantine held when the store began to keep sums; 0 for a new one
	Retired    *big.Int    // the sums of the ledger rows that were deleted
	Counters   *big.Int    // all values together
	Quarantine *big.Int    // all deltas that were set aside
}

// OriginSum is what a process has counted, over all partitions.
type OriginSum struct {
	Origin     uuid.UUID
	Name       string        // empty when the process is unknown
	Closed     bool          // or unknown
	LeaseLeft  time.Duration // negative when it ran out; 0 when unknown
	Operations uint64        // how many of its operations the counters contain: the sum of its ledger rows' numbers
	Sum        *big.Int      // of their deltas, since the store keeps sums
}

// Difference returns what counters and quarantine hold beyond what the ledger accounts for.
func (a *AuditReport) Difference() *big.Int {
	d := new(big.Int).Add(a.Counters, a.Quarantine)
	d.Sub(d, a.Base).Sub(d, a.Retired)
	for i := range a.Origins {
		d.Sub(d, a.Origins[i].Sum)
	}
	return d
}

// Balanced reports whether the two sides agree, modulo 2^64.
func (a *AuditReport) Balanced() bool {
	const bits = 64
	d := a.Difference()
	return d.Sign() == 0 || d.TrailingZeroBits() >= bits
}

func sortOrigins(all []OriginSum) {
	slices.SortFunc(all, func(x, y OriginSum) int { return bytes.Compare(x.Origin[:], y.Origin[:]) })
}
