package rig

import (
	"context"
	"fmt"
	"time"
)

// Pause waits for d; false when ctx ended before that.
func Pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// between is how long Await waits from one question to the next: nodes tell nobody when they are there.
const between = 20 * time.Millisecond

// Await asks again and again until condition returns nil. It returns ctx's error when that ends first, and after limit one that says
// what was waited for, and what condition said last.
func Await(ctx context.Context, limit time.Duration, what string, condition func() error) error {
	deadline := time.Now().Add(limit)
	for {
		err := condition()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Now().After(deadline):
			return fmt.Errorf("%s: not within %v: %w", what, limit, err)
		}
		Pause(ctx, between)
	}
}
