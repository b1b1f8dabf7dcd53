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
	HasTotal bool  // asked for by WantTotal, and the owner could be reached; always with bounds
	Applied  int64 // only with bounds: what was added, less than the delta only with Saturate
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
	min, max   *int64
	saturate   bool
}

// Idempotent gives the increment a new random idempotency key, so that this call sends it again when its outcome is unknown,
// and it counts once. To call again after ErrUnknownOutcome, use IdempotencyKey.
func Idempotent() Option { return func(in *increment) { in.id = rand.Text() } }

// IdempotencyKey gives the increment a key of the caller's own, 1 to 255 printable ASCII characters without " and \, by which
// the cluster knows it even when another process sends it again.
func IdempotencyKey(id string) Option { return func(in *increment) { in.id = id } }

// WithDurability asks for another durability than the server's default.
func WithDurability(d Durability) Option { return func(in *increment) { in.durability = d } }

// WantTotal asks for the total just after the increment.
func WantTotal() Option { return func(in *increment) { in.total = true } }

// Min lets the increment not take the total below a bound. It is then refused with an *Error of status 409, and nothing is counted; unlike
// others it is not held while the key's owner cannot be reached.
func Min(bound int64) Option { return func(in *increment) { in.min = &bound } }

// Max is Min for the upper bound.
func Max(bound int64) Option { return func(in *increment) { in.max = &bound } }

// Saturate adds what fits within Min and Max, instead of nothing.
func Saturate() Option { return func(in *increment) { in.saturate = true } }

// Increment adds delta, which may be zero or negative, to the counter key. It returns nil when the cluster has accepted it.
// Errors: ErrUnknownOutcome (maybe counted; with the same IdempotencyKey it can be sent again), *Error (409: it would pass Min or Max;
// 422: key or delta is invalid, or the total would leave the range; 504: it is held and will be counted, but the durability was not
// reached in time), ErrUnreachable, or why ctx ended.
func (c *Client) Increment(ctx context.Context, key string, delta int64, options ...Option) (Added, error) {
	in := increment{key: key, delta: delta}
	for _, set := range options {
		set(&in)
	}
	if err := faultOf(key); err != nil {
		return Added{}, err
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
	var body struct {
		Data struct{ Value, Applied *int64 }
	}
	err = json.Unmarshal(answer.body, &body)
	switch {
	case err == nil && body.Data.Value != nil:
		added.Total, added.HasTotal = *body.Data.Value, true
	case in.saturate:
		return Added{}, ErrUnknownOutcome // what was added does not stand in the answer
	}
	// Else it is counted: an error would make the caller count it again.
	switch {
	case body.Data.Applied != nil:
		added.Applied = *body.Data.Applied
	case in.min != nil || in.max != nil:
		added.Applied = delta
	}
	return added, nil
}

func (in *increment) request() (r request, err error) {
	overflow := ""
	if in.saturate {
		overflow = "saturate"
	}
	body, err := json.Marshal(struct {
		Key      string `json:"key"`
		Value    int64  `json:"value"`
		Min      *int64 `json:"min,omitempty"`
		Max      *int64 `json:"max,omitempty"`
		Overflow string `json:"overflow,omitempty"`
	}{in.key, in.delta, in.min, in.max, overflow})
	if err != nil {
		return r, err
	}
	return in.headers(request{method: http.MethodPost, path: "/api/v1/increment", body: body, command: in.min != nil || in.max != nil})
}

// headers adds what the options ask for.
func (in *increment) headers(r request) (request, error) {
	r.header = http.Header{"Content-Type": {"application/json"}}
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
