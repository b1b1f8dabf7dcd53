package node

import (
	"net"
	"sync"
	"testing"
)

// front stands between a node and the others that connect to it, and can break what passes.
type front struct {
	ln      net.Listener
	running sync.WaitGroup

	mu struct {
		sync.Mutex
		target  string
		open    map[net.Conn]struct{}
		silent  bool // answers are dropped, together with their connection
		hung    chan struct{}
		dropped int
		ended   bool
	}
}

func newFront(t *testing.T) *front {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &front{ln: ln}
	f.mu.open = make(map[net.Conn]struct{})
	f.running.Go(f.accept)
	t.Cleanup(func() {
		f.cut()
		f.running.Wait()
	})
	return f
}

// before sets the address behind the front and returns the one before it.
func (f *front) before(target string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.target = target
	return f.ln.Addr().String()
}

// dropReplies lets requests through and drops their answers, or ends that.
func (f *front) dropReplies(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.silent = on
}

// replies returns how many answers were dropped.
func (f *front) replies() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.dropped
}

// hang makes nothing pass any more, in neither direction, while connections stay; or lets everything pass again.
func (f *front) hang(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.hung != nil {
		close(f.mu.hung)
		f.mu.hung = nil
	}
	if on {
		f.mu.hung = make(chan struct{})
	}
}

// cut closes everything: who connects is refused. It is for ever.
func (f *front) cut() {
	f.hang(false)
	_ = f.ln.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.ended = true
	for c := range f.mu.open {
		_ = c.Close()
	}
}

func (f *front) accept() {
	for {
		client, err := f.ln.Accept()
		if err != nil {
			return
		}
		f.running.Go(func() { f.serve(client) })
	}
}

func (f *front) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	f.mu.Lock()
	target := f.mu.target
	f.mu.Unlock()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	f.mu.Lock()
	ended := f.mu.ended
	f.mu.open[client], f.mu.open[server] = struct{}{}, struct{}{}
	f.mu.Unlock()
	if ended {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { f.copy(server, client, false) })
	both.Go(func() { f.copy(client, server, true) })
	both.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.mu.open, client)
	delete(f.mu.open, server)
}

// copy carries bytes until one side ends, and closes both then.
func (f *front) copy(to, from net.Conn, replies bool) {
	defer func() {
		_ = to.Close()
		_ = from.Close()
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && !f.pass(replies) {
			return
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// pass waits while the front hangs, and says whether the bytes may go on.
func (f *front) pass(reply bool) bool {
	f.mu.Lock()
	hung := f.mu.hung
	f.mu.Unlock()
	if hung != nil {
		<-hung
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if reply && f.mu.silent {
		f.mu.dropped++
		return false
	}
	return true
}
