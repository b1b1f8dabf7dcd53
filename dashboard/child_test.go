package dashboard_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/dashboard"
	"github.com/pinocchio-nose/pinocchio/flush"
	"github.com/pinocchio-nose/pinocchio/httpapi"
	"github.com/pinocchio-nose/pinocchio/internal/access"
	"github.com/pinocchio-nose/pinocchio/internal/certs"
	"github.com/pinocchio-nose/pinocchio/internal/limit"
	"github.com/pinocchio-nose/pinocchio/node"
	"github.com/pinocchio-nose/pinocchio/ring"
)

const (
	childName  = "PINOCCHIO_TEST_NODE"  // set: this process is a node of that name
	childStore = "PINOCCHIO_TEST_STORE" // its store
	childGuard = "PINOCCHIO_TEST_GUARD" // set: a folder with tokens, cert.pem and key.pem, which it asks for and shows
	childRate  = "PINOCCHIO_TEST_RATE"  // set: what each client may send
	leaseTTL   = 1500 * time.Millisecond
)

func TestMain(m *testing.M) {
	if name := os.Getenv(childName); name != "" {
		if err := serveChild(name, os.Getenv(childStore)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// serveChild runs a node with its API and page until standard input ends, which it does at the latest with the test.
func serveChild(name, url string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r := ring.Default()
	r.Partitions = 61
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	store, err := flush.Open(ctx, url, flush.Settings{Cluster: "page", Partitions: r.Partitions, Hash: ring.Hash, Ring: r.Version()}, flush.Options{})
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	cfg := node.DefaultConfig()
	cfg.Name, cfg.Cluster, cfg.Store, cfg.Ring, cfg.Logger = name, "page", store, r, log
	cfg.PeerListen, cfg.GossipAddr, cfg.HTTPAddr = "127.0.0.1:0", "127.0.0.1:0", ln.Addr().String()
	cfg.LeaseTTL, cfg.Durability = leaseTTL, node.Memory
	if cfg.RateLimit, err = limit.ParsePolicy(os.Getenv(childRate), 0); err != nil {
		return err
	}
	n, err := node.New(cfg)
	if err != nil {
		return err
	}
	page := dashboard.New(n, log)
	hc := httpapi.DefaultConfig()
	hc.Page, hc.ClosePage = page.Serve, page.Close
	if cfg.RateLimit.Enabled() {
		hc.Rate.Limiter, hc.Rate.Policy = n, cfg.RateLimit
	}
	if err := guard(&hc, os.Getenv(childGuard), log); err != nil {
		return err
	}
	api, err := httpapi.New(hc, n, log)
	if err != nil {
		return err
	}
	served, counted := make(chan error, 1), make(chan error, 1)
	go func() { served <- api.Serve(ln) }()
	go func() { counted <- n.Run(ctx) }()
	fmt.Println(ln.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
	stop, end := context.WithTimeout(context.Background(), 10*time.Second)
	defer end()
	err = api.Shutdown(stop)
	cancel()
	return errors.Join(err, <-counted, <-served, store.Close())
}

// guard makes the API ask for tokens and speak TLS, with the files of that folder; "": neither.
func guard(c *httpapi.Config, folder string, log *slog.Logger) error {
	if folder == "" {
		return nil
	}
	source, err := certs.Load("http", certs.Files{Cert: filepath.Join(folder, "cert.pem"), Key: filepath.Join(folder, "key.pem")})
	if err != nil {
		return err
	}
	c.TLS = source.Server()
	c.Access, err = access.New(access.Config{TokensFile: filepath.Join(folder, "tokens")}, log)
	return err
}

// child is a node in a process of its own.
type child struct {
	url string
	cmd *exec.Cmd
	in  io.Closer
	log bytes.Buffer
}

func startChild(t *testing.T, name, store string, more ...string) *child {
	t.Helper()
	c := &child{cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(append(os.Environ(), childName+"="+name, childStore+"="+store), more...)
	c.cmd.Stderr = &c.log
	in, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.in = in
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = c.cmd.Wait() // a killed one says so
		if t.Failed() {
			t.Logf("%s:\n%s", name, c.log.String())
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("%s does not say where it listens: %v\n%s", name, err, c.log.String())
	}
	c.url = "http://" + strings.TrimSpace(line)
	return c
}

// pause stops the node; go on with the function that is returned. It goes on at the end of the test too, or it would never end.
func (c *child) pause(t *testing.T) (resume func()) {
	t.Helper()
	signal := func(s os.Signal) {
		t.Helper()
		if err := c.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
	}
	signal(syscall.SIGSTOP)
	resume = func() { signal(syscall.SIGCONT) }
	t.Cleanup(resume)
	return resume
}

// kill ends the node without a word.
func (c *child) kill(t *testing.T) {
	t.Helper()
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
}
