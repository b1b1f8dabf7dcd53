// Package check is the test of the files for Prometheus: they are read by Prometheus' own parser, and some alerts are tried with its own
// engine on made-up series. A module of its own: nothing else here needs Prometheus.
package check
