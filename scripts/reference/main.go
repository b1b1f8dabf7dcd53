// Command reference is the limit that Pinocchio's HTTP figures are measured against: a fasthttp server with a handler that
// does nothing but answer 202 with an empty body, to every request.
//
//	go run ./scripts/reference --listen 127.0.0.1:8080
//
// It prints the address that it listens on, port 0 included, and runs until SIGINT or SIGTERM.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address to listen on, host:port")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

// run serves on the address until ctx ends.
func run(ctx context.Context, listen string, out io.Writer) error {
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	server := newServer()
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	_, _ = fmt.Fprintf(out, "listening on %s\n", ln.Addr())
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := server.ShutdownWithContext(grace); err != nil {
		return err
	}
	_ = ln.Close() // Shutdown does nothing when Serve has not come as far as to know the listener
	return <-served
}

// newServer keeps fasthttp's own settings: what is measured is the library, not a tuning of it.
func newServer() *fasthttp.Server {
	return &fasthttp.Server{
		Handler:         func(ctx *fasthttp.RequestCtx) { ctx.SetStatusCode(fasthttp.StatusAccepted) },
		CloseOnShutdown: true,
	}
}
