package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// ErrUnknownOutcome means that an increment may or may not be counted: an answer was lost, and it had no idempotency key with
// which to send it again, or no repeat was accepted. Test for it with errors.Is, and before you look at what else the error
// holds: that is how the last attempt failed, and an earlier one may have counted.
var ErrUnknownOutcome = errors.New("it may or may not be counted, the answer was lost")

// ErrUnreachable means that no connection was had, with the last node that was tried; nothing was counted. Test for it with errors.Is.
var ErrUnreachable = errors.New("no node can be reached")

// ErrClosed is returned by a Writer after Close.
var ErrClosed = errors.New("the writer is closed")

// Error is an answer that says no. Test for it with errors.As.
type Error struct {
	Node       string              // who answered, http://host:port; empty for an item of a batch, and for a key that was not sent
	Status     int                 // HTTP status
	Fields     map[string][]string // what is wrong, by field; "detail" is about no field
	RetryAfter time.Duration       // what the node asked for; 0: nothing
}

// Error names the status, and every fault with its field.
func (e *Error) Error() string {
	var faults []string
	for _, field := range slices.Sorted(maps.Keys(e.Fields)) {
		for _, text := range e.Fields[field] {
			if field != "detail" {
				text = field + " " + text
			}
			faults = append(faults, text)
		}
	}
	text := fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))
	if len(faults) > 0 {
		text += ": " + strings.Join(faults, "; ")
	}
	if e.Node == "" {
		return text
	}
	return e.Node + " answered " + text
}

// faultOf refuses a key that is no UTF-8, as a node would: JSON would replace what is wrong in it, and count another key.
func faultOf(key string) error {
	if utf8.ValidString(key) {
		return nil
	}
	return &Error{Status: http.StatusUnprocessableEntity, Fields: map[string][]string{"key": {"must be UTF-8"}}}
}

// notNow says of an item's status that it was not counted, and may be accepted later.
func notNow(status int) bool {
	return status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests
}

// mayHaveCounted says so of a status: everything of 5xx that does not mean the contrary.
func mayHaveCounted(status int) bool {
	return status >= 500 && status != http.StatusServiceUnavailable && status != http.StatusNotImplemented
}

// mayCount says whether an increment that ended with err is or will perhaps be counted.
func mayCount(err error) bool {
	answer, ok := errors.AsType[*Error](err)
	return errors.Is(err, ErrUnknownOutcome) || ok && answer.Status == http.StatusGatewayTimeout
}

// errorOf reads an error body; whatever else stands there is left out.
func errorOf(node string, status int, header http.Header, body []byte) *Error {
	var parsed struct{ Errors map[string][]string }
	_ = json.Unmarshal(body, &parsed) // a proxy's page is no JSON: then the status says it all
	return &Error{Node: node, Status: status, Fields: parsed.Errors, RetryAfter: retryAfter(header.Get("Retry-After"), time.Now())}
}

// retryAfter reads seconds or a date.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := time.ParseDuration(text + "s"); err == nil {
		return max(0, seconds)
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
