package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// load sends increments of Zipf-distributed keys until ctx is done; each worker pauses, so that the machine can draw pictures.
func load(ctx context.Context, at string, workers int) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}}
	defer client.CloseIdleConnections()
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			zipf := rand.NewZipf(rand.New(rand.NewPCG(1, uint64(w))), 1.3, 1, 999)
			tick := time.NewTicker(time.Second / perWorker)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				increment(ctx, client, at, fmt.Sprintf("page:%d", zipf.Uint64()))
			}
		})
	}
	all.Wait()
}

func increment(ctx context.Context, client *http.Client, at, key string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, at+"/api/v1/increment", strings.NewReader(fmt.Sprintf(`{"key":%q,"value":1}`, key)))
	if err != nil {
		return
	}
	if answer, err := client.Do(r); err == nil { // a killed node does not answer: that is in the picture
		_ = answer.Body.Close()
	}
}

// awaitReady waits until the node is ready.
func awaitReady(ctx context.Context, at string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if answer, err := http.Get(at + "/readyz"); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the node at %s is not ready: %w", at, ctx.Err())
		case <-tick.C:
		}
	}
}
