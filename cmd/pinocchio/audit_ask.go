package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/pinocchio-nose/pinocchio/node"
)

// maxFigures is the longest answer that is read, in bytes: some 40 for each partition.
const maxFigures = 16 << 20

// auditNodes are the nodes that are asked for their figures.
type auditNodes struct {
	bases     []string
	token     string
	timeout   time.Duration
	client    *http.Client
	transport *http.Transport
}

// told is what a node answered.
type told struct {
	server  string
	figures node.AuditFigures
	err     error
}

func (c *auditCmd) nodes() (*auditNodes, error) {
	trust, err := trusting(c.CA)
	if err != nil {
		return nil, err
	}
	n := &auditNodes{token: c.Token, timeout: c.Timeout}
	for _, server := range c.Server {
		if !strings.Contains(server, "://") {
			server = "http://" + server
		}
		n.bases = append(n.bases, strings.TrimSuffix(server, "/"))
	}
	n.transport = &http.Transport{TLSClientConfig: trust, Proxy: http.ProxyFromEnvironment}
	n.client = &http.Client{
		Transport:     n.transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return n, nil
}

func (n *auditNodes) close() { n.transport.CloseIdleConnections() }

// ask returns the answers in the order of the servers.
func (n *auditNodes) ask(ctx context.Context) []told {
	out := make([]told, len(n.bases))
	var all sync.WaitGroup
	for i, base := range n.bases {
		all.Go(func() {
			figures, err := n.get(ctx, base)
			out[i] = told{base, figures, err}
		})
	}
	all.Wait()
	return out
}

func (n *auditNodes) get(ctx context.Context, base string) (f node.AuditFigures, err error) {
	ctx, cancel := context.WithTimeout(ctx, n.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/api/v1/audit", nil)
	if err != nil {
		return f, err
	}
	if n.token != "" {
		req.Header.Set("Authorization", "Bearer "+n.token)
	}
	resp, err := n.client.Do(req)
	if err != nil {
		return f, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxFigures))
	if err != nil {
		return f, err
	}
	if resp.StatusCode != http.StatusOK {
		return f, fmt.Errorf("answers %s", resp.Status)
	}
	body := struct {
		Data *node.AuditFigures `json:"data"`
	}{&f}
	if err := json.Unmarshal(text, &body); err != nil {
		return f, fmt.Errorf("does not answer as a node of Pinocchio: %w", err)
	}
	if f.ID == "" {
		return f, errors.New("does not answer as a node of Pinocchio of this release")
	}
	return f, nil
}
