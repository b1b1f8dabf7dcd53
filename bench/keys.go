package bench

import "math/rand/v2"

// zipfExponent makes the most frequent of 1,000 keys take about a sixth of all requests. The generator of math/rand
// needs more than 1.
const zipfExponent = 1.1

// newKeys returns a function that draws key numbers in 0..o.Keys-1 for one worker. The same seed and worker draw the same
// sequence. Not safe for concurrent use.
func newKeys(o Options, worker int) func() int {
	rng := rand.New(rand.NewPCG(o.Seed, uint64(worker)))
	switch o.Distribution {
	case Single:
		return func() int { return 0 }
	case Zipf:
		z := rand.NewZipf(rng, zipfExponent, 1, uint64(o.Keys-1))
		return func() int { return int(z.Uint64()) }
	default:
		return func() int { return rng.IntN(o.Keys) }
	}
}
