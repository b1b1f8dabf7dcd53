package node

import (
	"errors"

	"github.com/VictoriaMetrics/metrics"
)

// commandKind is what commands are counted by.
type commandKind struct {
	set    bool
	result string
}

// commandCounters makes a counter of each kind, which show from the start.
func commandCounters(s *metrics.Set) map[commandKind]*metrics.Counter {
	all := make(map[commandKind]*metrics.Counter)
	for _, result := range []string{"done", "out_of_bounds", "refused", "unavailable", "in_doubt"} {
		all[commandKind{false, result}] = s.NewCounter(`pinocchio_commands_total{kind="bounded",result="` + result + `"}`)
		if result != "out_of_bounds" {
			all[commandKind{true, result}] = s.NewCounter(`pinocchio_commands_total{kind="set",result="` + result + `"}`)
		}
	}
	return all
}

// command counts one that ended with err.
func (i *instruments) command(set bool, err error) {
	result := "unavailable"
	switch {
	case err == nil:
		result = "done"
	case errors.Is(err, ErrOutOfBounds):
		result = "out_of_bounds"
	case errors.Is(err, ErrOutOfRange), errors.Is(err, ErrTooFar), errors.Is(err, ErrIDReused):
		result = "refused"
	case errors.Is(err, ErrInDoubt):
		result = "in_doubt"
	}
	i.commands[commandKind{set, result}].Inc()
}
