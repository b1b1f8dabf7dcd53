//go:build race

package sim

// A history has one goroutine: under the race detector, which makes it ten times as slow, a part of the seeds will do.
const defaultSeeds = 1_000
