// Package strategies measures ways of adding to counters against each other, one after another, and writes the comparison
// as a table, a bar chart (SVG or PNG) and an HTML page. It also runs the consistency check: ten million buffered increments on one
// key, after which the database must say their sum.
//
// What a strategy is, its caller says (Contender): the package knows no database.
package strategies
