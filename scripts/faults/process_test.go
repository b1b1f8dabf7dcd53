package main

import (
	"os/exec"
	"syscall"
	"testing"
	"time"
)

func TestProcess_ReportsItsExitStatusAndIsNotSignalledAfterwards(t *testing.T) {
	p, err := start(exec.Command("sh", "-c", "exit 3"))
	if err != nil {
		t.Fatal(err)
	}
	if status, ended := p.exit(time.Minute); !ended || status != 3 {
		t.Errorf("status %d, ended %v", status, ended)
	}
	if p.running() {
		t.Error("runs")
	}
	p.signal(syscall.SIGKILL)
	p.kill()
}

func TestProcess_IsKilledAlsoWhileItIsStopped(t *testing.T) {
	p, err := start(exec.Command("sleep", "1000"))
	if err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGSTOP)
	if _, ended := p.exit(10 * time.Millisecond); ended {
		t.Error("a stopped process has ended")
	}
	p.kill()
	if status, ended := p.exit(0); ended && status != -1 {
		t.Errorf("status %d", status)
	}
	if p.running() {
		t.Error("runs")
	}
}

func TestProcess_FailsWithoutAProgram(t *testing.T) {
	if _, err := start(exec.Command("/no/such/program")); err == nil {
		t.Error("no error")
	}
}

func TestFreePort_NeverReturnsAPortTwiceNorOneInUse(t *testing.T) {
	tr := &trial{}
	seen := map[int]bool{}
	for range 50 {
		port, err := tr.freePort()
		if err != nil {
			t.Fatal(err)
		}
		if seen[port] || port < lowestPort || port >= highestPort {
			t.Errorf("port %d", port)
		}
		seen[port] = true
	}
}
