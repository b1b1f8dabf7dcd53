package schedule

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"time"
)

// Kind of a fault.
type Kind string

// Kinds.
const (
	Kill      Kind = "kill"       // SIGKILL of a node, restart under its name after For
	Pause     Kind = "pause"      // SIGSTOP, SIGCONT after For
	Lose      Kind = "lose"       // SIGKILL of a node whose data are deleted, start under its name after For
	Leave     Kind = "leave"      // SIGTERM, back after For
	Join      Kind = "join"       // one more node, which leaves after For
	Split     Kind = "split"      // the nodes of Group and the others do not hear each other
	OneWay    Kind = "one-way"    // Group[1] does not hear Group[0]
	Bridge    Kind = "bridge"     // as Split, but Node hears all and all hear it
	CutStore  Kind = "cut-store"  // Node and Postgres do not hear each other
	KillStore Kind = "kill-store" // SIGKILL of all of Postgres, restart after For
	DropReply Kind = "drop-reply" // one flush of Node commits, and its answer is thrown away with the connection
	CutByte   Kind = "cut-byte"   // one connection of Node's flushes ends after Bytes bytes of a request or, with Answer, of its answer
	Delay     Kind = "delay"      // Node's bytes to and from Postgres each take Lag longer
	DiskFull  Kind = "disk-full"  // no room for Node's journal
	// The time of day steps by Lag, which may be negative, and back again after For; For 0: it stays so.
	ClockNode  Kind = "clock-node"  // of Node
	ClockStore Kind = "clock-store" // of Postgres
)

// Fault of a plan. Node and Group are places, from 0.
type Fault struct {
	At, For time.Duration // from the begin; For is 0 for what is over at once
	Kind    Kind
	Node    int
	Group   []int
	Lag     time.Duration
	Bytes   int
	Answer  bool
}

func (f Fault) String() string {
	s := fmt.Sprintf("%s n%d", f.Kind, f.Node+1)
	switch f.Kind {
	case KillStore:
		s = string(f.Kind)
	case ClockStore:
		s = fmt.Sprintf("%s by %v", f.Kind, f.Lag)
	case Split, OneWay:
		s = fmt.Sprintf("%s %v", f.Kind, names(f.Group))
	case Bridge:
		s = fmt.Sprintf("%s %v around n%d", f.Kind, names(f.Group), f.Node+1)
	case CutByte:
		s += fmt.Sprintf(" after %d bytes, of the answer: %t", f.Bytes, f.Answer)
	case Delay, ClockNode:
		s += fmt.Sprintf(" by %v", f.Lag)
	}
	if f.For > 0 {
		s += fmt.Sprintf(" for %v", f.For)
	}
	return s
}

func names(places []int) (names []string) {
	for _, p := range places {
		names = append(names, fmt.Sprintf("n%d", p+1))
	}
	return names
}

// Settings of a plan.
type Settings struct {
	Seed     uint64
	Duration time.Duration // no fault lasts longer
	Nodes    int           // places that are taken at the start, at least 3
	Spare    int           // places for joiners
	Only     []Kind        // nil: all
	Often    float64       // times as often as usual; 0: 1
}

// Plan returns the faults in the order of their begin. Every kind that is asked for comes at least once. Which others are changes
// nothing about one.
func Plan(s Settings) []Fault {
	var plan []Fault
	for _, k := range kinds() {
		if s.Only != nil && !slices.Contains(s.Only, k.kind) {
			continue
		}
		if s.Often > 0 {
			k.every = time.Duration(float64(k.every) / s.Often)
		}
		name := fnv.New64a()
		_, _ = name.Write([]byte(k.kind))
		rng := rand.New(rand.NewPCG(s.Seed, name.Sum64()))
		at := time.Duration(rng.Float64() * float64(min(k.every, s.Duration/2)))
		for at < s.Duration {
			f := Fault{At: at.Round(time.Millisecond), Kind: k.kind}
			k.draw(rng, s, &f)
			f.For = min(f.For, s.Duration-f.At)
			plan = append(plan, f)
			at += max(time.Second/2, time.Duration(rng.ExpFloat64()*float64(k.every)))
		}
	}
	slices.SortStableFunc(plan, func(a, b Fault) int { return cmp.Compare(a.At, b.At) })
	return plan
}
