package flush_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/pinocchio-nose/pinocchio/internal/pgtest"
)

// server is the Postgres that this package's tests share, each with databases of its own. Tests that kill a server
// start another one.
var server *pgtest.Server

func TestMain(m *testing.M) {
	if arguments := os.Getenv(childEnv); arguments != "" {
		fmt.Fprintln(os.Stderr, runChild(arguments))
		os.Exit(1)
	}
	var err error
	if server, err = pgtest.Launch(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
