package ring

import "github.com/cespare/xxhash/v2"

// Hash names the hash that takes keys to partitions. It is part of the cluster's identity: the partition of a key
// stands, through the ledger, in the store.
const Hash = "xxhash64"

// Partition returns the partition of key among count partitions, in 0..count-1. It does not allocate and does not
// keep key. It panics when count is 0, which Settings.Validate refuses.
func Partition(key []byte, count uint32) uint32 {
	return uint32(xxhash.Sum64(key) % uint64(count))
}

// PartitionString is Partition for a string.
func PartitionString(key string, count uint32) uint32 {
	return uint32(xxhash.Sum64String(key) % uint64(count))
}
