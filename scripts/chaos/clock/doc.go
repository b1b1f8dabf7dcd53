// Package clock steps the time of day of single processes: of nodes that were built with the overlay of chaos/overlay, and of Postgres
// under libfaketime. The clock of the host is never touched, and monotonic clocks go on.
package clock
