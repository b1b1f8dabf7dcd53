package client_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/pinocchio-nose/pinocchio/client"
)

// exampleNode starts a node on this host; "make run" starts three.
func exampleNode() (address string, stop func()) {
	folder, err := os.MkdirTemp("", "pinocchio-example")
	if err != nil {
		log.Fatal(err)
	}
	s, err := startServer(sqliteNode(folder), io.Discard)
	if err != nil {
		log.Fatal(err)
	}
	return s.base, func() {
		if err := s.end(); err != nil {
			log.Fatal(err)
		}
		if err := os.RemoveAll(folder); err != nil {
			log.Fatal(err)
		}
	}
}

func Example() {
	address, stop := exampleNode()
	defer stop()

	c, err := client.New(client.Options{Nodes: []string{address}}) // better: all nodes' addresses
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := c.Increment(ctx, "page:1", 3); err != nil {
		log.Fatal(err)
	}
	counter, err := c.Get(ctx, "page:1")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(counter.Key, counter.Value)
	// Output: page:1 3
}

// An increment with an idempotency key may be sent as often as one likes, also by another process.
func ExampleClient_Increment_once() {
	address, stop := exampleNode()
	defer stop()

	c, err := client.New(client.Options{Nodes: []string{address}})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	for range 2 {
		added, err := c.Increment(context.Background(), "orders", 1, client.IdempotencyKey("order-7"), client.WantTotal())
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("total", added.Total, "replayed", added.Replayed)
	}
	// Output:
	// total 1 replayed false
	// total 1 replayed true
}

// Each increment of a request has an outcome of its own.
func ExampleClient_IncrementMany() {
	address, stop := exampleNode()
	defer stop()

	c, err := client.New(client.Options{Nodes: []string{address}})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	list := []client.Increment{{Key: "page:1", Value: 3}, {Key: "", Value: 1}, {Key: "page:2", Value: -4}}
	for i, outcome := range c.IncrementMany(context.Background(), list) {
		fmt.Printf("%q: %v\n", list[i].Key, outcome.Err)
	}
	// Output:
	// "page:1": <nil>
	// "": 422 Unprocessable Entity: key can't be blank
	// "page:2": <nil>
}

func ExampleClient_NewWriter() {
	address, stop := exampleNode()
	defer stop()

	c, err := client.New(client.Options{Nodes: []string{address}})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	ctx := context.Background()
	w := c.NewWriter(client.WriterOptions{})
	for range 1000 {
		if err := w.Add(ctx, "page:1", 2); err != nil { // waits when too many have no answer
			log.Fatal(err)
		}
	}
	if err := w.Close(ctx); err != nil { // says which increments failed, if any
		log.Fatal(err)
	}
	counter, err := c.Get(ctx, "page:1")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(counter.Value)
	// Output: 2000
}
