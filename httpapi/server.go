package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"
)

// ErrClosed is returned by Serve when Shutdown was called before.
var ErrClosed = errors.New("the HTTP server was shut down")

// Server serves the API of one node. Its methods are safe for concurrent use.
//
// fasthttp reads requests and writes answers; connections are this package's own business, for two reasons. fasthttp's
// shutdown can drop answers: its loop leaves without a flush when it is told to stop between two pipelined
// requests, and it closes connections that it believes idle while they may be reading a request. And its timeouts
// cost three deadlines for each request (see conn).
type Server struct {
	cfg      Config
	service  Service
	log      *slog.Logger
	http     *fasthttp.Server
	clock    clock
	conns    registry
	metrics  *instruments
	failures []failure
	ready    readiness

	large     pages // for large bodies
	scratches scratchPool
	batches   batchPool
	draining  atomic.Bool
	refusals  chan struct{}  // a place for each refused connection that is still being told so
	refusing  sync.WaitGroup // their goroutines
	accepting sync.WaitGroup // accept loops

	mu struct {
		sync.Mutex
		listeners []net.Listener
	}
	closing chan struct{} // closed by the first Shutdown, under mu
}

// maxRefusals bounds how many refused connections are told why at once; what comes beyond is just closed (R10).
const maxRefusals = 64

// keptBody is the longest buffer of a body that is kept for the next one: else each connection that once had a long one would hold it to
// its end.
const keptBody = 64 << 10

// New returns a server for the API of service. It starts nothing. The error names every fault of cfg.
func New(cfg Config, service Service, log *slog.Logger) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("HTTP limits: %w", err)
	}
	s := &Server{
		cfg:      cfg,
		service:  service,
		log:      log,
		clock:    clock{start: time.Now()},
		failures: append(failureTable(cfg.Durabilities), commandTable()...),
		refusals: make(chan struct{}, maxRefusals),
		closing:  make(chan struct{}),
	}
	s.large.left.Store(int64(cfg.MaxLargeBytes / largePage))
	fasthttp.SetBodySizePoolLimit(keptBody, keptBody)
	s.metrics = newInstruments(&s.conns, cfg.Reloads)
	s.http = &fasthttp.Server{
		Name:                         "pinocchio",
		Handler:                      s.handle,
		ErrorHandler:                 s.unreadable,
		HeaderReceived:               s.bodyLimit,
		ExpectHandler:                s.expected,
		ConnState:                    s.noteState,
		Logger:                       libraryLog{log},
		Concurrency:                  math.MaxInt32, // the registry limits connections, with an answer of our shape
		ReadBufferSize:               cfg.MaxHeaderBytes,
		MaxRequestBodySize:           cfg.MaxBodyBytes,
		NoDefaultContentType:         true,
		DisablePreParseMultipartForm: true,
		SecureErrorLogMessage:        true, // nobody reads the copy of a bad request that it would format
		LazyRequestTime:              true, // the handler looks at the clock itself
	}
	return s, nil
}

// Serve accepts connections from ln until Shutdown, then returns nil; the requests under way go on after that. It
// returns an error when ln fails for good, and ErrClosed after Shutdown. It owns ln.
func (s *Server) Serve(ln net.Listener) error {
	if !s.adopt(ln) {
		_ = ln.Close()
		return ErrClosed
	}
	defer s.accepting.Done()
	stop := make(chan struct{})
	var sweeper sync.WaitGroup
	sweeper.Go(func() { s.sweepUntil(stop) })
	defer sweeper.Wait()
	defer close(stop)
	defer ln.Close()

	var pause time.Duration
	for {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			pause = 0
			s.admit(s.secured(nc))
		case s.isClosed():
			return nil
		case transient(err):
			if pause == 0 {
				s.log.Warn("cannot accept HTTP connections for now", "address", ln.Addr(), "err", err)
			}
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			select {
			case <-time.After(pause):
			case <-s.closing:
			}
		default:
			return fmt.Errorf("accepting HTTP connections on %s: %w", ln.Addr(), err)
		}
	}
}

// adopt takes ln under the server's care, unless the server was shut down.
func (s *Server) adopt(ln net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosed() {
		return false
	}
	s.mu.listeners = append(s.mu.listeners, ln)
	s.accepting.Add(1)
	return true
}

// transient tells whether accepting may work again soon: the process has no descriptor or memory left, or a client went
// away too early.
func transient(err error) bool {
	for _, known := range [...]error{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EPROTO, syscall.EINTR,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// admit serves nc in a goroutine of its own, or refuses it when there are too many.
func (s *Server) admit(nc net.Conn) {
	c := newConn(nc, &s.clock)
	if s.conns.add(c, s.cfg.MaxConnections) {
		go s.serve(c)
		return
	}
	s.metrics.refused.Inc()
	select {
	case s.refusals <- struct{}{}:
		s.refusing.Go(func() {
			_ = nc.SetDeadline(time.Now().Add(dismissal.total))
			_, _ = nc.Write(refusal)
			drainAndClose(nc, dismissal)
			<-s.refusals
		})
	default:
		_ = nc.Close()
	}
}

// serve serves one connection to its end. The handler recovers its own panics; one that comes from reading or
// writing costs the connection, not the node.
func (s *Server) serve(c *conn) {
	defer s.conns.remove(c)
	c.release = func() { s.giveBack(c) }
	defer c.release()
	defer func() {
		if p := recover(); p != nil {
			s.metrics.panics.Inc()
			s.log.Error("panic while serving a connection", "remote", c.RemoteAddr(), "panic", p, "stack", string(debug.Stack()))
			_ = c.Conn.Close()
		}
	}()
	if !s.shakeHands(c) {
		return
	}
	_ = s.http.ServeConn(c) // its errors are the client's going away, or were answered by unreadable
}

// noteState is told by fasthttp when the first byte of a request came and when its answer went out.
func (s *Server) noteState(nc net.Conn, state fasthttp.ConnState) {
	c, ok := nc.(*conn)
	if !ok {
		return
	}
	switch state {
	case fasthttp.StateActive:
		c.enter(phaseReading)
	case fasthttp.StateIdle:
		c.enter(phaseIdle)
		s.giveBack(c)
	}
}

// Drain makes the node unattractive while everything is still served: /readyz answers 503, and each answer closes its
// connection, so that clients with kept connections go elsewhere without a failed request. Give load balancers time
// to notice before Shutdown.
//
// Requests that a client had pipelined behind an answer with Connection: close are not executed: HTTP says so, and such
// a client sends them again on another connection (RFC 9112, section 9.6).
func (s *Server) Drain() {
	if !s.draining.Swap(true) {
		s.log.Info("HTTP is draining: clients are told to go elsewhere")
	}
}

// Shutdown drains, closes the listeners, lets the requests under way finish and ends the connections that wait for
// one. It returns nil when all connections have ended. When ctx ends first it cuts the rest and returns an error that
// says how many; the goroutines of those end with their calls into the Service.
func (s *Server) Shutdown(ctx context.Context) error {
	s.Drain()
	s.closeListeners()
	if s.cfg.ClosePage != nil {
		s.cfg.ClosePage()
	}
	s.accepting.Wait()
	ticker := time.NewTicker(minTimeout)
	defer ticker.Stop()
	gone := s.conns.whenEmpty()
	for {
		s.sweep()
		select {
		case <-gone:
			s.refusing.Wait()
			return nil
		case <-ctx.Done():
			cut := 0
			s.conns.each(func(c *conn) {
				cut++
				_ = c.Conn.Close()
			})
			return fmt.Errorf("%d HTTP connections were cut: %w", cut, ctx.Err())
		case <-ticker.C:
		}
	}
}

func (s *Server) closeListeners() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosed() {
		return
	}
	close(s.closing)
	for _, ln := range s.mu.listeners {
		_ = ln.Close()
	}
}

func (s *Server) isClosed() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// libraryLog passes fasthttp's own log lines on.
type libraryLog struct{ log *slog.Logger }

// Printf implements fasthttp.Logger.
func (l libraryLog) Printf(format string, args ...any) {
	l.log.Warn("fasthttp", "message", fmt.Sprintf(format, args...))
}
