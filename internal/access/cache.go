package access

import (
	"sync"
	"time"
)

const maxCached = 10_000 // JWTs whose signature need not be checked again

// cache remembers JWTs that were good. When it is full, it starts anew: it only saves time.
type cache struct {
	salt digest

	mu    sync.RWMutex
	by    *issuer // whose keys they were checked with
	known map[digest]cached
}

type cached struct {
	grant *Grant
	until time.Time
}

func (c *cache) find(by *issuer, name digest, now time.Time) *Grant {
	place := salted(c.salt, name)
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.by != by {
		return nil
	}
	if one, ok := c.known[place]; ok && now.Before(one.until) {
		return one.grant
	}
	return nil
}

func (c *cache) keep(by *issuer, name digest, g *Grant, until time.Time) {
	place := salted(c.salt, name)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by != by || len(c.known) >= maxCached {
		c.by, c.known = by, make(map[digest]cached)
	}
	c.known[place] = cached{g, until}
}
