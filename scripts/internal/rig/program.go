package rig

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
)

// Exit statuses of a campaign.
const (
	Kept   = 0 // every promise was kept
	Broken = 1 // one was broken, or could not be put to the test
	Usage  = 2
)

// UntilSignal runs a campaign, whose context ends with SIGINT or SIGTERM, and returns what it returns: its exit status.
func UntilSignal(run func(context.Context) int) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx)
}

// Seed returns the seed that was asked for, or with 0 a new one.
func Seed(asked uint64) uint64 {
	if asked == 0 {
		return rand.Uint64()
	}
	return asked
}

// Complaints are what is wrong with the arguments: all of it is told at once.
type Complaints struct{ all []error }

// If adds a complaint when something is wrong.
func (c *Complaints) If(wrong bool, format string, args ...any) {
	if wrong {
		c.Add(fmt.Errorf(format, args...))
	}
}

// Add adds an error that is not nil.
func (c *Complaints) Add(err error) { c.all = append(c.all, err) }

// Err returns all complaints, or nil.
func (c *Complaints) Err() error { return errors.Join(c.all...) }
