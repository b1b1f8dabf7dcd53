package main

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// asUnit makes the test binary behave as pinocchio under what systemd restricts: its value are the families of sockets that it may have.
const asUnit = "PINOCCHIO_TEST_UNIT"

func init() {
	if families := os.Getenv(asUnit); families != "" {
		fmt.Fprintln(os.Stderr, "cannot restrict this process:", restrictAndRun(strings.Fields(families)))
		os.Exit(exitFailed)
	}
}

// restrictAndRun does what RestrictAddressFamilies= does: every other family of sockets fails with EAFNOSUPPORT. Then it starts this
// binary again as pinocchio, which inherits the filter.
func restrictAndRun(families []string) error {
	numbers := map[string]uint32{"AF_INET": unix.AF_INET, "AF_INET6": unix.AF_INET6, "AF_UNIX": unix.AF_UNIX, "AF_NETLINK": unix.AF_NETLINK}
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	is := func(value uint32, yes, no int) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: value, Jt: uint8(yes), Jf: uint8(no)}
	}
	answer := func(what uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: what} }
	// struct seccomp_data: the call's number at 0, its first argument at 16 (both processors that are built for are little-endian).
	filter := []unix.SockFilter{load(0), is(unix.SYS_SOCKET, 0, len(families)+2), load(16)}
	for i, name := range families {
		if numbers[name] == 0 {
			return fmt.Errorf("no number of %s is known", name)
		}
		filter = append(filter, is(numbers[name], len(families)-i, 0))
	}
	filter = append(filter, answer(unix.SECCOMP_RET_ERRNO|uint32(unix.EAFNOSUPPORT)), answer(unix.SECCOMP_RET_ALLOW))

	runtime.LockOSThread() // the filter is this thread's, which becomes the new program
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err != nil {
		return err
	}
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, asUnit+"=") })
	return syscall.Exec("/proc/self/exe", os.Args, append(env, asMain+"=1"))
}

// restricted runs a node, installed as the docs say, under these families of sockets, until it is ready or has ended.
func restricted(t *testing.T, families string) (said string, ready bool) {
	t.Helper()
	cmd := command(t, asUnit, "serve", "--name", "n1", "--store", "sqlite:"+fileIn(t, "counters.db"), "--data", t.TempDir(),
		"--http", ":0", "--peer", ":0", "--gossip", ":0", "--drain-delay", "10ms")
	cmd.Env = append(cmd.Env, asUnit+"="+families)
	var errs buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		select {
		case <-ended:
			return errs.String(), false
		case <-tick.C:
		}
		if strings.Contains(errs.String(), "msg=readiness") && strings.Contains(errs.String(), "ready=true") {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			<-ended
			return errs.String(), true
		}
	}
}

// Red when a node opens a kind of socket that the unit forbids: the one of the kernel's tables, in which Go looks for the host's addresses.
func TestDeploy_ANodeStartsUnderTheUnitsRestrictions(t *testing.T) {
	text, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^RestrictAddressFamilies=(.+)$`).FindSubmatch(text)
	if line == nil {
		t.Fatal("the unit does not restrict the families of sockets")
	}
	families := string(line[1])
	if !slices.Contains(strings.Fields(families), "AF_NETLINK") {
		t.Errorf("AF_NETLINK is not among %s: net.Interfaces and what is built on it fail", families)
	}
	if said, ready := restricted(t, families); !ready {
		t.Errorf("under %s it does not start: %s", families, said)
	}
	if said, ready := restricted(t, "AF_UNIX"); ready || !strings.Contains(said, "address family not supported") {
		t.Errorf("the restriction is none: with AF_UNIX alone it said %s", said)
	}
}
