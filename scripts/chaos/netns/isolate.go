package netns

import (
	"fmt"
	"os"
	"runtime"
	"syscall"

	"github.com/pinocchio-nose/pinocchio/scripts/internal/rig"
)

// mark is in the environment of a program that is inside; it holds its process id, so that a child is not taken for it.
const mark = "PINOCCHIO_CHAOS_INSIDE"

// Isolate starts the program anew, as the same process with the same arguments, inside namespaces of its own. There
// it returns nil. An error says what is missing.
func Isolate() error {
	if os.Getenv(mark) == fmt.Sprint(os.Getpid()) {
		return settle()
	}
	if err := rig.NeedNetwork("ip", "nsenter"); err != nil {
		return err
	}
	runtime.LockOSThread() // Unshare is for this thread, which becomes the whole process
	defer runtime.UnlockOSThread()
	if err := syscall.Unshare(syscall.CLONE_NEWNET | syscall.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make a network and a mount namespace: %w", err)
	}
	env := append(os.Environ(), fmt.Sprintf("%s=%d", mark, os.Getpid()))
	return fmt.Errorf("start anew: %w", syscall.Exec("/proc/self/exe", os.Args, env))
}

// settle makes the inside usable: mounts that the host does not see, a place for the names of namespaces, a loopback interface.
func settle() error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := os.MkdirAll(spaces, 0o755); err != nil {
		return err
	}
	if err := syscall.Mount("none", spaces, "tmpfs", 0, "size=64k"); err != nil {
		return fmt.Errorf("mount %s: %w", spaces, err)
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
		return err
	}
	if err := ip("link set lo up"); err != nil {
		return err
	}
	return rig.PrepareDrops("")
}

// spaces is where "ip netns" keeps names.
const spaces = "/run/netns"
