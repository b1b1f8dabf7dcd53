package pgtest

import (
	"os"
	"testing"
)

// tests stands for the tests of a package.
type tests func() int

func (run tests) Run() int { return run() }

func TestMain_RunsTheTestsWithAServerThatIsStoppedAfterwards(t *testing.T) {
	var shared *Server
	status := Main(tests(func() int {
		shared.Query(t, "postgres", "select 1")
		return 3
	}), &shared)
	if status != 3 {
		t.Errorf("exit status %d, want that of the tests", status)
	}
	if _, err := os.Stat(shared.home); err == nil {
		t.Error("the server's folder is still there")
	}
}

func TestMain_FailsWithoutAServer(t *testing.T) {
	t.Setenv("TMPDIR", "/no/such/folder")
	var shared *Server
	ran := false
	if status := Main(tests(func() int { ran = true; return 0 }), &shared); status != 1 || ran {
		t.Errorf("exit status %d, tests run: %v", status, ran)
	}
}
