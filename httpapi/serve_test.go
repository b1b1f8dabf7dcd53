package httpapi

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/node"
)

func TestServe_RefusesAListenerAfterShutdown(t *testing.T) {
	h := start(t, &fakeService{})
	h.shutdown()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Serve(ln); !errors.Is(err, ErrClosed) {
		t.Errorf("Serve: %v, want ErrClosed", err)
	}
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener is still open: %v", err)
	}
}

// failingListener fails as its list says, then accepts nothing until it is closed.
type failingListener struct {
	net.Listener
	errs []error
}

func (l *failingListener) Accept() (net.Conn, error) {
	if len(l.errs) > 0 {
		err := l.errs[0]
		l.errs = l.errs[1:]
		return nil, err
	}
	return l.Listener.Accept()
}

func TestServe_GoesOnAfterAPassingErrorAndEndsAfterALastingOne(t *testing.T) {
	logs := new(logBuffer)
	s, err := New(DefaultConfig(), &fakeService{}, slog.New(slog.NewTextHandler(logs, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	full := &net.OpError{Op: "accept", Err: syscall.EMFILE}
	err = s.Serve(&failingListener{ln, []error{full, full, full, io.ErrNoProgress}})
	if !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("Serve: %v", err)
	}
	if n := strings.Count(logs.String(), "cannot accept"); n != 1 {
		t.Errorf("%d log lines, want 1: %s", n, logs)
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestNew_NamesEveryFaultOfItsLimits(t *testing.T) {
	_, err := New(Config{ReadTimeout: time.Second, Durabilities: []node.Durability{node.Disk, 9, node.Disk}}, &fakeService{}, slog.New(slog.DiscardHandler))
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"MaxBodyBytes is 0, but must be from 4096", "MaxHeaderBytes", "MaxConnections", "WriteTimeout is 0s", "IdleTimeout", "the number 9", `the level "disk" stands twice`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "ReadTimeout") {
		t.Errorf("names what is right: %v", err)
	}
	if _, err := New(Config{}, &fakeService{}, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "no level stands in") {
		t.Errorf("no levels: %v", err)
	}
}

// lateListener hands out one more connection when it is closed, as a real one may have just accepted it.
type lateListener struct {
	net.Listener
	last net.Conn
}

func (l *lateListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil && l.last != nil {
		<-time.After(20 * time.Millisecond) // this goroutine was not scheduled
		nc, err, l.last = l.last, nil, nil
	}
	return nc, err
}

func TestShutdown_EndsAConnectionThatWasAcceptedAtTheLastMoment(t *testing.T) {
	s, _ := quickServer(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := net.Pipe()
	defer theirs.Close()
	served := make(chan error, 1)
	go func() { served <- s.Serve(&lateListener{ln, ours}) }()
	probe, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the listener is served", func() bool { return s.conns.len() == 1 })
	probe.Close()
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	_ = ours.SetWriteDeadline(time.Now())
	if _, err := ours.Write(nil); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Shutdown returned while a connection was open: %v", err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// brokenConn panics where no handler can recover it.
type brokenConn struct{ requestsConn }

func (c *brokenConn) Read([]byte) (int, error) { panic("broken connection") }

func TestServe_SurvivesAPanicOutsideTheHandler(t *testing.T) {
	s, _ := quickServer(t)
	logs := new(logBuffer)
	s.log = slog.New(slog.NewTextHandler(logs, nil))
	s.admitted(new(brokenConn))
	if s.conns.len() != 0 || s.metrics.panics.Get() != 1 || !strings.Contains(logs.String(), "broken connection") {
		t.Errorf("%d connections, %d panics, log %q", s.conns.len(), s.metrics.panics.Get(), logs)
	}
}
