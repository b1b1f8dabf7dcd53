// Package node is one member of a Pinocchio cluster: it accepts increments as an origin, owns partitions under a
// lease, sends operations to the owners of the others, and moves partitions when the cluster changes.
//
// It joins the pure parts (counter: the protocol; ring: who should own what) with the world (flush: the store; gossip:
// who is there; links: batches between nodes). New starts nothing; Run owns and joins every goroutine. Nothing
// here is global: several nodes run side by side in one process. It must not know about HTTP routes or JSON.
package node
