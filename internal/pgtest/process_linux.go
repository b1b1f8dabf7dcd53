package pgtest

import (
	"bytes"
	"errors"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pinocchio-nose/pinocchio/internal/child"
)

// account is whom the server runs as: Postgres refuses root.
type account struct{ uid, gid int } // own ids when we are not root

func serverAccount() (*account, error) {
	if os.Geteuid() != 0 {
		return &account{os.Geteuid(), os.Getegid()}, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, errors.New("as root, these tests need a user postgres to run the server: \"make test\" installs it")
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(u.Gid)
	return &account{uid, gid}, err
}

// own gives the folder to the account.
func (a *account) own(folder string) error { return os.Chown(folder, a.uid, a.gid) }

// attributes make a child run as the account, and die when this program does.
func (a *account) attributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT} // Postgres' immediate shutdown
	if os.Geteuid() == 0 {
		attr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return attr
}

// process is a running server.
type process struct{ *child.Process }

// quit asks for an immediate shutdown and reports whether the process ended in time.
func (p *process) quit(limit time.Duration) bool {
	p.Signal(syscall.SIGQUIT)
	_, ended := p.Exit(limit)
	return ended
}

// kill sends SIGKILL to the process and its children: Postgres' backends would otherwise finish what they do.
func (p *process) kill() {
	pid := p.ID()
	_ = syscall.Kill(pid, syscall.SIGSTOP) // no new children while we look
	children := childrenOf(pid)
	p.Signal(syscall.SIGKILL)
	for _, id := range children {
		_ = syscall.Kill(id, syscall.SIGKILL)
	}
	<-p.Done()
	for _, id := range children {
		awaitGone(id)
	}
}

// childrenOf returns the ids of a process's direct children; Postgres has no others.
func childrenOf(pid int) (children []int) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		id, err := strconv.Atoi(e.Name())
		if err == nil && parentOf(id) == pid {
			children = append(children, id)
		}
	}
	return children
}

// parentOf returns 0 for a process that is gone.
func parentOf(pid int) int {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	// pid (name) state ppid ...; the name may hold anything, so count from its closing parenthesis.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 2 || fields[0] == "Z" {
		return 0
	}
	parent, _ := strconv.Atoi(fields[1])
	return parent
}

// awaitGone polls until a killed process has ended: the next server refuses to start beside it, and nobody is told of the end of
// a process that is not its own child.
func awaitGone(pid int) {
	for deadline := time.Now().Add(stopLimit); parentOf(pid) != 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
}
