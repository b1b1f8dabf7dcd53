package gossip

import (
	"slices"
	"testing"
)

// The three steps that replace a key, without a restart: who has the new key gets in afterwards, and nobody was lost on the way.
func TestSetKeys_ReplacesAKeyWhileGossipRuns(t *testing.T) {
	a, b := keyOf(t, 'a'), keyOf(t, 'b')
	nodes := startCluster(t, 2, func(_ int, c *Config) { c.Keys = [][]byte{a} })
	for _, keys := range [][][]byte{{a, b}, {b, a}, {b}} {
		for _, g := range nodes {
			if err := g.SetKeys(keys); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, g := range nodes {
		if got := g.keyring.GetKeys(); len(got) != 1 || !slices.Equal(got[0], b) {
			t.Errorf("%d keys are left", len(got))
		}
	}
	third := quick("n3")
	third.Keys, third.Seeds = [][]byte{b}, []string{nodes[1].LocalAddr()}
	nodes = append(nodes, start(t, third))
	for _, g := range nodes {
		waitMembers(t, g, "n1", "n2", "n3")
	}
	for _, g := range nodes {
		if n := g.Stats().Rejected; n != 0 {
			t.Errorf("%d messages were dropped", n)
		}
	}
}

func TestSetKeys_RefusesWhatDoesNotFit(t *testing.T) {
	a := keyOf(t, 'a')
	c := quick("n1")
	c.Keys = [][]byte{a}
	g := start(t, c)
	open := start(t, quick("n2"))
	for what, err := range map[string]error{
		"no key":               g.SetKeys(nil),
		"a short key":          g.SetKeys([][]byte{keyOf(t, 'b'), a[:5]}),
		"a key where none was": open.SetKeys([][]byte{a}),
		"none":                 open.SetKeys(nil),
	} {
		if err == nil {
			t.Errorf("%s: taken", what)
		}
	}
	if got := g.keyring.GetKeys(); len(got) != 1 || !slices.Equal(got[0], a) {
		t.Errorf("the keys were changed: %d are left", len(got))
	}
}
