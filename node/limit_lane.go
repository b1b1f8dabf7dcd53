package node

import (
	"context"
	"encoding/binary"
	"errors"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/pinocchio-nose/pinocchio/internal/limit"
	"github.com/pinocchio-nose/pinocchio/node/wire"
)

const (
	limitPath      = "/peer/v1/limit"
	limitsUnderWay = 1           // batches of questions under way to one peer
	maxLimits      = 1024        // questions in one batch
	limitPause     = time.Second // a peer that did not answer is not asked again for so long
)

// rateAsk is one question on the wire: 16 bytes of the client, 4 of the cost.
type rateAsk struct {
	id   limit.ID
	cost uint32
}

// rateAnswer is one answer: 1 byte of what it is, 4 of the units left, 8 of nanoseconds until the allowance is whole, 8 until this
// request could pass.
type rateAnswer struct {
	decision limit.Decision
	moved    bool // the peer does not own the client's partition
	ok       bool // there is an answer
}

const (
	rateAskSize    = 16 + 4
	rateAnswerSize = 1 + 4 + 8 + 8

	rateDenied, rateAllowed, rateMoved = 0, 1, 2
)

func appendRateAsk(b []byte, q rateAsk) []byte {
	return binary.BigEndian.AppendUint32(append(b, q.id[:]...), q.cost)
}

func appendRateAnswer(b []byte, a rateAnswer) []byte {
	code := byte(rateDenied)
	switch {
	case a.moved:
		code = rateMoved
	case a.decision.Allowed:
		code = rateAllowed
	}
	b = binary.BigEndian.AppendUint32(append(b, code), uint32(a.decision.Remaining))
	b = binary.BigEndian.AppendUint64(b, uint64(a.decision.Reset))
	return binary.BigEndian.AppendUint64(b, uint64(a.decision.Retry))
}

var errRateAnswers = errors.New("answers about the rate limit that cannot be read")

// decodeRateAnswers reads as many answers as were asked for.
func decodeRateAnswers(b []byte, want int) ([]rateAnswer, error) {
	if len(b) != want*rateAnswerSize {
		return nil, errRateAnswers
	}
	out := make([]rateAnswer, want)
	for i := range out {
		one := b[i*rateAnswerSize : (i+1)*rateAnswerSize]
		if one[0] > rateMoved {
			return nil, errRateAnswers
		}
		out[i] = rateAnswer{ok: true, moved: one[0] == rateMoved, decision: limit.Decision{
			Allowed:   one[0] == rateAllowed,
			Remaining: int(binary.BigEndian.Uint32(one[1:])),
			Reset:     time.Duration(binary.BigEndian.Uint64(one[5:])),
			Retry:     time.Duration(binary.BigEndian.Uint64(one[13:])),
		}}
	}
	return out, nil
}

// serveLimits decides about clients that other nodes ask for.
func (n *Node) serveLimits(ctx *fasthttp.RequestCtx, rest []byte) {
	if n.rates == nil || len(rest)%rateAskSize != 0 || len(rest) > maxLimits*rateAskSize {
		n.count.mangled.Inc()
		ctx.Error("not what a node with a rate limit asks, or this one has none", fasthttp.StatusBadRequest)
		return
	}
	out := make([]byte, 0, len(rest)/rateAskSize*rateAnswerSize)
	for ; len(rest) > 0; rest = rest[rateAskSize:] {
		q := rateAsk{id: limit.ID(rest[:16]), cost: binary.BigEndian.Uint32(rest[16:])}
		a := rateAnswer{moved: true}
		if _, here := n.rateOwner(q.id); here {
			a = rateAnswer{decision: n.rates.take(q)}
		}
		out = appendRateAnswer(out, a)
	}
	ctx.Response.SetBodyRaw(out)
}

// limitLane carries questions to one peer, all that wait in one batch.
type limitLane struct {
	link  *link
	queue chan rateCall
	start time.Time
	rests atomic.Int64 // nanoseconds since start, until when the peer is not asked: a step of the host's clock does not move it
}

type rateCall struct {
	ask  rateAsk
	done chan rateAnswer // capacity 1
}

func newLimitLane(l *link) *limitLane {
	return &limitLane{link: l, queue: make(chan rateCall, 4*maxLimits), start: time.Now()}
}

func (a *limitLane) resting() bool { return int64(time.Since(a.start)) < a.rests.Load() }

// ask queues a question. A full queue answers at once that there is no answer (R10).
func (a *limitLane) ask(q rateAsk) <-chan rateAnswer {
	c := rateCall{ask: q, done: make(chan rateAnswer, 1)}
	select {
	case a.queue <- c:
	default:
		c.done <- rateAnswer{}
	}
	return c.done
}

func (a *limitLane) run(ctx context.Context) {
	var calls []rateCall
	for {
		calls = calls[:0]
		select {
		case <-ctx.Done():
			return
		case c := <-a.queue:
			calls = append(calls, c)
		}
		for more := true; more && len(calls) < maxLimits; {
			select {
			case c := <-a.queue:
				calls = append(calls, c)
			default:
				more = false
			}
		}
		answers, err := a.post(calls)
		if err != nil {
			a.rests.Store(int64(time.Since(a.start) + limitPause))
			a.link.node.seldom("another node does not answer about the rate limit: this one decides alone for that one's clients", "error", err)
		}
		for i, c := range calls {
			if err != nil {
				c.done <- rateAnswer{}
				continue
			}
			c.done <- answers[i]
		}
	}
}

func (a *limitLane) post(calls []rateCall) ([]rateAnswer, error) {
	n := a.link.node
	body := wire.AppendHeader(nil, n.header())
	for _, c := range calls {
		body = appendRateAsk(body, c.ask)
	}
	answer, err := a.link.call.post(limitPath, body, n.cfg.RateTimeout)
	if err != nil {
		n.peerFault(a.link, err)
		return nil, err
	}
	defer answer.release()
	return decodeRateAnswers(answer.body, len(calls))
}
