// Package limit holds the allowance of each client: how many increments it may send in a while.
//
// The algorithm is GCRA, in its form of virtual scheduling (ITU-T I.371, ATM Forum Traffic Management 4.1, section 4.4.2): a
// client has one number, the moment at which its allowance would be whole again. That is a token bucket that needs no refilling, so a
// client that has been idle for long enough is the same as one that was never seen, and is forgotten.
//
// It guarantees bounded memory: at most the configured count of clients is remembered. It has no clock and starts nothing. It must not know
// what a client is, nor who asks.
package limit
