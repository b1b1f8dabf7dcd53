// Package topk finds the most frequent keys of a stream in bounded memory.
//
// It is the space-saving sketch (Metwally, Agrawal, El Abbadi: Efficient Computation of Frequent and Top-k Elements in Data
// Streams, ICDT 2005): it keeps a fixed number of counters; a key that has none takes over the smallest and inherits its
// count as a possible error. A key whose share of the stream is above 1/capacity is always kept, and its true count lies
// between count-err and count. Counts fade with time, so that what was frequent long ago does not stay at the top.
package topk
