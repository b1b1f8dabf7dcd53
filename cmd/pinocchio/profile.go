package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"
)

// listenForProfiles serves the runtime's profiles at address, on a listener of its own that clients do not reach; empty: nowhere.
// close ends it, and cuts a profile that is being taken.
func listenForProfiles(address string, log *slog.Logger) (closer func(), err error) {
	if address == "" {
		return func() {}, nil
	}
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for profiles on %s (choose another with --pprof): %w", address, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			log.Warn("profiles are no longer served", "error", err)
		}
	}()
	log.Info("profiles are served to whoever reaches this address", "url", "http://"+ln.Addr().String()+"/debug/pprof/")
	return func() {
		_ = server.Close()
		<-ended
	}, nil
}
