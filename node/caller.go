package node

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	batchPath  = "/peer/v1/batch"
	readPath   = "/peer/v1/read"
	macHeader  = "Pinocchio-Mac"
	peerBodies = 64 << 20 // bytes of a message between nodes
)

// auth signs messages between nodes with the cluster's secret (R13). Without a secret everything is accepted.
type auth struct{ secrets [][]byte }

func (a auth) sign(path string, body []byte) []byte {
	if len(a.secrets) == 0 {
		return nil
	}
	return a.mac(a.secrets[0], path, body)
}

func (a auth) mac(secret []byte, path string, body []byte) []byte {
	m := hmac.New(sha256.New, secret)
	_, _ = m.Write([]byte(path))
	_, _ = m.Write([]byte{0})
	_, _ = m.Write(body)
	return hex.AppendEncode(nil, m.Sum(nil))
}

// accepts checks a signature in constant time, against each secret so that they can be rotated.
func (a auth) accepts(path string, body, sig []byte) bool {
	if len(a.secrets) == 0 {
		return true
	}
	ok := false
	for _, s := range a.secrets {
		ok = hmac.Equal(a.mac(s, path, body), sig) || ok
	}
	return ok
}

// caller posts messages to one peer.
type caller struct {
	client *fasthttp.HostClient
	auth   auth
}

func newCaller(addr string, a auth) *caller {
	return &caller{auth: a, client: &fasthttp.HostClient{
		Addr:                          addr,
		Name:                          "pinocchio",
		MaxConns:                      lanesPerLink + readsUnderWay,
		MaxIdleConnDuration:           time.Minute,
		MaxResponseBodySize:           peerBodies,
		MaxIdemponentCallAttempts:     1,
		DisablePathNormalizing:        true,
		DisableHeaderNamesNormalizing: true,
		Dial: func(addr string) (net.Conn, error) {
			return fasthttp.DialDualStackTimeout(addr, time.Second)
		},
	}}
}

func (c *caller) close() { c.client.CloseIdleConnections() }

// answer is a peer's answer; its body is valid until release.
type answer struct {
	body []byte
	resp *fasthttp.Response
}

func (a *answer) release() { fasthttp.ReleaseResponse(a.resp) }

// post sends one message and waits for its answer. Any error means: it may or may not have arrived.
func (c *caller) post(path string, body []byte, timeout time.Duration) (answer, error) {
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	req.Header.SetMethod(fasthttp.MethodPost)
	req.SetRequestURI("http://peer" + path)
	if sig := c.auth.sign(path, body); sig != nil {
		req.Header.SetBytesV(macHeader, sig)
	}
	req.SetBodyRaw(body)
	if err := c.client.DoDeadline(req, resp, time.Now().Add(timeout)); err != nil {
		fasthttp.ReleaseResponse(resp)
		return answer{}, err
	}
	if code := resp.StatusCode(); code != fasthttp.StatusOK {
		err := fmt.Errorf("%w: status %d: %s", errPeerRefused, code, resp.Body())
		fasthttp.ReleaseResponse(resp)
		return answer{}, err
	}
	return answer{body: resp.Body(), resp: resp}, nil
}

// isRefused says that nobody listens at the peer's address.
func isRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
