package pgproxy

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// link is one connection.
type link struct {
	proxy          *Proxy
	client, server net.Conn
	prepared       map[string]bool // names of statements that hold the marker; of toServer
	closed         chan struct{}
	once           sync.Once

	mu   sync.Mutex
	trap *Trap
	left int // bytes until the trap springs
}

func newLink(p *Proxy, client, server net.Conn) *link {
	return &link{proxy: p, client: client, server: server, prepared: map[string]bool{}, closed: make(chan struct{})}
}

// close ends both sides. It may be called again.
func (l *link) close() {
	l.once.Do(func() {
		close(l.closed)
		_ = l.client.Close()
		_ = l.server.Close()
	})
}

// toServer forwards messages and looks for the marker.
func (l *link) toServer() {
	defer l.close()
	in := bufio.NewReaderSize(l.client, 64<<10)
	for untyped := true; ; untyped = false { // the first message has no type
		idle := in.Buffered() == 0
		m, err := readMessage(in, untyped)
		if err != nil || idle && !l.wait() {
			return
		}
		if !untyped && l.marked(m) {
			if t, ok := l.proxy.trap(); ok {
				l.set(t) // before the server can answer
			}
		}
		if l.forward(l.server, m, false) != nil {
			return
		}
	}
}

// toClient forwards what the server answers, or throws it away.
func (l *link) toClient() {
	defer l.close()
	in := bufio.NewReaderSize(l.server, 64<<10)
	for {
		idle := in.Buffered() == 0
		m, err := readMessage(in, false)
		if err != nil || idle && !l.wait() {
			return
		}
		if l.dropping() {
			if m[0] == 'Z' { // ready for the next request: it has committed, or failed
				l.spring()
				return
			}
			continue
		}
		if l.forward(l.client, m, true) != nil {
			return
		}
	}
}

// wait takes the present lag's time; false when the link was closed meanwhile.
func (l *link) wait() bool {
	lag := l.proxy.lag()
	if lag == 0 {
		return true
	}
	timer := time.NewTimer(lag)
	defer timer.Stop()
	select {
	case <-l.closed:
		return false
	case <-timer.C:
		return true
	}
}

// errSprung ends a connection that a trap has broken.
var errSprung = errors.New("a trap sprung")

// forward writes the message, or what the trap lets through of it.
func (l *link) forward(to net.Conn, m []byte, answer bool) error {
	l.mu.Lock()
	cut := l.trap != nil && !l.trap.Drop && l.trap.Answer == answer
	if cut && len(m) <= l.left {
		l.left, cut = l.left-len(m), false
	}
	if cut {
		m = m[:l.left]
	}
	l.mu.Unlock()
	_, err := to.Write(m)
	if cut {
		l.spring()
		return errSprung
	}
	return err
}

func (l *link) set(t Trap) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.trap == nil {
		l.trap, l.left = &t, t.Bytes
	}
}

func (l *link) dropping() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.trap != nil && l.trap.Drop
}

func (l *link) spring() {
	l.mu.Lock()
	t := *l.trap
	l.mu.Unlock()
	l.proxy.sprung(t)
}

// marked says whether the message executes a statement that holds the marker, and notes those that prepare one.
func (l *link) marked(m []byte) bool {
	body := m[5:]
	switch m[0] {
	case 'Q':
		return bytes.Contains(body, l.proxy.marker)
	case 'P': // Parse: name, SQL
		name, sql, _ := bytes.Cut(body, []byte{0})
		l.prepared[string(name)] = bytes.Contains(sql, l.proxy.marker)
	case 'B': // Bind: portal, name of the statement
		_, rest, _ := bytes.Cut(body, []byte{0})
		name, _, _ := bytes.Cut(rest, []byte{0})
		return l.prepared[string(name)]
	}
	return false
}

// mostMessage is what no message of this program exceeds, in bytes.
const mostMessage = 256 << 20

// readMessage returns the next whole message: type, four bytes of length that count themselves, the content. A client's first one
// has no type.
func readMessage(r *bufio.Reader, untyped bool) ([]byte, error) {
	size := 5
	if untyped {
		size = 4
	}
	header, err := r.Peek(size)
	if err != nil {
		return nil, err
	}
	length := int(binary.BigEndian.Uint32(header[size-4:])) + size - 4
	if length < size || length > mostMessage {
		return nil, errors.New("not a message of Postgres")
	}
	m := make([]byte, length)
	_, err = io.ReadFull(r, m)
	return m, err
}
