package strategies

import (
	"context"
	"fmt"
	"time"
)

// Consistency is the outcome of many increments on one key.
type Consistency struct {
	Increments int64         `json:"increments"`
	Delta      int64         `json:"delta"` // of each
	Want       int64         `json:"want"`
	Got        int64         `json:"got"` // what the database says
	Took       time.Duration `json:"took_ns"`
}

// OK says whether the database has the sum.
func (c *Consistency) OK() bool { return c.Got == c.Want }

// String is the line of the report.
func (c *Consistency) String() string {
	verdict := "exact"
	if !c.OK() {
		verdict = fmt.Sprintf("WRONG by %+d", c.Got-c.Want)
	}
	return fmt.Sprintf("consistency: %s buffered increments of %d on one key in %v: the table says %s, %s",
		count(float64(c.Increments)), c.Delta, c.Took.Round(time.Millisecond), count(float64(c.Got)), verdict)
}

// consistencyKey is the one key.
const consistencyKey = "strategy:consistency"

// Check adds delta to one key so many times, from parallel workers, flushes, and asks the database for the value.
func Check(
	ctx context.Context, c Contender, increments, delta int64, parallel int, value func(ctx context.Context, key string) (int64, error),
) (*Consistency, error) {
	if parallel < 1 || increments < 1 {
		return nil, fmt.Errorf("%d increments by %d workers: there must be at least one of each", increments, parallel)
	}
	start := time.Now()
	errs := make(chan error, parallel)
	for w := range int64(parallel) {
		share := increments / int64(parallel)
		if w < increments%int64(parallel) {
			share++
		}
		go func() { errs <- repeat(ctx, c, share, delta) }()
	}
	var failed error
	for range parallel {
		if err := <-errs; err != nil {
			failed = err
		}
	}
	if failed != nil {
		return nil, fmt.Errorf("consistency run: %w", failed)
	}
	if err := c.Flush(ctx); err != nil {
		return nil, fmt.Errorf("consistency run: flush: %w", err)
	}
	took := time.Since(start)
	got, err := value(ctx, consistencyKey)
	if err != nil {
		return nil, fmt.Errorf("consistency run: read the table: %w", err)
	}
	return &Consistency{Increments: increments, Delta: delta, Want: increments * delta, Got: got, Took: took}, nil
}

func repeat(ctx context.Context, c Contender, times, delta int64) error {
	for i := range times {
		if i%4096 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := c.Increment(ctx, consistencyKey, delta); err != nil {
			return err
		}
	}
	return nil
}
