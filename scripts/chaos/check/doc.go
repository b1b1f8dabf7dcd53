// Package check judges a history against what the service and the table say in the end. It is pure: no network, no clock but
// the limit of a search.
package check
