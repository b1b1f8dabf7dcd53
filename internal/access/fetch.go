package access

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	fetchEvery   = 5 * time.Minute
	fetchPause   = 5 * time.Second // after a failure, and at least between two that tokens with unknown keys ask for
	fetchTimeout = 5 * time.Second
	maxKeySet    = 1 << 20 // bytes
)

// newFetcher returns a client that goes to safe places only.
func newFetcher() *http.Client {
	return &http.Client{
		Timeout: fetchTimeout,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > 3 {
				return errors.New("too many redirects")
			}
			return safeURL(r.URL.String())
		},
	}
}

// runFetch fetches the JWK set now, every few minutes, and when a token names a key that is not known, until ctx is done.
func (g *Guard) runFetch(ctx context.Context, client *http.Client) {
	defer client.CloseIdleConnections()
	failed := false
	for {
		wait := fetchEvery
		switch err := g.fetch(ctx, client); {
		case ctx.Err() != nil:
			return
		case err != nil:
			if wait = fetchPause; !failed {
				g.log.Error("the JWK set cannot be fetched; the last one stays, and it is tried again", "url", g.cfg.KeySetURL, "error", err)
			}
			failed = true
			g.fetchFailed.Store(true)
		case failed:
			g.log.Info("the JWK set is fetched again", "url", g.cfg.KeySetURL)
			failed = false
			g.fetchFailed.Store(false)
		}
		if !g.await(ctx, wait) {
			return
		}
	}
}

// await waits until it is time to fetch again; false: ctx is done.
func (g *Guard) await(ctx context.Context, wait time.Duration) bool {
	least, most := time.NewTimer(fetchPause), time.NewTimer(wait)
	defer least.Stop()
	defer most.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-least.C:
	}
	select {
	case <-ctx.Done():
		return false
	case <-g.ask:
	case <-most.C:
	}
	return true
}

func (g *Guard) fetch(ctx context.Context, client *http.Client) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, g.cfg.KeySetURL, nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", answer.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxKeySet+1))
	if err != nil {
		return err
	}
	if len(text) > maxKeySet {
		return fmt.Errorf("it is longer than %d bytes", maxKeySet)
	}
	keys, err := parseKeySet(text)
	if err != nil {
		return err
	}
	g.put(func(s *sources) { s.fetched = keys })
	return nil
}
