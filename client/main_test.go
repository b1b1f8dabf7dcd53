package client_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if text := os.Getenv(asNode); text != "" {
		os.Exit(serveAsChild(text))
	}
	goleak.VerifyTestMain(m,
		// The libraries' own. A last probe of gossip, the cleaners of a stopped server's idle workers and of a client's idle
		// connections end by themselves within a minute; the clock of the Date header and the cleaner of the dialer's resolved
		// addresses never: each is one for the process.
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).probeNode"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*HostClient).connsCleaner"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*TCPDialer).tcpAddrsClean"))
}
