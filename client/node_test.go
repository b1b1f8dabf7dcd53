package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/pinocchio-nose/pinocchio/flush"
	"github.com/pinocchio-nose/pinocchio/httpapi"
	"github.com/pinocchio-nose/pinocchio/node"
	"github.com/pinocchio-nose/pinocchio/ring"
)

// nodeSettings are what a real node of these tests is started with. They go to a child process as JSON.
type nodeSettings struct {
	Name       string
	Cluster    string // unique: a port may have been that of another test's node, to which others still talk
	Store      string // URL
	Data       string // folder of its log
	HTTP       string // host:port
	LeaseTTL   time.Duration
	MaxPending int // 0: the default
}

// server is a real node with its HTTP API, as "pinocchio serve" joins them.
type server struct {
	base  string // http://host:port
	store flush.Store
	node  *node.Node
	api   *httpapi.Server
	ended chan error // the results of the node and the API, when stop was called
	stop  context.CancelFunc
	once  sync.Once
}

// startServer returns when the node is ready.
func startServer(s nodeSettings, log io.Writer) (*server, error) {
	store, err := s.open()
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", s.HTTP)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	cfg := node.DefaultConfig()
	cfg.Name, cfg.Cluster, cfg.Store, cfg.Ring = s.Name, s.Cluster, store, fewPartitions()
	cfg.HTTPAddr, cfg.PeerListen, cfg.GossipAddr = ln.Addr().String(), "127.0.0.1:0", "127.0.0.1:0"
	cfg.Durability, cfg.DataDir = node.Disk, s.Data
	cfg.FlushInterval, cfg.LeaseTTL = 50*time.Millisecond, s.LeaseTTL
	if s.MaxPending > 0 {
		cfg.MaxPending = s.MaxPending
	}
	cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
	r := &server{base: "http://" + ln.Addr().String(), store: store, ended: make(chan error, 2)}
	if r.node, err = node.New(cfg); err == nil {
		r.api, err = httpapi.New(httpapi.DefaultConfig(), r.node, cfg.Logger)
	}
	if err != nil {
		return nil, errors.Join(err, ln.Close(), store.Close())
	}
	var ctx context.Context
	ctx, r.stop = context.WithCancel(context.Background())
	go func() { r.ended <- r.node.Run(ctx) }()
	go func() { r.ended <- r.api.Serve(ln) }()
	return r, r.awaitReady()
}

func fewPartitions() ring.Settings {
	r := ring.Default()
	r.Partitions = 31 // a small cluster starts quickly
	return r
}

func (s nodeSettings) open() (flush.Store, error) {
	r := fewPartitions()
	return flush.Open(context.Background(), s.Store,
		flush.Settings{Cluster: s.Cluster, Partitions: r.Partitions, Hash: ring.Hash, Ring: r.Version()}, flush.Options{})
}

// patience is how long a test waits for what must come. Nothing waits that long unless it fails.
const patience = 60 * time.Second

// awaitReady looks until the node is ready: it tells nobody when.
func (r *server) awaitReady() error {
	deadline := time.Now().Add(patience)
	for ; r.node.Ready() != nil; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			return errors.Join(fmt.Errorf("the node is not ready: %w", r.node.Ready()), r.end())
		}
		select {
		case err := <-r.ended:
			r.ended <- err
			return errors.Join(errors.New("the node has ended"), r.end())
		default:
		}
	}
	return nil
}

// end stops in order: hands over, answers what is under way, flushes. Only the first call does.
func (r *server) end() (err error) {
	r.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		r.api.Drain()
		r.node.Drain(ctx)
		cut := r.api.Shutdown(ctx)
		r.stop()
		err = errors.Join(cut, <-r.ended, <-r.ended, r.store.Close())
	})
	return err
}

// asNode is the environment variable that makes the test binary a node: a process of its own, which a test can kill. It
// holds nodeSettings.
const asNode = "PINOCCHIO_CLIENT_TEST_NODE"

// serveAsChild prints the node's address when it is ready, and ends in order when its standard input ends: when the test
// closes it, or has ended itself in whatever way. It returns the exit status.
func serveAsChild(text string) int {
	var s nodeSettings
	err := json.Unmarshal([]byte(text), &s)
	if err == nil {
		var r *server
		if r, err = startServer(s, os.Stderr); err == nil {
			fmt.Println(r.base)
			_, _ = io.Copy(io.Discard, os.Stdin)
			err = r.end()
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
