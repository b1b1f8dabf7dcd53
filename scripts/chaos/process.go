package main

import (
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// process is a child that does not outlive this program.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended; cmd.ProcessState is valid then
}

// start starts cmd on a thread that lives as long as the child: the kernel sends a child its death signal when the thread that
// started it ends, and the Go runtime ends idle threads.
func start(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig: syscall.SIGKILL,
		Setpgid:   true, // Ctrl-C at a terminal is for this program, which then ends its children
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // the state tells
		}
		close(p.done)
	}()
	return p, <-started
}

// signal sends s, unless the process has ended: then its id may be somebody else's.
func (p *process) signal(s syscall.Signal) {
	select {
	case <-p.done:
	default:
		_ = p.cmd.Process.Signal(s) // os.Process knows of an end that came first
	}
}

// exit waits for the end and returns the exit status, -1 after a signal; false when it did not end in time.
func (p *process) exit(limit time.Duration) (status int, ended bool) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode(), true
	case <-timer.C:
		return 0, false
	}
}

// kill ends the process at once, also a stopped one, and waits until it is gone.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}
