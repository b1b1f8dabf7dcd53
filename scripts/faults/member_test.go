package main

import "testing"

func TestFreePort_NeverReturnsAPortTwiceNorOneInUse(t *testing.T) {
	tr := &trial{}
	seen := map[int]bool{}
	for range 50 {
		port, err := tr.freePort()
		if err != nil {
			t.Fatal(err)
		}
		if seen[port] || port < lowestPort || port >= highestPort {
			t.Errorf("port %d", port)
		}
		seen[port] = true
	}
}
