// Package child starts processes that do not outlive the one that started them: whatever ends it, the kernel then ends them.
//
// It serves tests and campaigns that run real servers and nodes. It knows nothing of either. It needs Linux.
package child
