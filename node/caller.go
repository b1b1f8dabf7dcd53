package node

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/internal/seal"
)

const (
	batchPath = "/peer/v1/batch"
	readPath  = "/peer/v1/read"
	macHeader = "Pinocchio-Mac"
	toHeader  = "Pinocchio-To" // which process is meant: its address may be another one's by now

	statusTooEarly = 425 // RFC 8470: the message may be a repeated one

	peerBodies = 64 << 20 // bytes of a message between nodes

	othersUnderWay = 16 // copies, pictures of what goes on, and what past processes left

	idleConn = 30 * time.Second // half of what the peer waits, so that none is closed under a message that cannot be sent again
)

// caller posts messages to one peer.
type caller struct {
	client  *fasthttp.HostClient
	auth    *auth
	peer    counter.Origin
	numbers *seal.Stream
}

func newCaller(peer counter.Origin, addr string, a *auth) *caller {
	return &caller{auth: a, peer: peer, numbers: a.numbers.Stream(), client: &fasthttp.HostClient{
		Addr:                          addr,
		Name:                          "pinocchio",
		MaxConns:                      lanesPerLink + readsUnderWay + limitsUnderWay + commandsUnderWay + othersUnderWay,
		MaxIdleConnDuration:           idleConn,
		MaxResponseBodySize:           peerBodies,
		MaxIdemponentCallAttempts:     1,
		DisablePathNormalizing:        true,
		DisableHeaderNamesNormalizing: true,
		Dial:                          a.dial,
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
	req.Header.Set(toHeader, c.peer.String())
	q, header := c.auth.keys.Seal(c.peer, c.numbers.Next(), path, body)
	if header != nil {
		req.Header.SetBytesV(macHeader, header)
	}
	req.SetBodyRaw(body)
	if err := c.client.DoDeadline(req, resp, time.Now().Add(timeout)); err != nil {
		fasthttp.ReleaseResponse(resp)
		return answer{}, err
	}
	if err := judge(&q, resp); err != nil {
		fasthttp.ReleaseResponse(resp)
		return answer{}, err
	}
	return answer{body: resp.Body(), resp: resp}, nil
}

// judge returns nil for an answer that may be used. What a refusal says is not passed on: anybody may have written it.
func judge(q *seal.Question, resp *fasthttp.Response) error {
	code := resp.StatusCode()
	genuine := q.Answered(code, resp.Body(), resp.Header.Peek(macHeader))
	switch {
	case code == fasthttp.StatusOK && genuine:
		return nil
	case code == fasthttp.StatusMisdirectedRequest && genuine:
		return errPeerGone
	case code == fasthttp.StatusNotFound && genuine:
		return errPeerLacks
	case code == fasthttp.StatusOK:
		return errPeerForged
	}
	reason, known := refusals[code]
	if !known {
		reason = "see its log"
	}
	return fmt.Errorf("%w: status %d: %s", errPeerRefused, code, reason)
}

// refusals say what the statuses of a refusal mean, and what to do.
var refusals = map[int]string{
	fasthttp.StatusForbidden:  "the secrets differ: compare the secret files of both nodes",
	fasthttp.StatusConflict:   "it is of another cluster or has other settings: compare --cluster-name and --partitions",
	statusTooEarly:            "it has had this message before; it is sent anew",
	fasthttp.StatusBadRequest: "it cannot read the message: compare the versions of both nodes",
}

var (
	errPeerRefused = errors.New("the peer refuses this node's messages")
	errPeerForged  = errors.New("the answer is not signed for this question: somebody stands between the nodes, or the peer has no secret")
	errPeerGone    = errors.New("another process listens at the peer's address")
	errPeerLacks   = fmt.Errorf("%w: status 404: it does not know the path: compare the versions of both nodes", errPeerRefused)
)

// dialError says that there was no connection to send anything on.
type dialError struct{ error }

// Unwrap returns why.
func (e dialError) Unwrap() error { return e.error }

// neverTaken says of a failed post that the peer surely did nothing with it.
func neverTaken(err error) bool {
	var dial dialError
	return errors.As(err, &dial) || errors.Is(err, errPeerGone) || errors.Is(err, errPeerLacks) || errors.Is(err, fasthttp.ErrNoFreeConns)
}

// isRefused says that the peer does not listen at its address: nobody does, or another process of this cluster.
func isRefused(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, errPeerGone)
}
