package gossip

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"
)

// A host that drops packets would hold a dial for the whole stream timeout.
func TestTransport_AbortsADialWhenItEnds(t *testing.T) {
	tr := quietTransport(t)
	addr := deaf(t)
	dialed := make(chan error, 1)
	go func() {
		conn, err := tr.DialTimeout(addr, time.Hour)
		if err == nil {
			_ = conn.Close()
		}
		dialed <- err
	}()
	select {
	case err := <-dialed:
		t.Fatalf("the deaf host answered: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	_ = tr.Shutdown()
	within(t, "the dial", func() {
		if err := <-dialed; err == nil {
			t.Error("it succeeded")
		}
	})
}

// deaf returns an address that does not answer to dials: a listener whose queue is full.
func deaf(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
	for range 100 {
		conn, err := net.DialTimeout("tcp", addr, 100*time.Millisecond)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	t.Fatal("the queue never filled")
	return ""
}
