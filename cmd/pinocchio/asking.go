package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/pinocchio-nose/pinocchio/client"
)

// reach are the flags that say whom a person's command asks, and how.
type reach struct {
	Server  []string      `default:"http://127.0.0.1:3333" help:"Node to ask, http://host:port or host:port; repeatable: the next one is asked when one cannot answer." placeholder:"URL"`
	Token   string        `help:"Bearer token; better in the environment, where other users do not see it." placeholder:"TOKEN"`
	CA      string        `name:"ca" type:"existingfile" help:"Certificates of the authorities to trust for https, PEM. Default: the system's." placeholder:"FILE"`
	Timeout time.Duration `default:"10s" help:"Longest wait for an answer, repeats included."`
}

// asking are the flags of a command that asks once.
type asking struct {
	reach
	JSON bool `name:"json" help:"Print JSON."`
}

// ask runs f with a client, within the timeout. Each of several servers gets its share: one that hangs leaves time for the next.
func (a *reach) ask(ctx context.Context, f func(context.Context, *client.Client) error) error {
	web, err := a.web()
	if err != nil {
		return err
	}
	defer web.CloseIdleConnections()
	c, err := client.New(client.Options{Nodes: a.Server, Token: a.Token, Timeout: a.Timeout / time.Duration(max(1, len(a.Server))), HTTP: web})
	if err != nil {
		return fmt.Errorf("--server or --token: %w", err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, a.Timeout)
	defer cancel()
	return advise(f(ctx, c))
}

// web returns what makes the requests.
func (a *reach) web() (*http.Client, error) {
	trust, err := trusting(a.CA)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = trust
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// advise says what to try.
func advise(err error) error {
	var answer *client.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, client.ErrUnknownOutcome):
		return fmt.Errorf("%w: look at the total before you count again; what has an --idempotency-key may be sent again with the same one", err)
	case errors.Is(err, client.ErrUnreachable):
		return fmt.Errorf("%w: is a node running there? Name another with --server; \"pinocchio dev\" starts three", err)
	case errors.As(err, &answer) && (answer.Status == 401 || answer.Status == 403):
		return fmt.Errorf("%w: give a token that may do this, with --token or PINOCCHIO_TOKEN", err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: the nodes are slow or starting; try again, or with a longer --timeout", err)
	}
	return err
}

// getCmd prints a counter.
type getCmd struct {
	Key string `arg:"" help:"Key of the counter."`
	asking
}

// Run prints the total, or with --json the counter.
func (c *getCmd) Run(ctx context.Context, std streams) error {
	return c.ask(ctx, func(ctx context.Context, cl *client.Client) error {
		counter, err := cl.Get(ctx, c.Key)
		if err != nil {
			return err
		}
		if counter.Stale {
			_, _ = fmt.Fprintln(std.err, "pinocchio: the total may be behind: its owner has not reached the database for a while")
		}
		return c.print(std.out, counter, strconv.FormatInt(counter.Value, 10))
	})
}

// print writes the value as JSON or the text as a line.
func (a *asking) print(w io.Writer, value any, text string) error {
	if a.JSON {
		return json.NewEncoder(w).Encode(value)
	}
	_, err := fmt.Fprintln(w, text)
	return err
}

// incrCmd adds to a counter.
type incrCmd struct {
	Key            string `arg:"" help:"Key of the counter."`
	N              int64  `arg:"" optional:"" default:"1" help:"What to add; before a negative one write --."`
	IdempotencyKey string `help:"Count once, however often this is sent with the same text." placeholder:"TEXT"`
	asking
}

// Run adds and prints the total just after it.
func (c *incrCmd) Run(ctx context.Context, std streams) error {
	return c.ask(ctx, func(ctx context.Context, cl *client.Client) error {
		options := []client.Option{client.WantTotal()}
		if c.IdempotencyKey != "" {
			options = append(options, client.IdempotencyKey(c.IdempotencyKey))
		}
		added, err := cl.Increment(ctx, c.Key, c.N, options...)
		if err != nil {
			return err
		}
		body := struct {
			Key   string `json:"key"`
			Total *int64 `json:"value"` // null when it is not known yet
			Later bool   `json:"later"`
		}{Key: c.Key, Later: added.Later}
		text := "accepted; the total is not known yet"
		if added.HasTotal {
			body.Total, text = &added.Total, strconv.FormatInt(added.Total, 10)
		}
		return c.print(std.out, body, text)
	})
}
