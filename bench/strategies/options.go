package strategies

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Contender is one way of adding to counters. Its methods may be called concurrently.
type Contender interface {
	// Name stands in the report.
	Name() string
	// Increment adds delta to the key's counter.
	Increment(ctx context.Context, key string, delta int64) error
	// Flush returns when all that was incremented before is in the database.
	Flush(ctx context.Context) error
}

// Options say how each contender is measured.
type Options struct {
	Time     time.Duration // of each measurement
	Warmup   time.Duration // before each measurement, with the same load
	Parallel int           // workers that increment at once
	Keys     int           // counters that the workers go round
	Progress io.Writer     // one line for each contender; nil: none
}

// Validate names every fault.
func (o Options) Validate() error {
	var faults []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	refuse(o.Time <= 0, "time: %v, must be more than 0", o.Time)
	refuse(o.Warmup < 0, "warmup: %v, must not be negative", o.Warmup)
	refuse(o.Parallel < 1 || o.Parallel > 1000, "parallel: %d, must be 1 to 1000", o.Parallel)
	refuse(o.Keys < 1 || o.Keys > 10_000_000, "keys: %d, must be 1 to 10000000", o.Keys)
	return errors.Join(faults...)
}
