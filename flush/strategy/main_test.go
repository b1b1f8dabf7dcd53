package strategy_test

import (
	"os"
	"testing"

	"github.com/pinocchio-nose/pinocchio/internal/pgtest"
)

// server is the Postgres that the tests share, each with a database of its own.
var server *pgtest.Server

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m, &server)) }
