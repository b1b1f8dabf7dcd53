package pgtest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/internal/child"
)

const (
	startLimit = 60 * time.Second // to start, with crash recovery
	stopLimit  = 20 * time.Second
	portTries  = 5
)

// Server is a Postgres server of the test's own. Its methods but NewDatabase and Query are for one goroutine.
type Server struct {
	programs string // folder of initdb and postgres
	home     string // temporary folder: data and log
	as       *account
	port     int
	env      []string      // what the server's processes get beside this program's
	process  *process      // nil: not running
	next     atomic.Uint32 // number of the next database
}

// Start launches a server that is stopped, and its folder deleted, when the test ends. A failed test's log gets the
// server's log. For one server shared by a package's tests, there is Main.
func Start(tb testing.TB) *Server {
	tb.Helper()
	s, err := Launch()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("server log:\n%s", s.Log())
		}
		if err := s.Stop(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// Launch starts a server. The caller calls Stop.
func Launch() (*Server, error) {
	programs, err := findPrograms()
	if err != nil {
		return nil, err
	}
	as, err := serverAccount()
	if err != nil {
		return nil, err
	}
	home, err := os.MkdirTemp("", "pgtest")
	if err != nil {
		return nil, err
	}
	s := &Server{programs: programs, home: home, as: as}
	if err := s.create(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(home))
	}
	for range portTries { // another process may take the free port before the server does
		if s.port, err = freePort(); err != nil {
			break
		}
		if err = s.Restart(); err == nil {
			return s, nil
		}
	}
	return nil, errors.Join(err, os.RemoveAll(home))
}

// create makes the data folder.
func (s *Server) create() error {
	if err := s.as.own(s.home); err != nil {
		return err
	}
	// No locale but C, and a sync of the empty cluster would only cost time: every later write is synced.
	cmd := exec.Command(filepath.Join(s.programs, "initdb"), "--pgdata", s.data(), "--username=postgres", "--auth=trust",
		"--encoding=UTF8", "--locale=C", "--no-sync")
	cmd.Dir = s.home
	cmd.SysProcAttr = s.as.attributes()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

func (s *Server) data() string    { return filepath.Join(s.home, "data") }
func (s *Server) logFile() string { return filepath.Join(s.home, "log") }

// Log returns the end of the server's log.
func (s *Server) Log() string {
	const most = 64 << 10
	text, err := os.ReadFile(s.logFile())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}

// Addr returns the server's host:port. It stays the same across restarts.
func (s *Server) Addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// URL returns the URL of a database of this server.
func (s *Server) URL(database string) string { return URL(s.Addr(), database) }

// URL returns the URL of a database at host:port, such as a Proxy's.
func URL(addr, database string) string {
	return "postgres://postgres@" + addr + "/" + database + "?sslmode=disable"
}

// NewDatabase creates an empty database and returns its name.
func (s *Server) NewDatabase(tb testing.TB) string {
	tb.Helper()
	name := fmt.Sprintf("test%d", s.next.Add(1))
	s.Query(tb, "postgres", "create database "+name)
	return name
}

// Query runs SQL by psql and returns the rows, one a line, columns separated by |.
func (s *Server) Query(tb testing.TB, database, sql string) string {
	tb.Helper()
	out, err := s.psql(database, sql)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// SQL is Query for callers that are no test.
func (s *Server) SQL(database, sql string) (string, error) { return s.psql(database, sql) }

func (s *Server) psql(database, sql string) (string, error) {
	cmd := exec.Command(filepath.Join(s.programs, "psql"), "--no-psqlrc", "--quiet", "--tuples-only", "--no-align",
		"--set=ON_ERROR_STOP=1", "--command="+sql, s.URL(database)+"&connect_timeout=5")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("psql: %w: %s", err, strings.TrimSpace(errs.String()))
	}
	return strings.TrimRight(out.String(), "\n"), nil
}

// SetEnv gives the server's processes these variables, NAME=value, from the next Restart on.
func (s *Server) SetEnv(env ...string) { s.env = env }

// Restart starts a server that was stopped or killed, with crash recovery if need be, and waits until it answers.
func (s *Server) Restart() error {
	if s.process != nil {
		return errors.New("the server is running")
	}
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(filepath.Join(s.programs, "postgres"), "-D", s.data(), "-p", fmt.Sprint(s.port),
		"-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", // no socket: nothing depends on the length of the folder's path
		"-c", "fsync=on",
		"-c", "max_connections=200",
		"-c", "timezone=UTC",
	)
	cmd.Dir = s.home
	cmd.Env = append(os.Environ(), s.env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = s.as.attributes()
	started, err := child.Start(cmd)
	if err != nil {
		return err
	}
	s.process = &process{started}
	return s.awaitReady()
}

// awaitReady polls: Postgres tells nobody when it is ready.
func (s *Server) awaitReady() error {
	deadline := time.Now().Add(startLimit)
	for {
		_, err := s.psql("postgres", "select 1")
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			s.process.kill()
			s.process = nil
			return fmt.Errorf("the server did not start within %v: %w", startLimit, err)
		}
		select {
		case <-s.process.Done():
			s.process = nil
			return fmt.Errorf("the server ended while it started:\n%s", s.Log())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Kill9 kills all of the server's processes, as a crash of the machine would.
func (s *Server) Kill9() {
	if s.process != nil {
		s.process.kill()
		s.process = nil
	}
}

// Stop ends the server and deletes its folder. It may be called again.
func (s *Server) Stop() error {
	var err error
	if s.process != nil && !s.process.quit(stopLimit) {
		s.process.kill()
		err = fmt.Errorf("the server did not stop within %v", stopLimit)
	}
	s.process = nil
	return errors.Join(err, os.RemoveAll(s.home))
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}

// findPrograms returns the folder of Postgres' programs: from PATH, else the newest of Debian's.
func findPrograms() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	best, version := "", 0
	for _, path := range found {
		var v int
		if _, err := fmt.Sscanf(path, "/usr/lib/postgresql/%d/", &v); err == nil && v > version {
			best, version = filepath.Dir(path), v
		}
	}
	if best == "" {
		return "", errors.New("these tests need Postgres (initdb in PATH or in /usr/lib/postgresql/*/bin): \"make test\" installs it")
	}
	return best, nil
}
