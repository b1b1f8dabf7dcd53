// Package schedule plans faults: a pure function of seed, duration and size of the cluster. It injects nothing.
//
// Each kind has a stream of its own, drawn from the seed and the kind's name, so that the kinds are independent, overlap as
// they like, and a new kind changes nothing about the others.
package schedule
