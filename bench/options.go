package bench

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Distribution says how often which key is incremented.
type Distribution string

// Distributions.
const (
	Uniform Distribution = "uniform" // all keys alike
	Zipf    Distribution = "zipf"    // key 0 most often, exponent 1.1
	Single  Distribution = "single"  // only key 0
)

// Limits of Options. They keep sums in int64, and one batch of requests in the buffers of a connection.
const (
	maxConnections = 10_000
	maxPipeline    = 1024
	maxBatch       = 1000
	maxKeys        = 100_000_000
	maxKeyBytes    = 512
	maxValue       = 1_000_000_000
	maxRate        = 1e8
)

// StoreReader reads counters where the service keeps them, past the service.
type StoreReader interface {
	// Values returns the stored values of the keys. Keys without a counter are missing from the map.
	Values(ctx context.Context, keys []string) (map[string]int64, error)
}

// Options of a run. Start from DefaultOptions.
type Options struct {
	Targets      []string      // URLs (http://host:port, https://host:port) or host:port; connections spread evenly over them
	TLS          *tls.Config   // for https targets: whom to trust; nil: the system's authorities
	Token        string        // sent as "Authorization: Bearer ..." with increments and reads; "": none
	Connections  int           // one worker each
	Requests     int64         // stop after so many; 0: no such limit
	Duration     time.Duration // stop starting requests after so long; 0: no such limit. One of the two must be set
	Pipeline     int           // requests written together before their responses are read
	Batch        int           // increments in each request; 1: one, by POST /api/v1/increment, more: by POST /api/v1/increments
	Rate         float64       // requests a second over all connections, open loop; 0: closed loop
	Keys         int           // keys are KeyPrefix + "0" .. KeyPrefix + (Keys-1)
	KeyPrefix    string
	Distribution Distribution
	Seed         uint64 // of the key sequences: the same seed draws the same keys on each connection
	Value        int64  // added by each increment
	Durability   string // sent as the header Durability; "": none
	ReturnTotal  bool   // ask for the total just after (Prefer: return=representation)

	Timeout       time.Duration // longest wait for a response; may take a quarter longer, see conn
	ReadyTimeout  time.Duration // longest wait for any target to be ready before the run is given up
	ProbeInterval time.Duration // between two looks at a target's /readyz

	Verify        bool          // compare the totals with the answers
	VerifyTimeout time.Duration // how long totals may take to agree, in the service and then again in the store
	Store         StoreReader   // with Verify: compare what the store holds as well; nil: do not
	MaxDrifts     int           // differing keys listed in the result; their number is always whole

	Progress         io.Writer // one line each ProgressInterval; nil: none
	ProgressInterval time.Duration
}

// DefaultOptions returns a closed loop of 64 connections over 1,000 keys against a node on this host. Requests or
// Duration must still be set.
func DefaultOptions() Options {
	return Options{
		Targets:          []string{"http://127.0.0.1:3333"},
		Connections:      64,
		Pipeline:         1,
		Batch:            1,
		Keys:             1000,
		KeyPrefix:        "bench:",
		Distribution:     Uniform,
		Seed:             1,
		Value:            1,
		Timeout:          10 * time.Second,
		ReadyTimeout:     15 * time.Second,
		ProbeInterval:    200 * time.Millisecond,
		VerifyTimeout:    10 * time.Second,
		MaxDrifts:        20,
		ProgressInterval: time.Second,
	}
}

// Validate returns nil or an error that names every fault at once.
func (o Options) Validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	check(len(o.Targets) > 0, "targets: name at least one")
	for _, t := range o.Targets {
		if _, _, err := parseTarget(t); err != nil {
			faults = append(faults, err)
		}
	}
	check(o.Connections >= 1 && o.Connections <= maxConnections, "connections: %d is not in 1..%d", o.Connections, maxConnections)
	check(o.Requests >= 0, "requests: %d is negative", o.Requests)
	check(o.Duration >= 0, "duration: %v is negative", o.Duration)
	check(o.Requests != 0 || o.Duration != 0, "requests, duration: set one of them, or the run never ends")
	check(o.Pipeline >= 1 && o.Pipeline <= maxPipeline, "pipeline: %d is not in 1..%d", o.Pipeline, maxPipeline)
	check(o.Batch >= 1 && o.Batch <= maxBatch, "batch: %d is not in 1..%d", o.Batch, maxBatch)
	check(o.Rate >= 0 && o.Rate <= maxRate, "rate: %g is not in 0..%g requests a second", o.Rate, maxRate)
	check(o.Keys >= 1 && o.Keys <= maxKeys, "keys: %d is not in 1..%d", o.Keys, maxKeys)
	check(slices.Contains([]Distribution{Uniform, Zipf, Single}, o.Distribution), "distribution: %q is not uniform, zipf or single", o.Distribution)
	check(o.Value >= -maxValue && o.Value <= maxValue, "value: %d is not in -%d..%d", o.Value, maxValue, maxValue)
	check(!o.Verify || o.Value != 0, "value: 0 leaves nothing to verify")
	check(o.Store == nil || o.Verify, "store: is only read when verifying")
	check(o.MaxDrifts >= 0, "max drifts: %d is negative", o.MaxDrifts)
	check(isToken(o.Durability), "durability: %q is not a word", o.Durability)
	check(isCredential(o.Token), "token: has a space or another character that no token has") // never says which token
	faults = append(faults, o.validatePrefix(), o.validateTimes())
	return errors.Join(faults...)
}

func (o Options) validatePrefix() error {
	longest := len(o.KeyPrefix) + len(strconv.Itoa(max(o.Keys-1, 0)))
	switch {
	case !utf8.ValidString(o.KeyPrefix) || strings.ContainsRune(o.KeyPrefix, 0):
		return errors.New("key prefix: must be UTF-8 without NUL")
	case longest > maxKeyBytes:
		return fmt.Errorf("key prefix: keys of %d bytes are longer than %d", longest, maxKeyBytes)
	}
	return nil
}

func (o Options) validateTimes() error {
	var faults []error
	for _, t := range []struct {
		name string
		d    time.Duration
	}{
		{"timeout", o.Timeout},
		{"ready timeout", o.ReadyTimeout},
		{"probe interval", o.ProbeInterval},
		{"verify timeout", o.VerifyTimeout},
		{"progress interval", o.ProgressInterval},
	} {
		if t.d <= 0 {
			faults = append(faults, fmt.Errorf("%s: %v is not above zero", t.name, t.d))
		}
	}
	return errors.Join(faults...)
}

// isToken tells whether s may stand in a header as it is.
func isToken(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-'
	})
}

// isCredential tells whether s may stand behind "Bearer ": visible ASCII.
func isCredential(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// parseTarget returns host:port of a target, which is an http or https URL without path or just host:port.
func parseTarget(s string) (host string, secure bool, err error) {
	host = s
	if strings.Contains(s, "://") {
		u, err := url.Parse(s)
		if err != nil {
			return "", false, fmt.Errorf("target: %w", err)
		}
		if u.Scheme != "http" && u.Scheme != "https" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
			return "", false, fmt.Errorf("target: %q is not of the form http://host:port or https://host:port", s)
		}
		host, secure = u.Host, u.Scheme == "https"
		if u.Port() == "" {
			host = net.JoinHostPort(u.Hostname(), map[bool]string{false: "80", true: "443"}[secure])
		}
	}
	name, port, err := net.SplitHostPort(host)
	if err != nil || name == "" {
		return "", false, fmt.Errorf("target: %q is neither http(s)://host:port nor host:port", s)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", false, fmt.Errorf("target: %q: the port is not in 1..65535", s)
	}
	return host, secure, nil
}

// hosts returns host:port of each target. The options are valid.
func (o Options) hosts() []string {
	hosts := make([]string, len(o.Targets))
	for i, t := range o.Targets {
		hosts[i], _, _ = parseTarget(t)
	}
	return hosts
}

// key returns the name of a key by its number.
func (o Options) key(number int) string { return o.KeyPrefix + strconv.Itoa(number) }
