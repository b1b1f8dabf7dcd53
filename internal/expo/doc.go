// Package expo writes metrics in the Prometheus text format with a HELP and a TYPE line for every family.
//
// The metrics library writes such lines only when a switch of the whole process is set, and then with an empty
// HELP. Two nodes in one process must not share a switch, so this package puts the lines in: a Table says what each
// family is, and Write runs the sources, brings the samples of one family together and writes each family once.
//
// It also has a histogram without a mutex for paths where the library's lock would be felt. It must not know what is
// measured: the tables of httpapi and node stand in those packages; only the Go runtime's and the process's are here.
package expo
