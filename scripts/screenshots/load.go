package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	perSecond  = 2000 // increments: little enough that the machine can draw pictures beside it
	perTick    = 20
	maxWaiting = 6000 // increments without an answer; what comes beyond is given up
	patience   = 5 * time.Second
)

// shares is how many of each ten increments go to which node first.
var shares = [...]int{0, 0, 1, 1, 1, 2, 2, 2, 2, 3}

// load sends increments of Zipf-distributed keys at a constant rate until ctx is done, as many users do who know nothing of each
// other: nobody waits for the answer that somebody else awaits. A node that cannot be reached is passed over for the next one,
// as by a load balancer.
func load(ctx context.Context, nodes []string) {
	client := &fasthttp.Client{MaxConnsPerHost: maxWaiting, ReadTimeout: patience, WriteTimeout: patience, MaxIdemponentCallAttempts: 1}
	defer client.CloseIdleConnections()
	random := rand.New(rand.NewPCG(1, 2))
	keys := rand.NewZipf(random, 1.3, 1, 999)
	waiting := make(chan struct{}, maxWaiting)
	tick := time.NewTicker(time.Second * perTick / perSecond)
	defer tick.Stop()
	var all sync.WaitGroup
	defer all.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for range perTick {
			first, key := shares[random.IntN(len(shares))], fmt.Sprintf("page:%d", keys.Uint64())
			select {
			case waiting <- struct{}{}:
				all.Go(func() {
					increment(client, nodes, first, key)
					<-waiting
				})
			default:
			}
		}
	}
}

// increment asks the first node, and the next one when it does not answer. What a node that was killed had accepted may be counted
// twice by that: these pictures are about rates, not sums.
func increment(client *fasthttp.Client, nodes []string, first int, key string) {
	request, answer := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(request)
	defer fasthttp.ReleaseResponse(answer)
	request.Header.SetMethod(fasthttp.MethodPost)
	request.SetBodyString(fmt.Sprintf(`{"key":%q,"value":1}`, key))
	for i := range nodes {
		request.SetRequestURI(nodes[(first+i)%len(nodes)] + "/api/v1/increment")
		if client.Do(request, answer) == nil {
			return
		}
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
