// Package history records every call of the workload with its answer, and judges nothing.
//
// A record's times are nanoseconds of one clock that never steps, from the begin of the run. The file has one line for
// each call, columns separated by tabs, named in its first line.
package history
