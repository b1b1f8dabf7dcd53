package pgtest

import (
	"fmt"
	"os"

	"go.uber.org/goleak"
)

// Main is what a TestMain calls whose tests share one server: it starts the server and stores it in shared, runs the tests, and
// stops the server. It returns the exit status, which is 1 also when goroutines are left behind.
func Main(tests interface{ Run() int }, shared **Server) (status int) {
	fail := func(err error) {
		if err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			status = 1
		}
	}
	s, err := Launch()
	if err != nil {
		fail(err)
		return status
	}
	*shared = s
	status = tests.Run()
	fail(s.Stop())
	if status == 0 { // failed tests leave goroutines behind
		fail(goleak.Find())
	}
	return status
}
