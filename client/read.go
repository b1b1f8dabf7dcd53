package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// Counter is a counter's state.
type Counter struct {
	Key       string `json:"key"`
	Value     int64  `json:"value"`     // the total
	Persisted *int64 `json:"persisted"` // what the database has of it; nil when it could not be read
	Stale     bool   `json:"stale"`     // the total may be behind: the owner could not reach the database for a while
}

// Get returns a counter; one that was never incremented has value 0.
func (c *Client) Get(ctx context.Context, key string) (Counter, error) {
	counter := Counter{}
	answer, err := c.read(ctx, "/api/v1/counters/"+escape(key), &counter)
	if err != nil {
		return Counter{}, err
	}
	counter.Stale = answer.header.Get("Warning") != ""
	return counter, nil
}

// Cluster is what one node knows of the cluster. Times are in seconds.
type Cluster struct {
	Cluster     string   `json:"cluster"`
	Node        string   `json:"node"` // name of the node that answered
	RingVersion string   `json:"ring_version"`
	Partitions  int      `json:"partitions"`
	Unowned     int      `json:"unowned"`
	Settling    int      `json:"settling"`
	Pending     int      `json:"pending"`             // operations of that node which the database does not have yet
	PendingAge  float64  `json:"pending_age_seconds"` // of the oldest one
	StoreOK     bool     `json:"store_ok"`
	Members     []Member `json:"members"`
}

// Member is one process of a cluster.
type Member struct {
	ID         string  `json:"id"`
	Name       string  `json:"name"`
	HTTPAddr   string  `json:"http"`
	PeerAddr   string  `json:"peer"`
	GossipAddr string  `json:"gossip"`
	Self       bool    `json:"self"`
	Alive      bool    `json:"alive"` // by gossip
	Draining   bool    `json:"draining"`
	LeaseLeft  float64 `json:"lease_seconds_left"`
	Owned      int     `json:"owned"`  // partitions that it has
	Wanted     int     `json:"wanted"` // partitions that the ring gives it
}

// Cluster returns what the node that answers knows of the cluster.
func (c *Client) Cluster(ctx context.Context) (Cluster, error) {
	var cluster Cluster
	_, err := c.read(ctx, "/api/v1/cluster", &cluster)
	return cluster, err
}

// Metrics returns the metrics of the node that answers, in the Prometheus text format. For one certain node make a Client
// with that node alone.
func (c *Client) Metrics(ctx context.Context) ([]byte, error) {
	answer, err := c.call(ctx, request{method: http.MethodGet, path: "/metrics", repeatable: true})
	if err != nil {
		return nil, err
	}
	return answer.body, nil
}

// read gets {"data": into}.
func (c *Client) read(ctx context.Context, path string, into any) (*reply, error) {
	answer, err := c.call(ctx, request{method: http.MethodGet, path: path, repeatable: true})
	if err != nil {
		return nil, err
	}
	body := struct {
		Data any `json:"data"`
	}{into}
	if err := json.Unmarshal(answer.body, &body); err != nil {
		return nil, fmt.Errorf("the answer to %s is not what a node of Pinocchio says, is the address right? %w", path, err)
	}
	return answer, nil
}

// escape writes a key for a path. More than url.PathEscape does: "." and ".." would be taken for folders on the way.
func escape(key string) string {
	const hex = "0123456789ABCDEF"
	escaped := make([]byte, 0, 3*len(key))
	for _, b := range []byte(key) {
		switch {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', b == '-', b == '_', b == '~':
			escaped = append(escaped, b)
		default:
			escaped = append(escaped, '%', hex[b>>4], hex[b&15])
		}
	}
	return string(escaped)
}
