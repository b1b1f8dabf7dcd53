// Package check is the test of the Kubernetes manifests: they are decoded, strictly, into the types of Kubernetes itself, and
// what one says of another must be there. A module of its own: nothing else here needs those types.
package check
