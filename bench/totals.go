package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"
)

// Totals are read on a few connections, a batch of requests at a time.
const (
	readConnections = 4
	readBatch       = 64
)

// reading is a key's total at one target.
type reading struct {
	value int64
	ok    bool
}

// readTotals reads the totals of keys through a target into into[key]. A key that could not be read is left without ok; the
// error says why, for one of them.
func (l *load) readTotals(ctx context.Context, target int, keys []int, into []reading) error {
	errs := make([]error, readConnections)
	part := (len(keys) + readConnections - 1) / readConnections
	var all sync.WaitGroup
	for i := range readConnections {
		mine := keys[min(i*part, len(keys)):min((i+1)*part, len(keys))]
		if len(mine) == 0 {
			continue
		}
		for _, k := range mine {
			into[k] = reading{}
		}
		all.Go(func() { errs[i] = l.readPart(ctx, target, mine, into) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return fmt.Errorf("%s: %w", l.hosts[target], err)
		}
	}
	return nil
}

// readPart reads on one connection. The callers' keys differ, so they write different elements of into.
func (l *load) readPart(ctx context.Context, target int, keys []int, into []reading) (refusal error) {
	var c *conn
	defer func() {
		if c != nil {
			_ = c.net.Close()
		}
	}()
	t := newRead(l.options, l.hosts[target])
	for len(keys) > 0 {
		if c == nil {
			var err error
			if c, err = dial(ctx, l.places[target], target, l.options.Timeout); err != nil {
				return err
			}
			stop := context.AfterFunc(ctx, func() { _ = c.net.Close() })
			defer stop()
		}
		batch := keys[:min(readBatch, len(keys))]
		done, closed, err := readSome(c, t, batch, into, &refusal)
		if err != nil {
			return err
		}
		keys = keys[done:]
		if closed {
			_ = c.net.Close()
			c = nil
		}
	}
	return refusal
}

// readSome asks for a batch of totals and returns how many were answered, and whether the last answer closed the connection.
// An answer without a total is put in refusal.
func readSome(c *conn, t *template, keys []int, into []reading, refusal *error) (n int, closed bool, err error) {
	var buf []byte
	for _, k := range keys {
		buf = t.append(buf, k)
	}
	if err := c.extend(time.Now()); err != nil {
		return 0, false, err
	}
	if _, err := c.net.Write(buf); err != nil {
		return 0, false, err
	}
	var resp response
	for n, k := range keys {
		if err := resp.read(c.br); err != nil {
			return n, false, err
		}
		if into[k], err = parseTotal(&resp); err != nil {
			*refusal = err
		}
		if resp.close {
			return n + 1, true, nil
		}
	}
	return len(keys), false, nil
}

// ErrForbidden means that access control let a read of a total not through: there was no token, or one that may not do this.
var ErrForbidden = errors.New("access control")

func parseTotal(resp *response) (reading, error) {
	if resp.status == 401 || resp.status == 403 {
		return reading{}, fmt.Errorf("reading a total: %w: status %d: %.200s", ErrForbidden, resp.status, resp.body)
	}
	if resp.status != 200 {
		return reading{}, fmt.Errorf("reading a total: status %d: %.200s", resp.status, resp.body)
	}
	var body struct {
		Data struct {
			Value *int64 `json:"value"`
		} `json:"data"`
	}
	if err := json.Unmarshal(resp.body, &body); err != nil || body.Data.Value == nil {
		return reading{}, fmt.Errorf("reading a total: no data.value in %.200q", resp.body)
	}
	return reading{value: *body.Data.Value, ok: true}, nil
}

// gone tells that nobody listens at a target any more.
func gone(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

// allKeys returns 0..n-1.
func allKeys(n int) []int {
	keys := make([]int, n)
	for i := range keys {
		keys[i] = i
	}
	return keys
}

// readBefore reads each key's total through any ready target, again and again for at most VerifyTimeout.
func (l *load) readBefore(ctx context.Context) ([]int64, error) {
	deadline := time.Now().Add(l.options.VerifyTimeout)
	pending := allKeys(l.options.Keys)
	into := make([]reading, l.options.Keys)
	for try := 0; ; try++ {
		err := errNoTarget
		if target, ok, _ := l.ready.pick(try % len(l.hosts)); ok {
			err = l.readTotals(ctx, target, pending, into)
			l.ready.leave(target)
		}
		if pending = without(pending, func(k int) bool { return into[k].ok }); len(pending) == 0 {
			break
		}
		if errors.Is(err, ErrForbidden) { // no patience cures that
			return nil, err
		}
		if time.Now().After(deadline) || !sleep(ctx, pollPause) {
			return nil, err
		}
	}
	before := make([]int64, len(into))
	for i := range into {
		before[i] = into[i].value
	}
	return before, nil
}

// without returns the keys for which done is false, in place.
func without(keys []int, done func(int) bool) []int {
	kept := keys[:0]
	for _, k := range keys {
		if !done(k) {
			kept = append(kept, k)
		}
	}
	return kept
}
