//go:build unix

package bench

import (
	"net"
	"syscall"
)

// readable tells whether a read from c would return at once, with data, its end or an error.
func readable(c net.Conn) bool {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return true
	}
	var now bool
	err = raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		now = err != syscall.EAGAIN && err != syscall.EWOULDBLOCK
		return true // do not wait
	})
	return now || err != nil
}
