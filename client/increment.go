package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Durability is what must have happened before an increment is answered.
type Durability string

// Durabilities, from the fastest to the safest. A node refuses one that it does not offer, with status 400.
const (
	Memory   Durability = "memory"   // the owner has added it
	Disk     Durability = "disk"     // and it is on a disk
	Replica  Durability = "replica"  // and a second node holds it
	Database Durability = "database" // it is in the database
)

// Added is the outcome of an increment that was accepted.
type Added struct {
	Total    int64 // just after the increment; only with HasTotal
	HasTotal bool  // asked for by WantTotal, and the owner could be reached
	Later    bool  // accepted, and counted as soon as the owner can be reached
	Replayed bool  // its idempotency key was known: this is the first one's answer
}

// Option changes one increment.
type Option func(*increment)

// increment is one with its options.
type increment struct {
	key        string
	delta      int64
	id         string
	durability Durability
	total      bool
}

// Idempotent gives the increment a new random idempotency key, so that it is sent again whenever its outcome is unknown,
// and counted once.
func Idempotent() Option { return func(in *increment) { in.id = rand.Text() } }

// IdempotencyKey gives the increment a key of the caller's own, 1 to 255 printable ASCII characters without " and \, by which
// the cluster knows it even when another process sends it again.
func IdempotencyKey(id string) Option { return func(in *increment) { in.id = id } }

// WithDurability asks for another durability than the server's default.
func WithDurability(d Durability) Option { return func(in *increment) { in.durability = d } }

// WantTotal asks for the total just after the increment.
func WantTotal() Option { return func(in *increment) { in.total = true } }

// Increment adds delta, which may be zero or negative, to the counter key. It returns nil when the cluster has accepted it.
// Errors: *Error (422: key or delta is invalid, or the total would leave the range; 504: counted, but the durability was not
// reached in time), ErrUnknownOutcome, ErrUnreachable, or why ctx ended.
func (c *Client) Increment(ctx context.Context, key string, delta int64, options ...Option) (Added, error) {
	in := increment{key: key, delta: delta}
	for _, set := range options {
		set(&in)
	}
	r, err := in.request()
	if err != nil {
		return Added{}, err
	}
	answer, err := c.call(ctx, r)
	if err != nil {
		return Added{}, err
	}
	added := Added{Later: answer.header.Get("Counted") == "later", Replayed: answer.header.Get("Idempotency-Replayed") == "true"}
	if answer.status != http.StatusOK {
		return added, nil
	}
	var body struct{ Data struct{ Value *int64 } }
	if err := json.Unmarshal(answer.body, &body); err != nil || body.Data.Value == nil {
		// It is counted: an error would make the caller count it again.
		return added, nil
	}
	added.Total, added.HasTotal = *body.Data.Value, true
	return added, nil
}

func (in *increment) request() (r request, err error) {
	body, err := json.Marshal(struct {
		Key   string `json:"key"`
		Value int64  `json:"value"`
	}{in.key, in.delta})
	if err != nil {
		return r, err
	}
	r = request{method: http.MethodPost, path: "/api/v1/increment", body: body, header: http.Header{"Content-Type": {"application/json"}}}
	if in.id != "" {
		if !validID(in.id) {
			return r, fmt.Errorf("idempotency key %q: must be 1 to 255 printable ASCII characters without \" and \\", in.id)
		}
		r.header.Set("Idempotency-Key", `"`+in.id+`"`)
		r.repeatable = true
	}
	if in.durability != "" {
		r.header.Set("Durability", string(in.durability))
	}
	if in.total {
		r.header.Set("Prefer", "return=representation")
	}
	return r, nil
}

// validID says whether the text can stand in the header as a string of structured fields, without escapes.
func validID(id string) bool {
	other := func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }
	return id != "" && len(id) <= 255 && !strings.ContainsFunc(id, other)
}
