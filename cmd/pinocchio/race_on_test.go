//go:build race

package main

// slowed says that the race detector watches, which takes memory and time of its own.
const slowed = true
