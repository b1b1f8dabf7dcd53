package flush_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

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
	flag.Parse()
	if flag.Lookup("test.fuzz").Value.String() != "" { // needs no server, and each of its workers is a process
		os.Exit(m.Run())
	}
	os.Exit(pgtest.Main(m, &server))
}
