// Package chart draws what benchmarks measured: bars of rates with whiskers, and latencies by percentile, both on logarithmic
// scales, as SVG or PNG. The drawing is gonum.org/v1/plot's, which no other package knows.
//
// A chart stands on a white ground of its own, so that it is readable on light and dark pages, and needs nothing from elsewhere:
// what SVG readers lack of its font, which is Liberation Sans, they replace by one of the same measures.
//
// The package must not know who measured, nor how.
package chart
