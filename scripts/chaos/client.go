package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/pinocchio-nose/pinocchio/scripts/chaos/netns"
)

// client has one connection to each node, and is for one goroutine. It never sends anything again by itself: what net/http does
// with requests that it takes for repeatable would be missing in the history.
type client struct {
	connections map[string]*connection
}

type connection struct {
	net.Conn
	in *bufio.Reader
}

// reply is an answer.
type reply struct {
	status int
	header http.Header
	body   []byte
}

const (
	dialLimit = time.Second
	mostBody  = 1 << 20
)

func newClient() *client { return &client{connections: map[string]*connection{}} }

// do sends a request to host:port. sent says whether the server may have got it.
func (c *client) do(addr string, req *http.Request, limit time.Duration) (r reply, sent bool, err error) {
	conn := c.connections[addr]
	if conn == nil {
		dialer := net.Dialer{Timeout: min(limit, dialLimit), LocalAddr: &net.TCPAddr{IP: net.ParseIP(netns.Clients)}}
		raw, err := dialer.Dial("tcp", addr)
		if err != nil {
			return reply{}, false, err
		}
		conn = &connection{raw, bufio.NewReader(raw)}
		c.connections[addr] = conn
	}
	keep := false
	defer func() {
		if !keep {
			c.forget(addr)
		}
	}()
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return reply{}, false, err
	}
	if err := req.Write(conn); err != nil {
		return reply{}, true, err
	}
	resp, err := http.ReadResponse(conn.in, req)
	if err != nil {
		return reply{}, true, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostBody))
	if err != nil {
		return reply{}, true, err
	}
	keep = !resp.Close
	return reply{resp.StatusCode, resp.Header, body}, true, resp.Body.Close()
}

func (c *client) forget(addr string) {
	if conn := c.connections[addr]; conn != nil {
		_ = conn.Close()
		delete(c.connections, addr)
	}
}

func (c *client) close() {
	for addr := range c.connections {
		c.forget(addr)
	}
}

// get returns the body of a 200.
func (c *client) get(addr, path string, limit time.Duration) ([]byte, error) {
	req, err := http.NewRequest(http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		return nil, err
	}
	r, _, err := c.do(addr, req, limit)
	if err == nil && r.status != http.StatusOK {
		err = fmt.Errorf("GET %s%s: %d: %.200s", addr, path, r.status, strings.TrimSpace(string(r.body)))
	}
	return r.body, err
}
