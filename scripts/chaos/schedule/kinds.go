package schedule

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// stream of faults of one kind.
type stream struct {
	kind  Kind
	every time.Duration // on average
	draw  func(rng *rand.Rand, s Settings, f *Fault)
}

// Kinds returns all kinds, in the order of a report.
func Kinds() (all []Kind) {
	for _, k := range kinds() {
		all = append(all, k.kind)
	}
	return all
}

func kinds() []stream {
	return []stream{
		{Kill, 20 * time.Second, onNode(100*time.Millisecond, 15*time.Second)},
		{Pause, 15 * time.Second, onNode(100*time.Millisecond, 30*time.Second)},
		{Lose, 60 * time.Second, onNode(100*time.Millisecond, 15*time.Second)},
		{Leave, 60 * time.Second, onNode(time.Second, 15*time.Second)},
		{Join, 60 * time.Second, drawJoin},
		{Split, 40 * time.Second, drawSplit},
		{OneWay, 30 * time.Second, drawOneWay},
		{Bridge, 60 * time.Second, drawBridge},
		{CutStore, 25 * time.Second, onNode(200*time.Millisecond, 20*time.Second)},
		{KillStore, 45 * time.Second, onNode(100*time.Millisecond, 10*time.Second)},
		{DropReply, 4 * time.Second, onNode(0, 0)},
		{CutByte, 4 * time.Second, drawCutByte},
		{Delay, 25 * time.Second, drawDelay},
		{DiskFull, 60 * time.Second, onNode(time.Second, 10*time.Second)},
		{ClockNode, 30 * time.Second, drawClock},
		{ClockStore, 40 * time.Second, drawClock},
	}
}

// onNode draws one of the first nodes and a time between shortest and longest, with as many below as above their geometric mean.
func onNode(shortest, longest time.Duration) func(*rand.Rand, Settings, *Fault) {
	return func(rng *rand.Rand, s Settings, f *Fault) {
		f.Node = rng.IntN(s.Nodes)
		f.For = between(rng, shortest, longest)
	}
}

func between(rng *rand.Rand, shortest, longest time.Duration) time.Duration {
	if shortest == longest {
		return shortest
	}
	at := float64(shortest) * math.Pow(float64(longest)/float64(shortest), rng.Float64())
	return time.Duration(at).Round(time.Millisecond)
}

func drawJoin(rng *rand.Rand, s Settings, f *Fault) {
	f.Node = s.Nodes + rng.IntN(max(1, s.Spare))
	f.For = between(rng, 5*time.Second, 30*time.Second)
}

// drawSplit takes the joiners' places too: who is not there does not mind.
func drawSplit(rng *rand.Rand, s Settings, f *Fault) {
	f.Group = some(rng, 1+rng.IntN(s.Nodes-1), s.Nodes)
	f.For = between(rng, 500*time.Millisecond, 20*time.Second)
}

func drawOneWay(rng *rand.Rand, s Settings, f *Fault) {
	f.Group = rng.Perm(s.Nodes)[:2]
	f.Node = f.Group[0]
	f.For = between(rng, 500*time.Millisecond, 20*time.Second)
}

func drawBridge(rng *rand.Rand, s Settings, f *Fault) {
	order := rng.Perm(s.Nodes)
	f.Node = order[0]
	f.Group = slices.Clone(order[1 : 1+(s.Nodes-1)/2])
	slices.Sort(f.Group)
	f.For = between(rng, 500*time.Millisecond, 20*time.Second)
}

// drawCutByte draws small positions most of the time: there are the borders of the protocol's messages.
func drawCutByte(rng *rand.Rand, s Settings, f *Fault) {
	f.Node = rng.IntN(s.Nodes)
	f.Answer = rng.IntN(2) == 0
	f.Bytes = rng.IntN(2000)
	if rng.IntN(2) == 0 {
		f.Bytes = rng.IntN(120)
	}
}

func drawDelay(rng *rand.Rand, s Settings, f *Fault) {
	f.Node = rng.IntN(s.Nodes)
	f.For = between(rng, time.Second, 20*time.Second)
	f.Lag = between(rng, time.Millisecond, 800*time.Millisecond)
}

// drawClock draws steps of 1 s to 1 h in both directions. Most are taken back, some within less than a lease, as by a daemon that
// saw a wrong server; one in four is not, as by one that saw the right server at last.
func drawClock(rng *rand.Rand, s Settings, f *Fault) {
	f.Node = rng.IntN(s.Nodes)
	f.For = between(rng, 200*time.Millisecond, 20*time.Second)
	f.Lag = between(rng, time.Second, time.Hour)
	if rng.IntN(2) == 0 {
		f.Lag = -f.Lag
	}
	if rng.IntN(4) == 0 {
		f.For = 0
	}
}

// some draws n of the first of places, in order.
func some(rng *rand.Rand, n, of int) []int {
	group := slices.Clone(rng.Perm(of)[:n])
	slices.Sort(group)
	return group
}
