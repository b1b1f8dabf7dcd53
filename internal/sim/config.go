package sim

import (
	"math/rand/v2"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// Virtual durations. The lease's trust is 0.6 of its time, as in package node.
const (
	leaseTTL     ticks = 300
	leaseTrust   ticks = leaseTTL * 6 / 10
	roundEvery   ticks = leaseTTL / 3
	tickEvery    ticks = 10
	callTimeout  ticks = 40
	storeTimeout ticks = 60
	calmLimit    ticks = 100 * leaseTTL // for everything to come to rest after the faults; some histories flush one operation at a time
)

// config is what a history may do. Chances are in percent.
type config struct {
	slots, partitions, keys int
	until                   ticks // when the faults and the clients end

	loss, repeat, slow   int // of a message between processes
	storeLoss, storeSlow int // of a statement or its answer

	crashes, pauses, cuts, outages, leaves, opinions int // how many times
	adds, reads                                      int
	commands                                         int // sets, and increments with bounds

	maxOps     int // of a section
	limits     counter.Limits
	shrinks    bool // owners let go of what is beyond the limits with each read, as package node does
	flushEvery ticks
	durable    int  // chance that an increment asks for durability database
	want       int  // chance that it asks for the total
	extreme    bool // deltas and totals near the ends of int64
	burst      int  // chance that increments come together

	logs      bool // hosts keep a log on disk
	logFaults int  // how many times one fails
	logged    int  // chance that an increment asks for durability disk
	power     int  // chance that a crash takes the host's page cache with it
	copies    bool // each process has what it owns itself copied to another one
	heldBy    int  // chance that an increment asks for durability replica
	lostHost  bool // one host is lost with its disk, and no process crashes besides
	logOps    int  // taken from a partition at a time

	keyed    int // how many requests carry an idempotency key
	ids      int // how many keys there are of each counter
	misuse   int // chance that one is used again for another increment
	repeated int // chance that a request is made twice, though the first is under way

	rewinds int   // how many times the store comes back from an older state
	window  ticks // how old that state is at most
	keep    ticks // for how long operations are kept although the store has them; 0: they are not
}

// draw makes a history's settings. Each kind of fault is left out in a good part of the histories: what it would hide
// comes to light there.
func draw(seed uint64, rng *rand.Rand) config {
	some := func(of int) int {
		if rng.IntN(3) == 0 {
			return 0
		}
		return 1 + rng.IntN(of)
	}
	c := config{
		slots: 2 + rng.IntN(4), partitions: 1 + rng.IntN(3), keys: 1 + rng.IntN(5),
		until: 600 + ticks(rng.IntN(1000)),
		loss:  some(25), repeat: some(20), slow: some(20),
		storeLoss: some(25), storeSlow: some(20),
		crashes: some(3), pauses: some(3), cuts: some(3), outages: some(2), leaves: some(2), opinions: some(12),
		adds: 20 + rng.IntN(60), reads: 5 + rng.IntN(30),
		maxOps:     1 << 10,
		limits:     counter.Limits{MaxDirty: 1 << 10, MaxClean: 1 << 10},
		flushEvery: 20 + ticks(rng.IntN(200)),
		durable:    some(60), want: some(60), burst: some(60),
		extreme: rng.IntN(5) == 0,
	}
	c.logs = rng.IntN(4) > 0
	c.logFaults, c.logged, c.power = some(2), some(80), some(100)
	c.copies, c.heldBy = rng.IntN(2) == 0, some(80)
	if c.lostHost = rng.IntN(4) == 0; c.lostHost {
		c.crashes, c.leaves = 0, 0
	}
	c.logOps = 1 << 10
	if rng.IntN(3) == 0 {
		c.logOps = 1 + rng.IntN(2)
	}
	c.keyed, c.ids, c.misuse, c.repeated = some(40), 1+rng.IntN(6), some(20), some(50)
	c.limits.MaxIDs = 1 << 10
	if rng.IntN(2) == 0 {
		c.limits.MaxIDs = rng.IntN(3)
	}
	if rng.IntN(2) == 0 {
		c.maxOps = 1 + rng.IntN(3)
	}
	if rng.IntN(4) == 0 {
		c.limits.MaxDirty = rng.IntN(3)
	}
	if rng.IntN(2) == 0 {
		c.limits.MaxClean = rng.IntN(3)
	}
	if seed%5 == 1 {
		c.drawRewinds(rng)
	}
	if seed%11 == 2 { // the others keep the histories that they had
		c.commands = 10 + int(seed/11%40)
	}
	if seed%7 == 3 { // so do they here
		c.shrinks, c.limits.MaxIDs, c.limits.MaxClean = true, 4, 4
	}
	return c
}

// drawRewinds makes the store come back from older states. Refusals are left out of these histories: the store forgets them, and
// then an operation that was refused may count, which the log's replay shows already. So are copies: they guard against the
// loss of a host.
func (c *config) drawRewinds(rng *rand.Rand) {
	c.rewinds = 1 + rng.IntN(3)
	c.window = 50 + ticks(rng.IntN(250))
	c.keep = c.window + 4*leaseTTL
	if rng.IntN(6) == 0 { // too short: the store may lose more
		c.keep = 20 + ticks(rng.IntN(100))
	}
	c.extreme, c.misuse, c.copies, c.lostHost = false, 0, false, false
}
