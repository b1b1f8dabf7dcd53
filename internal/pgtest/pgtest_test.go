package pgtest

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pinocchio-nose/pinocchio/internal/child"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestServer_KeepsWhatItCommittedWhenKilledAndRestarted(t *testing.T) {
	s := Start(t)
	db := s.NewDatabase(t)
	if other := s.NewDatabase(t); other == db {
		t.Fatalf("two databases are named %s", db)
	}
	s.Query(t, db, "create table kept (n integer); insert into kept values (1), (2)")
	pid := s.process.ID()
	children := childrenOf(pid)
	if len(children) == 0 {
		t.Error("found no child of a running server")
	}
	addr := s.Addr()
	s.Kill9()
	s.Kill9() // not running: nothing to do
	for _, id := range append(children, pid) {
		if parentOf(id) != 0 {
			t.Errorf("process %d lives on", id)
		}
	}
	if _, err := s.psql(db, "select 1"); err == nil {
		t.Error("a killed server answers")
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	if got := s.Query(t, db, "select n, n * 2 from kept order by n"); got != "1|2\n2|4" {
		t.Errorf("after the crash: %q", got)
	}
	if s.Addr() != addr {
		t.Errorf("moved from %s to %s", addr, s.Addr())
	}
	if err := s.Restart(); err == nil {
		t.Error("started twice")
	}
	if !strings.Contains(s.Log(), "automatic recovery in progress") {
		t.Errorf("the log tells nothing of a crash:\n%s", s.Log())
	}
	if got := s.Query(t, db, "show fsync"); got != "on" {
		t.Errorf("fsync is %s", got)
	}
}

func TestServer_LeavesNothingWhenStopped(t *testing.T) {
	s, err := Launch()
	if err != nil {
		t.Fatal(err)
	}
	home := s.home
	for range 2 {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(home); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
	if strings.Contains(s.Log(), "ready") {
		t.Error("a deleted server has a log")
	}
}

func TestServer_SaysWhyWhenItCannotStart(t *testing.T) {
	s := Start(t)
	s.Kill9()
	if err := os.WriteFile(filepath.Join(s.data(), "postgresql.conf"), []byte("no_such_setting = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Restart(); err == nil || !strings.Contains(err.Error(), "no_such_setting") {
		t.Errorf("got %v", err)
	}
}

func TestProcess_DiesWithTheProcessThatStartedIt(t *testing.T) {
	if os.Getenv("PGTEST_SLEEPER") != "" {
		startSleeper()
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestProcess_DiesWithTheProcessThatStartedIt$")
	cmd.Env = append(os.Environ(), "PGTEST_SLEEPER=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	id := mustAtoi(t, line)
	if parentOf(id) != cmd.Process.Pid {
		t.Fatalf("process %d is not a child of %d", id, cmd.Process.Pid)
	}
	_ = cmd.Process.Signal(syscall.SIGKILL)
	_ = cmd.Wait()
	awaitGone(id)
	if parentOf(id) != 0 {
		t.Errorf("process %d lives on", id)
	}
}

func mustAtoi(t *testing.T, line string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// pipe is a client and the server's side of one connection through a proxy.
type pipe struct{ client, server net.Conn }

// dial connects through the proxy to a listener that stands for Postgres.
func dial(t *testing.T, p *Proxy, l net.Listener) pipe {
	t.Helper()
	client, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	both := pipe{client, server}
	for _, c := range []net.Conn{client, server} {
		t.Cleanup(func() { _ = c.Close() })
		if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	both.send(t, client, startup())
	both.expect(t, server, startup())
	return both
}

func newProxy(t *testing.T) (*Proxy, net.Listener) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return StartProxy(t, l.Addr().String()), l
}

// message is one of the protocol's: a type, its length, its content.
func message(kind byte, content string) string {
	n := len(content) + 4
	return string([]byte{kind, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}) + content
}

func startup() string { return "\x00\x00\x00\x08\x00\x03\x00\x00" }

func (pipe) send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

func (pipe) expect(t *testing.T, c net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Fatalf("got %q, %v, want %q", got, err, want)
	}
}

// expectEnd expects that the connection ends without another byte.
func (pipe) expectEnd(t *testing.T, c net.Conn) {
	t.Helper()
	n, err := c.Read(make([]byte, 100))
	var timeout net.Error
	if n > 0 || err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		t.Fatalf("read %d bytes, %v", n, err)
	}
}

func TestProxy_PassesEverythingUntilItIsCut(t *testing.T) {
	p, l := newProxy(t)
	c := dial(t, p, l)
	request := message('Q', "select 1")
	c.send(t, c.client, request)
	c.expect(t, c.server, request)
	c.send(t, c.server, message('Z', "I"))
	c.expect(t, c.client, message('Z', "I"))
	p.Cut()
	c.expectEnd(t, c.client)
	c.expectEnd(t, c.server)
	p.Refuse(true)
	refused, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = refused.Close() }()
	c.expectEnd(t, refused)
	p.Refuse(false)
	dial(t, p, l)
}

func TestProxy_ClosesTheClientWhenTheServerIsNotThere(t *testing.T) {
	p, l := newProxy(t)
	_ = l.Close()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	pipe{}.expectEnd(t, c)
}

func TestProxy_DropsOnlyTheReplyOfTheMarkedRequest(t *testing.T) {
	p, l := newProxy(t)
	c, other := dial(t, p, l), dial(t, p, l)
	marked := message('B', "bind marker now") + message('E', "") + message('S', "")
	c.send(t, c.client, marked) // before the trap is set: no reason
	c.expect(t, c.server, marked)
	done := p.DropReply("marker")
	plain := message('Q', "select 1")
	for _, each := range []pipe{c, other} {
		each.send(t, each.client, plain)
		each.expect(t, each.server, plain)
		each.send(t, each.server, message('Z', "I"))
		each.expect(t, each.client, message('Z', "I"))
	}
	cutAt := strings.Index(marked, "ker") // the marker comes in two pieces
	c.send(t, c.client, marked[:cutAt])
	c.expect(t, c.server, marked[:cutAt])
	c.send(t, c.client, marked[cutAt:])
	c.expect(t, c.server, marked[cutAt:])
	reply := message('D', strings.Repeat("x", 100_000)) + message('C', "SELECT 1")
	c.send(t, c.server, reply)
	select {
	case <-done:
		t.Fatal("sprung before the server was ready")
	default:
	}
	c.send(t, c.server, message('Z', "I"))
	<-done
	c.expectEnd(t, c.client)
	other.send(t, other.client, marked) // the trap is used up
	other.expect(t, other.server, marked)
	other.send(t, other.server, message('Z', "I"))
	other.expect(t, other.client, message('Z', "I"))
}

func TestProxy_LetsTheServerGoOnWhenTheClientIsAbandoned(t *testing.T) {
	p, l := newProxy(t)
	c := dial(t, p, l)
	done := p.Abandon("marker")
	half := message('B', "marker")
	c.send(t, c.client, half)
	c.expect(t, c.server, half)
	c.send(t, c.client, message('E', "")+message('S', "")) // the request must arrive whole
	c.expect(t, c.server, message('E', "")+message('S', ""))
	c.expectEnd(t, c.client)
	cancel, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cancel.Close() }()
	c.send(t, cancel, "\x00\x00\x00\x10\x04\xd2\x16\x2e\x00\x00\x00\x01\x00\x00\x00\x02")
	c.expectEnd(t, cancel)
	c.send(t, c.server, message('C', "INSERT 0 1"))
	select {
	case <-done:
		t.Fatal("sprung before the server was ready")
	default:
	}
	c.send(t, c.server, message('Z', "I"))
	<-done
}

func TestProxy_HoldsBackWhatIsSentWhileStalled(t *testing.T) {
	p, l := newProxy(t)
	old := dial(t, p, l)
	p.StallPresent()
	young := dial(t, p, l)
	text := message('Q', "select 1")
	old.send(t, old.client, text)
	young.send(t, young.client, text)
	young.expect(t, young.server, text)
	if err := old.server.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := old.server.Read(make([]byte, 1)); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read %d bytes, %v, through a stalled connection", n, err)
	}
	p.Stall(false)
	if err := old.server.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	old.expect(t, old.server, text)
	p.Stall(true)
	old.send(t, old.server, message('Z', "I"))
	p.Stop() // does not hang; what was held back may still get through
	if _, err := io.ReadAll(old.client); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("the connection did not end")
	}
}

// startSleeper stands for a test process that dies: it starts a child as the server is started, and tells its id.
func startSleeper() {
	as, err := serverAccount()
	if err != nil {
		panic(err)
	}
	cmd := exec.Command("sleep", "600")
	cmd.SysProcAttr = as.attributes()
	p, err := child.Start(cmd)
	if err != nil {
		panic(err)
	}
	_, _ = os.Stdout.WriteString(strconv.Itoa(p.ID()) + "\n")
	<-p.Done()
}
