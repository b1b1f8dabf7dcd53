package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// fate is what an attempt that failed may have done.
type fate int

const (
	said     fate = iota // an answer that a repeat would not change, or nothing that could be sent
	unsent               // no connection was had: nothing was counted
	refused              // a node said that nothing was counted, and that it may be later
	doubtful             // it may have been counted
	held                 // a node said that it holds the increment and will count it
)

// failure is an attempt that failed.
type failure struct {
	fate fate
	err  error
	rest time.Duration // how long the node asked to be left alone; 0: it did not
}

// again says whether the request may be sent once more: what was surely not counted, and what counts once anyway.
func (f *failure) again(r request) bool {
	switch f.fate {
	case unsent, refused:
		return true
	case doubtful, held:
		return r.repeatable
	}
	return false
}

// verdict is what the caller of a call is told when this was its last attempt. doubt: one of the attempts may have counted,
// which no later failure takes back: another node, or the same one after its return, knows nothing of the first.
func (f *failure) verdict(ctx context.Context, doubt bool) error {
	err := f.err
	if cause := context.Cause(ctx); cause != nil && (err == nil || f.fate != said && !errors.Is(err, cause)) {
		if err != nil {
			cause = fmt.Errorf("%w: %w", cause, err)
		}
		err = cause
	}
	switch {
	case doubt && f.fate != held:
		return inDoubt(err)
	case f.fate == unsent:
		return &unreachable{err}
	}
	return err
}

// unreachable is an ErrUnreachable and why. A type, so that inDoubt can take it off: it promises that nothing was counted.
type unreachable struct{ error }

func (u *unreachable) Error() string        { return ErrUnreachable.Error() + ": " + u.error.Error() }
func (u *unreachable) Is(target error) bool { return target == ErrUnreachable }
func (u *unreachable) Unwrap() error        { return u.error }

// inDoubt makes err an ErrUnknownOutcome.
func inDoubt(err error) error {
	if u, ok := errors.AsType[*unreachable](err); ok {
		err = u.error
	}
	return fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
}

// refusal sorts an answer that says no. A node says why; a 503 or 504 without a reason is that of a proxy, which may have
// passed the request on.
func refusal(r request, answer *Error) *failure {
	f := &failure{fate: said, err: answer, rest: answer.RetryAfter}
	reasoned := len(answer.Fields) > 0 // a Retry-After alone may be the proxy's, too
	switch status := answer.Status; {
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable && reasoned:
		f.fate = refused
	case status == http.StatusGatewayTimeout && reasoned && !r.command:
		f.fate = held
	case mayHaveCounted(status), status == http.StatusServiceUnavailable:
		f.fate = doubtful
	}
	return f
}

// connecting watches how far an attempt gets.
type connecting struct{ asked, had atomic.Bool }

func (c *connecting) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { c.asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { c.had.Store(true) },
	}
}

// broken sorts an error of the transport. Whoever waited for a connection and had none has sent nothing, whether the dial
// failed or time was up; a RoundTripper of the caller's own that does not tell how far it got is in doubt.
func (c *connecting) broken(r request, err error) *failure {
	f := &failure{fate: doubtful, err: err}
	dial, ok := errors.AsType[*net.OpError](err)
	switch {
	case ok && dial.Op == "dial":
		// net/http sends a request with this header again by itself when its connection broke: the dial may not be the first.
		if !c.had.Load() || r.header.Get("Idempotency-Key") == "" {
			f.fate = unsent
		}
	case c.asked.Load() && !c.had.Load():
		f.fate = unsent
	}
	return f
}
