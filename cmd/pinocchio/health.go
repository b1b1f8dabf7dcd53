package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// healthCmd asks a node whether it is ready: for the health checks of containers.
type healthCmd struct {
	URL string `arg:"" optional:"" default:"http://127.0.0.1:3333" help:"The node."`
}

// Run returns nil when the node is ready.
func (c *healthCmd) Run(ctx context.Context, std streams) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(c.URL, "/")+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("the node does not answer: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the node is not ready: %s", resp.Status)
	}
	_, err = fmt.Fprintln(std.out, "ready")
	return err
}
