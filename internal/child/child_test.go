package child

import (
	"os/exec"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestProcess_ReportsItsExitStatusAndIsNotSignalledAfterwards(t *testing.T) {
	p, err := Start(exec.Command("sh", "-c", "exit 3"))
	if err != nil {
		t.Fatal(err)
	}
	if status, ended := p.Exit(time.Minute); !ended || status != 3 {
		t.Errorf("status %d, ended %v", status, ended)
	}
	if p.Running() {
		t.Error("runs")
	}
	if got := p.State().Pid(); got != p.ID() {
		t.Errorf("the state is of process %d, not %d", got, p.ID())
	}
	p.Signal(syscall.SIGKILL)
	p.Kill()
}

func TestProcess_IsKilledAlsoWhileItIsStopped(t *testing.T) {
	p, err := Start(exec.Command("sleep", "1000"))
	if err != nil {
		t.Fatal(err)
	}
	p.Signal(syscall.SIGSTOP)
	if _, ended := p.Exit(10 * time.Millisecond); ended {
		t.Error("a stopped process has ended")
	}
	p.Kill()
	if status, ended := p.Exit(time.Minute); !ended || status != -1 {
		t.Errorf("status %d, ended %v", status, ended)
	}
	if p.Running() {
		t.Error("runs")
	}
}

func TestStart_FailsWithoutAProgram(t *testing.T) {
	if _, err := Start(exec.Command("/no/such/program")); err == nil {
		t.Error("no error")
	}
}

func TestStart_KeepsTheAttributesThatItWasGiven(t *testing.T) {
	cmd := exec.Command("sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGQUIT}
	p, err := Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	if group, err := syscall.Getpgid(p.ID()); err != nil || group != p.ID() {
		t.Errorf("group %d of process %d: %v", group, p.ID(), err)
	}
	if cmd.SysProcAttr.Pdeathsig != syscall.SIGQUIT {
		t.Errorf("death signal %v", cmd.SysProcAttr.Pdeathsig)
	}
}
