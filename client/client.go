package client

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Options of a Client. Nodes must be given; everything else has a default.
type Options struct {
	// Nodes are the addresses of nodes of one cluster, as http://host:port, https://host:port or host:port (which is http).
	Nodes []string
	// Token is sent as "Authorization: Bearer ..." with each request; empty: no such header.
	Token string
	// HTTP makes the requests; nil: a client with 64 idle connections for each node. It must not have a Timeout shorter
	// than Options.Timeout, must not follow redirects of POST, and must not repeat requests by itself.
	HTTP *http.Client
	// Timeout of one attempt, not of the call: that is its context's, and should be some times as long, or a node that hangs
	// leaves no time to ask another. A connection must be had within half of it. Default 5 s.
	Timeout time.Duration
	// Retries is how many further attempts a call may make. Default 5; negative: none.
	Retries int
	// Backoff is the first pause after all nodes failed in turn; it doubles up to MaxBackoff. Default 50 ms.
	Backoff time.Duration
	// MaxBackoff is the longest pause, that a Retry-After asks for included. Default 5 s.
	MaxBackoff time.Duration
}

func (o Options) withDefaults() Options {
	set := func(d *time.Duration, value time.Duration) {
		if *d <= 0 {
			*d = value
		}
	}
	set(&o.Timeout, 5*time.Second)
	set(&o.Backoff, 50*time.Millisecond)
	set(&o.MaxBackoff, 5*time.Second)
	switch {
	case o.Retries == 0:
		o.Retries = 5
	case o.Retries < 0:
		o.Retries = 0
	}
	return o
}

// Client is safe for concurrent use. Close releases its idle connections.
type Client struct {
	opt   Options
	http  *http.Client
	own   *http.Transport // nil when the caller brought its own client
	nodes []*endpoint

	mu     sync.Mutex
	choice int // index of the node that the next call begins with: the one that answered last, or the one after it when it did not
}

// endpoint is one node.
type endpoint struct {
	base  string    // http://host:port
	until time.Time // it asked to be left alone until then; under Client.mu
}

// New returns a client; it connects to nothing yet. The error names every address that cannot be one, and says when the token cannot be sent.
func New(opt Options) (*Client, error) {
	c := &Client{opt: opt.withDefaults(), http: opt.HTTP}
	var faults []error
	for _, node := range opt.Nodes {
		base, err := baseURL(node)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		c.nodes = append(c.nodes, &endpoint{base: base})
	}
	if len(opt.Nodes) == 0 {
		faults = append(faults, errors.New("no node: give the address of at least one, such as http://127.0.0.1:3333"))
	}
	if strings.ContainsFunc(c.opt.Token, func(r rune) bool { return r <= ' ' || r > '~' }) { // else each call would fail, in doubt
		faults = append(faults, errors.New("the token holds a space, a line break or what is no ASCII: give it as it was printed"))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if c.http == nil {
		c.own = &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: c.opt.Timeout / 2}).DialContext, // a node that is off: time is left for the next
			TLSHandshakeTimeout: c.opt.Timeout,
			ForceAttemptHTTP2:   true,
			MaxIdleConnsPerHost: 64,
			IdleConnTimeout:     30 * time.Second, // below the server's, so that few connections die under a request
		}
		c.http = &http.Client{Transport: c.own, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	return c, nil
}

// Close closes idle connections, unless the caller brought its own http.Client.
func (c *Client) Close() {
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// Nodes returns the nodes' addresses, as http://host:port.
func (c *Client) Nodes() []string {
	list := make([]string, len(c.nodes))
	for i, n := range c.nodes {
		list[i] = n.base
	}
	return list
}

// baseURL checks an address and gives it a scheme.
func baseURL(node string) (string, error) {
	text := node
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return "", fmt.Errorf("%q is no address of a node: give http://host:port, https://host:port or host:port", node)
	}
	return u.Scheme + "://" + u.Host, nil
}
