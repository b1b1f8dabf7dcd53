// Package rig is what the campaigns on real processes, scripts/faults and scripts/chaos, stand on: nodes that are "pinocchio
// serve" processes, programs that lay the network, and the waiting, arguments and exit statuses of a campaign.
//
// It knows how a node is run, and nothing of faults, loads and promises. No child outlives the program (internal/child). It
// needs Linux.
package rig
