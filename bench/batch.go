package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// item is one increment of a request: its key, and what became of it.
type item struct {
	key    int
	status int
	later  bool
}

// batchTemplate is a rendered request of many increments with gaps for its length and the keys' numbers.
type batchTemplate struct {
	head, afterLength []byte
	open, tail        string
}

func newBatchTemplate(o Options, host string) *batchTemplate {
	req := o.post(host, "/api/v1/increments")
	req.Header.SetContentLength(maxBody) // the gap; what stands before it has a space, which no other header's value here has
	head, rest, _ := bytes.Cut(req.Header.AppendBytes(nil), []byte("Content-Length: "+strconv.Itoa(maxBody)))
	t := &batchTemplate{head: append(head, "Content-Length: "...), afterLength: rest}
	t.open, t.tail = o.body()
	return t
}

// append adds the request for the items to dst.
func (t *batchTemplate) append(dst []byte, items []item) []byte {
	length := 1 + len(items)*(len(t.open)+len(t.tail)+1) // brackets and commas
	for i := range items {
		length += digits(items[i].key)
	}
	dst = append(dst, t.head...)
	dst = strconv.AppendInt(dst, int64(length), 10)
	dst = append(dst, t.afterLength...)
	dst = append(dst, '[')
	for i := range items {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, t.open...)
		dst = strconv.AppendInt(dst, int64(items[i].key), 10)
		dst = append(dst, t.tail...)
	}
	return append(dst, ']')
}

// readItems reads what became of a request's items from its response. An error leaves all of them in doubt.
func (w *worker) readItems(r *request) error {
	if r.status >= 300 { // the request as a whole
		for i := range r.items {
			r.items[i].status, r.items[i].later = r.status, false
		}
		w.complaints.add("%s: status %d: %.200s", w.hosts[w.conn.target], r.status, w.resp.body)
		return nil
	}
	if allCounted(r.items, w.resp.body) {
		return nil
	}
	var answers []struct {
		Status  int             `json:"status"`
		Counted string          `json:"counted"`
		Errors  json.RawMessage `json:"errors"`
	}
	if err := json.Unmarshal(w.resp.body, &answers); err != nil {
		return fmt.Errorf("the answer to a batch cannot be read: %w", err)
	}
	if len(answers) != len(r.items) {
		return fmt.Errorf("%d answers to a batch of %d", len(answers), len(r.items))
	}
	for i, a := range answers {
		if a.Status < 200 || a.Status > 599 {
			return fmt.Errorf("an item's status is %d", a.Status)
		}
		r.items[i].status, r.items[i].later = a.Status, a.Counted == "later"
		if a.Status >= 300 {
			w.complaints.add("%s: an item's status %d: %.200s", w.hosts[w.conn.target], a.Status, a.Errors)
		}
	}
	return nil
}

// allCounted reads the usual answer, to which every other is left to a JSON reader: that one takes as long as all the rest.
func allCounted(items []item, body []byte) bool {
	const counted = `{"status":202}`
	if len(body) != 1+len(items)*(len(counted)+1) {
		return false
	}
	for i := range items {
		at := 1 + i*(len(counted)+1)
		if string(body[at:at+len(counted)]) != counted {
			return false
		}
	}
	for i := range items {
		items[i].status, items[i].later = 202, false
	}
	return true
}
