// Package gossip tells which nodes of the cluster are there, and tells them about this one.
//
// It wraps memberlist (SWIM with suspicion and push/pull) and is its only importer. What it adds: a member's metadata
// in a small versioned format; refusal of nodes whose cluster settings differ (R11), and of strangers, by label and key
// (R13); rejoining on a ticker, because memberlist alone never heals a split longer than its memory of the dead; names
// resolved before joining; a start and an end that are bounded, also where memberlist's own are not; its log lines with
// levels that an operator can live with.
//
// Gossip only proposes. A member here may already have lost its lease, and a member missing here may still hold it:
// who owns what stands in the store. The package must not know about the store, partitions or HTTP: it carries other
// nodes' addresses as text and compares settings as text.
//
// Life of a Gossip:
//
//	New ──Start──► running ──Leave──► closed   says goodbye: the others drop this node at once
//	                  └─────Close────► closed   says nothing: the others find out by probing, in seconds
package gossip
