// Package netns keeps a run's network away from the host's, and breaks it.
//
// Isolate moves the program into a network and a mount namespace of its own, the hub. Hub makes one namespace for each
// place of a node, with one cable to the hub, which routes between them. Cut drops the packets of one direction between
// two addresses there, so that a sender is told nothing. Whatever happens to the program, the kernel takes all of it away
// with the last process inside: nothing of the host's own network or mounts is touched. Linux, root and "ip" are needed.
package netns
