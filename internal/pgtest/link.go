package pgtest

import (
	"bytes"
	"encoding/binary"
	"net"
	"sync"
)

// trap breaks the connection on which its marker passes.
type trap struct {
	marker  []byte
	abandon bool          // cut the client at once, not after the server's answer
	sprung  chan struct{} // closed when the server has answered
}

// link is one connection through the proxy.
type link struct {
	proxy     *Proxy
	client    net.Conn
	forgotten bool // stalled on its own; guarded by the proxy's mu

	mu     sync.Mutex
	server net.Conn
	closed bool
	trap   *trap // sprung on this link
}

// connect adds the server's side; false when the link was cut meanwhile.
func (l *link) connect(server net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		_ = server.Close()
		return false
	}
	l.server = server
	return true
}

// close ends both sides.
func (l *link) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	_ = l.client.Close()
	if l.server != nil {
		_ = l.server.Close()
	}
}

// caught returns the trap that sprung on this link, or nil.
func (l *link) caught() *trap {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.trap
}

func (l *link) setTrap(t *trap) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trap = t
}

// toServer forwards what the client sends and looks for markers in it.
func (l *link) toServer() {
	messages := framer{untyped: true} // a client's first message has no type
	buf := make([]byte, 64<<10)
	var window []byte // the end of what was sent: a marker may be cut by a read
	for first := true; ; first = false {
		n, err := l.client.Read(buf)
		if err != nil {
			break
		}
		l.proxy.pass(l)
		if messages.betweenRequests() {
			window = window[:0] // an earlier request's marker is no reason
		}
		if first && isCancel(buf[:n]) && l.proxy.isDeaf() {
			break
		}
		window = append(window, buf[:n]...)
		if l.caught() == nil {
			if t := l.proxy.spring(window); t != nil {
				l.setTrap(t) // before the server can answer
			}
		}
		window = append(window[:0], window[max(0, len(window)-maxMarker):]...)
		if _, err := l.server.Write(buf[:n]); err != nil {
			break
		}
		messages.feed(buf[:n], func(byte) {})
		if t := l.caught(); t != nil && t.abandon && messages.betweenRequests() {
			_ = l.client.Close()
			return // toClient goes on until the server is done
		}
	}
	l.close()
}

// toClient forwards what the server answers, or discards it when a trap has sprung.
func (l *link) toClient() {
	var messages framer
	buf := make([]byte, 64<<10)
	defer func() {
		l.close()
		if t := l.caught(); t != nil {
			close(t.sprung)
		}
	}()
	for {
		n, err := l.server.Read(buf)
		if err != nil {
			return
		}
		l.proxy.pass(l)
		ready := false
		messages.feed(buf[:n], func(kind byte) { ready = kind == 'Z' }) // ReadyForQuery
		if l.caught() == nil {
			if _, err := l.client.Write(buf[:n]); err != nil {
				return
			}
		} else if ready {
			return
		}
	}
}

// maxMarker bounds a marker that is cut in two by a read.
const maxMarker = 512

// isCancel reports whether a client's first message asks to cancel another connection's request.
func isCancel(message []byte) bool {
	const code = 1234<<16 | 5678
	return len(message) >= 8 && binary.BigEndian.Uint32(message[4:]) == code
}

// matches reports whether the bytes hold the trap's marker.
func (t *trap) matches(sent []byte) bool { return bytes.Contains(sent, t.marker) }

// framer follows the message borders of one direction of Postgres' protocol: a type, four bytes of length that
// count themselves, the content.
type framer struct {
	untyped bool // the next message has no type
	header  []byte
	left    int  // bytes of content to come
	last    byte // type of the last message that ended
}

// betweenRequests reports whether the last request is complete: a Sync or a simple Query has ended.
func (f *framer) betweenRequests() bool {
	return len(f.header) == 0 && (f.last == 'S' || f.last == 'Q')
}

// feed takes the next bytes and calls end for each message that ends in them.
func (f *framer) feed(b []byte, end func(kind byte)) {
	for len(b) > 0 {
		size := 5
		if f.untyped {
			size = 4
		}
		if len(f.header) < size {
			n := min(size-len(f.header), len(b))
			f.header, b = append(f.header, b[:n]...), b[n:]
			if len(f.header) < size {
				return
			}
			f.left = int(binary.BigEndian.Uint32(f.header[size-4:])) - 4
		}
		n := min(f.left, len(b))
		f.left, b = f.left-n, b[n:]
		if f.left > 0 {
			return
		}
		f.last = 0
		if !f.untyped {
			f.last = f.header[0]
		}
		f.untyped, f.header = false, f.header[:0]
		end(f.last)
	}
}
