//go:build unix && !linux

package journal

import "os"

// reserve does nothing where fallocate is missing; File.Sync is os.File's, which flushes the drive's cache on Darwin.
func reserve(*os.File, int64) error { return nil }
