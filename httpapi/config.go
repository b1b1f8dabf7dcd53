package httpapi

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/pinocchio-nose/pinocchio/internal/access"
	"github.com/pinocchio-nose/pinocchio/node"
)

// Config holds the limits of a Server. It is a value: it never changes after New.
type Config struct {
	// MaxBodyBytes is the longest request body; a longer one is answered with 413.
	MaxBodyBytes int
	// MaxBatchBytes is the same for a request with many increments.
	MaxBatchBytes int
	// MaxLargeBytes is what bodies longer than MaxBodyBytes may hold together; one more is answered with 503. One that does not
	// announce its length counts as MaxBatchBytes.
	MaxLargeBytes int
	// MaxHeaderBytes is the longest request line with its headers; a longer one is answered with 431. Each connection
	// has a read buffer of this size.
	MaxHeaderBytes int
	// MaxConnections is how many connections may be open; one more is answered with 503 and closed.
	MaxConnections int
	// ReadTimeout is how long a request may take from its first byte to its last; then it is answered with 408.
	ReadTimeout time.Duration
	// WriteTimeout is how long a client may leave an answer unread; then the connection is closed.
	WriteTimeout time.Duration
	// IdleTimeout is how long a connection may stay open without a request; then it is closed.
	IdleTimeout time.Duration
	// Durabilities are the levels that this node can reach. They are named to a client that asked for another one; it
	// is the Service that refuses.
	Durabilities []node.Durability
	// TLS encrypts the connections; its callbacks may show another certificate to each. nil: they are plain.
	TLS *tls.Config
	// Access decides who may do what; nil: everybody may do everything.
	Access *access.Guard
	// Rate limits how much each client may send; zero: not at all.
	Rate Rate
	// Reloads are the files that are read again when they change, whose state the metrics tell. Each kind comes once.
	Reloads []Reload
	// Page serves the live page at /dashboard and below; nil: there is none. It must ask still, which is not nil and may be called after Page
	// has returned, before each event that it sends: false ends the stream. ClosePage is called when Shutdown begins: it ends the page's
	// streams, which would last for ever.
	Page      func(ctx *fasthttp.RequestCtx, still func() bool)
	ClosePage func()
}

// Reload is some files of one kind.
type Reload struct {
	Kind    string      // such as "credentials", for a label
	InForce func() bool // false: they could not be used when they were read last, and something older is in use
}

// Bounds of the limits: below, an ordinary request does not fit; above, a limit protects nothing.
const (
	minBodyBytes   = 4 << 10 // a key of MaxKeyBytes with every byte escaped, and the rest of the JSON
	maxBodyBytes   = 64 << 20
	maxLargeBytes  = 1 << 30
	minHeaderBytes = 4 << 10 // a key of MaxKeyBytes with every byte percent-encoded, and ordinary headers
	maxHeaderBytes = 1 << 20
	maxConnections = 1 << 20
	minTimeout     = 10 * time.Millisecond
	maxTimeout     = time.Hour
)

// DefaultConfig returns the limits of a node that was given none.
func DefaultConfig() Config {
	return Config{
		MaxBodyBytes:   64 << 10,
		MaxBatchBytes:  4 << 20,
		MaxLargeBytes:  256 << 20,
		MaxHeaderBytes: 8 << 10,
		MaxConnections: 8192,
		ReadTimeout:    10 * time.Second,
		WriteTimeout:   10 * time.Second,
		IdleTimeout:    75 * time.Second, // above the 60 s of common load balancers, so that they close first
		Durabilities:   []node.Durability{node.Memory, node.Database},
	}
}

// Validate returns an error that names every fault of c, or nil.
func (c Config) Validate() error {
	faults := []error{
		within("MaxBodyBytes", c.MaxBodyBytes, minBodyBytes, maxBodyBytes),
		within("MaxBatchBytes", c.MaxBatchBytes, minBodyBytes, maxBodyBytes),
		within("MaxLargeBytes", c.MaxLargeBytes, c.MaxBatchBytes+largePage, maxLargeBytes),
		within("MaxHeaderBytes", c.MaxHeaderBytes, minHeaderBytes, maxHeaderBytes),
		within("MaxConnections", c.MaxConnections, 1, maxConnections),
		within("ReadTimeout", c.ReadTimeout, minTimeout, maxTimeout),
		within("WriteTimeout", c.WriteTimeout, minTimeout, maxTimeout),
		within("IdleTimeout", c.IdleTimeout, minTimeout, maxTimeout),
	}
	faults = append(faults, c.Rate.validate(c.Access != nil))
	if len(c.Durabilities) == 0 {
		faults = append(faults, errors.New("no level stands in Durabilities"))
	}
	for i, level := range c.Durabilities {
		if durabilityName(level) == "" {
			faults = append(faults, fmt.Errorf("the number %d in Durabilities is no level", level))
		}
		if slices.Contains(c.Durabilities[:i], level) {
			faults = append(faults, fmt.Errorf("the level %q stands twice in Durabilities", durabilityName(level)))
		}
	}
	return errors.Join(faults...)
}

func within[T int | time.Duration](name string, v, lowest, highest T) error {
	if v < lowest || v > highest {
		return fmt.Errorf("%s is %v, but must be from %v to %v", name, v, lowest, highest)
	}
	return nil
}
