package main

import (
	"cmp"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/pinocchio-nose/pinocchio/flush"
)

// finding is what a comparison came to.
type finding string

// Findings. The comparison of a whole cluster is as good as that of its worst process.
const (
	addsUp  finding = "adds up"    // exactly
	unheard finding = "unheard of" // of a process that cannot be asked any more: what it may have lost is unknown
	moving  finding = "moving"     // it counted meanwhile; within the bounds of what was read before and after
	notAsk  finding = "not asked"  // a process with a lease, of which no server told anything
	doesNot finding = "does not add up"
)

// audit is the comparison of a moment. Its JSON is what --json prints.
type audit struct {
	Verdict   finding        `json:"verdict"`
	Processes []auditProcess `json:"processes"`
	All       auditSums      `json:"all"` // of the processes that answered
	Vanished  uint64         `json:"vanished_persisted"`
	Values    auditValues    `json:"values"`
	Silent    []string       `json:"silent,omitempty"` // servers without an answer, and why
}

// auditSums are operations, but for Increments: several increments of one key may travel as one operation.
type auditSums struct {
	Increments uint64 `json:"increments"`
	Accepted   uint64 `json:"accepted"`
	Persisted  uint64 `json:"persisted"` // by the ledger
	Pending    uint64 `json:"pending"`   // by the process itself
	Lost       uint64 `json:"lost"`      // known to be lost
	Refused    uint64 `json:"refused"`   // increments answered as accepted that would have left the range
}

// Difference is what is accepted beyond the other three: 0 when it adds up.
func (s *auditSums) Difference() int64 {
	return int64(s.Accepted - s.Persisted - s.Pending - s.Lost)
}

// auditProcess is one process in figures and tables.
type auditProcess struct {
	Node    string  `json:"node"`
	ID      string  `json:"id"`
	State   string  `json:"state"` // live, vanished or closed
	Finding finding `json:"finding"`
	Told    bool    `json:"told"` // it answered: otherwise only Persisted is known
	auditSums
	Notes []string `json:"notes,omitempty"`
}

// auditValues compares the sums of counters and ledger. Sums are decimal, for they may be wider than 64 bits.
type auditValues struct {
	Verdict    finding  `json:"verdict"`
	Counters   *big.Int `json:"counters"`
	Quarantine *big.Int `json:"quarantine"`
	Base       *big.Int `json:"base"`
	Retired    *big.Int `json:"retired"`
	Ledger     *big.Int `json:"ledger"`
	Difference *big.Int `json:"difference"` // what counters and quarantine hold beyond the rest
}

func sumsOf(r *flush.AuditReport) auditValues {
	v := auditValues{
		Verdict: addsUp, Counters: r.Counters, Quarantine: r.Quarantine, Base: r.Base, Retired: r.Retired,
		Ledger: new(big.Int), Difference: r.Difference(),
	}
	for i := range r.Origins {
		v.Ledger.Add(v.Ledger, r.Origins[i].Sum)
	}
	if !r.Balanced() {
		v.Verdict = doesNot
	}
	return v
}

// newAudit compares the nodes' answers from before and after with what the tables had between.
func newAudit(before, after []told, rows flush.Adoption, values *flush.AuditReport, cluster string) *audit {
	a := &audit{Values: sumsOf(values)}
	t := newTables(rows, values)
	for i := range after {
		if err := after[i].err; err != nil {
			a.Silent = append(a.Silent, fmt.Sprintf("%s: %v", after[i].server, err))
			continue
		}
		if id := after[i].figures.ID; !t.told[id] { // one node may be named twice
			t.told[id] = true
			a.add(t.compare(&before[i], &after[i], cluster))
		}
	}
	t.others(a)
	slices.SortFunc(a.Processes, func(x, y auditProcess) int {
		return cmp.Or(strings.Compare(x.Node, y.Node), strings.Compare(x.ID, y.ID))
	})
	a.judge()
	return a
}

// add enters a process.
func (a *audit) add(p auditProcess) {
	a.Processes = append(a.Processes, p)
	if !p.Told {
		a.Vanished += p.Persisted
		return
	}
	a.All.Increments += p.Increments
	a.All.Accepted += p.Accepted
	a.All.Persisted += p.Persisted
	a.All.Pending += p.Pending
	a.All.Lost += p.Lost
	a.All.Refused += p.Refused
}

// judge finds the verdict of the whole.
func (a *audit) judge() {
	rank := []finding{addsUp, unheard, moving, notAsk, doesNot}
	worst := slices.Index(rank, a.Values.Verdict)
	for i := range a.Processes {
		worst = max(worst, slices.Index(rank, a.Processes[i].Finding))
	}
	a.Verdict = rank[worst]
	if a.Verdict == unheard { // said beside the process: there is nothing to compare, and nothing that contradicts
		a.Verdict = addsUp
	}
}

// verdict is nil when the command succeeds.
func (a *audit) verdict(exact bool) error {
	var faults []error
	if a.Values.Verdict == doesNot {
		faults = append(faults, fmt.Errorf("it does not add up: the counters hold %s than the ledger accounts for; somebody else wrote to the tables",
			moreOrLess(a.Values.Difference)))
	}
	for i := range a.Processes {
		p := &a.Processes[i]
		switch p.Finding {
		case doesNot:
			faults = append(faults, fmt.Errorf("it does not add up: %s (%s): %s", p.Node, p.ID, strings.Join(p.Notes, "; ")))
		case notAsk:
			faults = append(faults, fmt.Errorf("it is not known whether it adds up: %s (%s) holds a lease and was not asked: name it with --server, or wait until its lease has run out",
				p.Node, p.ID))
		}
	}
	if exact && len(faults) == 0 && a.Verdict == moving {
		faults = append(faults, errors.New("it adds up within bounds only: the nodes counted all the time; try a longer --wait, or with less load"))
	}
	return errors.Join(faults...)
}

// moreOrLess says a difference in words.
func moreOrLess(d *big.Int) string {
	if d.Sign() < 0 {
		return new(big.Int).Neg(d).String() + " less"
	}
	return d.String() + " more"
}
