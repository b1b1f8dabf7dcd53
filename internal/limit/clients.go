package limit

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"sync"
	"time"
)

// ID stands for a client: a digest, so that a long name takes no more memory than a short one, and nobody can choose one that
// meets another's.
type ID [16]byte

// IDOf returns the ID of a client's name.
func IDOf(client []byte) (id ID) {
	buf := make([]byte, 0, 128)
	d := sha256.Sum256(append(append(buf, "rate:"...), client...))
	copy(id[:], d[:])
	return id
}

// Hash spreads IDs evenly.
func (id ID) Hash() uint64 { return binary.BigEndian.Uint64(id[:]) }

// Decision says whether a request may pass.
type Decision struct {
	Allowed   bool
	Remaining int           // units left
	Reset     time.Duration // until the allowance is whole again
	Retry     time.Duration // until this request could pass; 0: it may now, or never can, since it is larger than the burst
}

// Header is the value of RateLimit (draft-ietf-httpapi-ratelimit-headers-11).
func (d Decision) Header() string {
	return name + ";r=" + strconv.Itoa(d.Remaining) + ";t=" + strconv.FormatInt(wholeSeconds(d.Reset), 10)
}

// RetryAfter is the value of Retry-After: whole seconds.
func (d Decision) RetryAfter() int64 { return wholeSeconds(max(d.Retry, 0)) }

const shards = 64

// Clients remembers the allowance of each client. Its methods are safe for concurrent use.
//
// A client's number stands in one of two maps. Now and then the older one is thrown away and the newer one becomes the older; who is
// seen moves to the newer. So who stands in the older when it goes has not been seen for a whole period, and its allowance
// is whole: nothing is forgotten that matters. Only where there are more clients than may be remembered, it goes earlier, and those
// that were not seen for the longest time get their allowance back too early.
type Clients struct {
	policy Policy
	most   int // clients in one map
	all    [shards]shard
}

type shard struct {
	mu           sync.Mutex
	newer, older map[ID]int64 // when the allowance is whole again, nanoseconds of the caller's clock
	turned       int64        // when newer was made
}

// NewClients returns room for at most limit clients.
func NewClients(p Policy, limit int) *Clients {
	return &Clients{policy: p, most: max(1, limit/shards/2)}
}

// Take asks for cost units at a moment, in nanoseconds of any clock that never goes back.
func (c *Clients) Take(id ID, cost int, now int64) Decision {
	s := &c.all[id.Hash()>>32%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	c.turn(s, now)
	whole, known := s.newer[id]
	if !known {
		whole = s.older[id]
	}
	d, next := c.policy.take(whole, cost, now)
	if d.Allowed || !known && next > now {
		if !known && len(s.newer) >= c.most {
			s.older, s.newer, s.turned = s.newer, nil, now
		}
		if s.newer == nil {
			s.newer = make(map[ID]int64)
		}
		s.newer[id] = next
	}
	return d
}

// take is GCRA: whole is the theoretical arrival time, next the one after this request.
func (p Policy) take(whole int64, cost int, now int64) (d Decision, next int64) {
	interval, all := int64(p.interval()), int64(p.whole())
	whole = max(whole, now)
	next = whole + int64(cost)*interval
	d = Decision{Allowed: cost <= p.Burst && next-now <= all}
	if !d.Allowed {
		if cost <= p.Burst {
			d.Retry = time.Duration(next - now - all)
		}
		next = whole
	}
	d.Reset = time.Duration(next - now)
	d.Remaining = int((all - (next - now)) / interval)
	return d, next
}

// turn throws away whom nobody has seen for as long as a whole allowance takes.
func (c *Clients) turn(s *shard, now int64) {
	period := max(int64(c.policy.whole()), int64(time.Second))
	switch {
	case now-s.turned < period:
	case now-s.turned < 2*period:
		s.older, s.newer, s.turned = s.newer, nil, now
	default:
		s.older, s.newer, s.turned = nil, nil, now
	}
}

// Expire forgets idle clients, also where nobody comes by any more, and returns how many are remembered.
func (c *Clients) Expire(now int64) (count int) {
	for i := range c.all {
		s := &c.all[i]
		s.mu.Lock()
		c.turn(s, now)
		count += len(s.newer) + len(s.older)
		s.mu.Unlock()
	}
	return count
}
