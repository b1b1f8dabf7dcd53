package gossip

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestDefault_LacksOnlyTheIdentity(t *testing.T) {
	c := Default()
	err := c.Validate()
	if err == nil || strings.Count(err.Error(), "\n") != 0 || !strings.Contains(err.Error(), "ID") {
		t.Errorf("got %v", err)
	}
	c.ID = "x"
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func TestValidate_NamesEveryFaultAtOnce(t *testing.T) {
	c := Config{
		ID:           strings.Repeat("x", maxID+1),
		Meta:         Meta{Name: strings.Repeat("x", 512)},
		BindAddr:     "7946",
		Advertise:    "0.0.0.0",
		ClusterName:  strings.Repeat("x", maxClusterName+1),
		Keys:         [][]byte{make([]byte, 16), make([]byte, 15)},
		Seeds:        []string{"node1", ":7946", "node1:0", "node1:65536"},
		ProbeTimeout: time.Second,
	}
	_, err := New(c)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		"ID must have", "metadata takes", "bind address", "advertised address", "cluster name", "key 2 has 15 bytes",
		`"node1" is not`, `":7946" has no host`, `"node1:0" has no port`, `"node1:65536" has no port`,
		"suspicion multiplier", "longer than the probe interval", "rejoin interval", "probe interval must", "gossip interval",
		"push/pull interval", "stream timeout", "dead time", "leave timeout",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not named in:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "key 1") {
		t.Error("a good key is named")
	}
}

func TestValidate_KnowsAddresses(t *testing.T) {
	for addr, good := range map[string]bool{
		"": true, "10.0.0.1": true, "10.0.0.1:7946": true, "::1": true, "[2001:db8::1]:7946": true, "node1": true, "node1:1": true,
		"0.0.0.0": false, "::": false, "[::]:7946": false, ":7946": false, "node1:0": false, "node1:x": false,
	} {
		c := quick("n1")
		c.Advertise = addr
		if err := c.Validate(); (err == nil) != good {
			t.Errorf("advertise %q: %v", addr, err)
		}
	}
	for addr, good := range map[string]bool{
		":0": true, ":7946": true, "0.0.0.0:7946": true, "[::]:0": true, "localhost:0": true, "": false, "localhost": false, ":x": false,
	} {
		c := quick("n1")
		c.BindAddr = addr
		if err := c.Validate(); (err == nil) != good {
			t.Errorf("bind %q: %v", addr, err)
		}
	}
}

func TestNew_KeepsACopyOfTheConfiguration(t *testing.T) {
	c := quick("n1")
	c.Keys = [][]byte{make([]byte, 32)}
	c.Seeds = []string{"127.0.0.1:1"}
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	c.Keys[0][0], c.Seeds[0] = 1, "changed"
	if g.cfg.Keys[0][0] != 0 || g.cfg.Seeds[0] == "changed" {
		t.Error("the caller's later changes are seen")
	}
}

// The derivation is part of the protocol: nodes of different builds must come to the same key.
func TestDeriveKey_IsTheSameForEver(t *testing.T) {
	key, err := DeriveKey([]byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	const want = "6e408ea93667ff78d7314a6da99c0ec39cb7658134c8aa807a8f099fd792d653" // computed by another HKDF
	if got := hex.EncodeToString(key); got != want {
		t.Errorf("got %s", got)
	}
	if other, _ := DeriveKey([]byte("0123456789abcdeg")); bytes.Equal(key, other) {
		t.Error("two secrets, one key")
	}
	if _, err := DeriveKey(make([]byte, minSecret-1)); err == nil {
		t.Error("a short secret is taken")
	}
}

func TestMeta_ComesBackAsItWasSent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(-1, -1, 100)
		m := Meta{
			Name: text.Draw(t, "name"), HTTPAddr: text.Draw(t, "http"), PeerAddr: text.Draw(t, "peer"),
			Settings: text.Draw(t, "settings"), Draining: rapid.Bool().Draw(t, "draining"),
		}
		b, err := m.encode()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := decodeMeta(b); err != nil || got != m {
			t.Fatalf("got %+v, %v", got, err)
		}
		if got, err := decodeMeta(append(b, "a later version's field"...)); err != nil || got != m {
			t.Fatalf("with a field more: %+v, %v", got, err)
		}
		cut := rapid.IntRange(0, len(b)-1).Draw(t, "cut")
		if _, err := decodeMeta(b[:cut]); err == nil {
			t.Fatalf("%d of %d bytes were taken for all", cut, len(b))
		}
	})
}

func TestMeta_FitsWhatAClusterNeeds(t *testing.T) {
	m := Meta{
		Name: strings.Repeat("n", 64), HTTPAddr: strings.Repeat("h", 128), PeerAddr: strings.Repeat("p", 128),
		Settings: strings.Repeat("s", 180),
	}
	if b, err := m.encode(); err != nil {
		t.Error(err)
	} else if len(b) > 512 {
		t.Errorf("%d bytes", len(b))
	}
}

func FuzzDecodeMeta(f *testing.F) {
	good, _ := Meta{Name: "n", HTTPAddr: "h", PeerAddr: "p", Settings: "s", Draining: true}.encode()
	f.Add(good)
	f.Add([]byte{metaVersion, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeMeta(b)
		if err != nil {
			return
		}
		again, err := m.encode()
		if err != nil {
			return // longer than fits: the input was
		}
		if got, err := decodeMeta(again); err != nil || got != m {
			t.Errorf("%+v became %+v, %v", m, got, err)
		}
	})
}
