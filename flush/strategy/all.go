package strategy

import "time"

// All returns one of each strategy on the table, the simplest first. Each must be closed.
func All(t *Table, interval time.Duration) []Strategy {
	return []Strategy{NewNaive(t), NewDeleteReturning(t), NewUpsert(t), NewBuffered(t, interval)}
}
