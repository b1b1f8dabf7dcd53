package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// status is what GET /api/v1/cluster says.
type status struct {
	Partitions int            `json:"partitions"`
	Unowned    int            `json:"unowned"`
	Settling   int            `json:"settling"`
	Pending    int            `json:"pending"`
	Members    []memberStatus `json:"members"`
}

type memberStatus struct {
	Name      string  `json:"name"`
	Alive     bool    `json:"alive"`
	Draining  bool    `json:"draining"`
	LeaseLeft float64 `json:"lease_seconds_left"`
	Owned     int     `json:"owned"`
	Wanted    int     `json:"wanted"`
}

// askLimit bounds a question to a node that must not take long.
const askLimit = 2 * time.Second

// get returns the body of a 200.
func (t *trial) get(ctx context.Context, m *member, path string) (body []byte, header http.Header, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.HTTP+path, nil)
	if err != nil {
		return nil, nil, err
	}
	resp, err := t.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if body, err = io.ReadAll(resp.Body); err != nil {
		return nil, nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("%s: GET %s: %s: %.200s", m.Name, path, resp.Status, body)
	}
	return body, resp.Header, nil
}

// status returns what the node knows of the cluster.
func (t *trial) status(ctx context.Context, m *member) (status, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	body, _, err := t.get(ctx, m, "/api/v1/cluster")
	if err != nil {
		return status{}, err
	}
	var answer struct{ Data status }
	err = json.Unmarshal(body, &answer)
	return answer.Data, err
}

// metrics returns the node's metrics: name with labels, as written, to value.
func (t *trial) metrics(ctx context.Context, m *member) (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	body, _, err := t.get(ctx, m, "/metrics")
	if err != nil {
		return nil, err
	}
	return parseMetrics(string(body))
}

func parseMetrics(page string) (map[string]float64, error) {
	values := map[string]float64{}
	lines := bufio.NewScanner(strings.NewReader(page))
	for lines.Scan() {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		if at < 0 {
			return nil, fmt.Errorf("not a metric: %q", line)
		}
		v, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("not a metric: %q", line)
		}
		values[line[:at]] = v
	}
	return values, lines.Err()
}

// fate is what became of one increment.
type fate uint8

const (
	counted fate = iota // 202
	later               // 202 with "Counted: later": it will count
	refused             // it does not count
	unknown             // it counts, or it does not
)

// increment adds 1 to a key through m.
func (t *trial) increment(ctx context.Context, m *member, key string) fate {
	body := fmt.Sprintf(`{"key":%q,"value":1}`, key)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+m.HTTP+"/api/v1/increment", strings.NewReader(body))
	if err != nil {
		return refused
	}
	resp, err := t.client.Do(req)
	var dial *net.OpError
	switch {
	case errors.As(err, &dial) && dial.Op == "dial":
		return refused
	case err != nil:
		return unknown
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, resp.Body)
	switch {
	case resp.StatusCode == http.StatusAccepted && resp.Header.Get("Counted") == "later":
		return later
	case resp.StatusCode == http.StatusAccepted:
		return counted
	case resp.StatusCode == http.StatusServiceUnavailable || resp.StatusCode < 500:
		return refused
	}
	return unknown
}

// total reads a key through m. stale: the node says that it may be behind.
func (t *trial) total(ctx context.Context, m *member, key string) (value int64, stale bool, err error) {
	body, header, err := t.get(ctx, m, "/api/v1/increment/"+url.PathEscape(key))
	if err != nil {
		return 0, false, err
	}
	var answer struct{ Data struct{ Value *int64 } }
	if err := json.Unmarshal(body, &answer); err != nil || answer.Data.Value == nil {
		return 0, false, fmt.Errorf("%s: no total in %.200q", m.Name, body)
	}
	return *answer.Data.Value, header.Get("Warning") != "", nil
}
