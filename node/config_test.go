package node

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/ring"
)

func validConfig() Config {
	c := DefaultConfig()
	c.Name, c.Store = "n1", newFaultStore(nil)
	c.Logger = slog.New(slog.DiscardHandler)
	return c
}

func TestConfig_IsValidWithANameAndAStore(t *testing.T) {
	c := validConfig()
	c.Secrets = [][]byte{[]byte(secretText)}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func TestConfig_NamesEveryFaultAtOnce(t *testing.T) {
	faults := map[string]func(*Config){
		"node's name":                       func(c *Config) { c.Name = "" },
		"cluster's name":                    func(c *Config) { c.Cluster = strings.Repeat("c", 65) },
		"store is missing":                  func(c *Config) { c.Store = nil },
		"logger is missing":                 func(c *Config) { c.Logger = nil },
		"address for other nodes":           func(c *Config) { c.PeerListen = "" },
		"address for gossip":                func(c *Config) { c.GossipAddr = "" },
		"flush interval is 11s":             func(c *Config) { c.FlushInterval = 11 * time.Second },
		"lease is 999ms":                    func(c *Config) { c.LeaseTTL = 999 * time.Millisecond },
		"owner timeout is 1h":               func(c *Config) { c.OwnerTimeout = time.Hour },
		"store timeout is 0s":               func(c *Config) { c.StoreTimeout = 0 },
		"drain timeout is 1ms":              func(c *Config) { c.DrainTimeout = time.Millisecond },
		"retention is 1m":                   func(c *Config) { c.Retention = time.Minute },
		"idempotency keys is 12.999s":       func(c *Config) { c.KeepIDs = 13*time.Second - time.Millisecond },
		"max pending is 999":                func(c *Config) { c.MaxPending = 999 },
		"max counters is 0":                 func(c *Config) { c.MaxCounters = 0 },
		"memory, disk, replica or database": func(c *Config) { c.Durability = Database + 1 },
		"secret 2":                          func(c *Config) { c.Secrets = [][]byte{[]byte(secretText), []byte("short")} },
		"partitions must be":                func(c *Config) { c.Ring.Partitions = 0 },
		"replication factor must be ":       func(c *Config) { c.Ring.ReplicationFactor = -1 },
	}
	all := validConfig()
	for text, spoil := range faults {
		one := validConfig()
		spoil(&one)
		spoil(&all)
		err := one.Validate()
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%q is not named: %v", text, err)
		}
	}
	_, err := New(all)
	if err == nil {
		t.Fatal("accepted")
	}
	for text := range faults {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q is not named among all: %v", text, err)
		}
	}
}

func TestLimits_ShareTheBoundsOutWithRoomForAnUnevenSpread(t *testing.T) {
	c := validConfig()
	c.Ring = ring.Default()
	c.MaxPending, c.MaxCounters = 271_000, 1000
	l := limits(c)
	if l.MaxDirty != 4000 || l.MaxClean != 1000 {
		t.Errorf("%+v", l)
	}
}

func TestAdvertised_JoinsTheHostThatOthersUseWithTheBoundPort(t *testing.T) {
	for _, c := range []struct{ host, bound, want string }{
		{"", "127.0.0.1:7", "127.0.0.1:7"},
		{"db.example", "[::]:7", "db.example:7"},
		{"::1", "0.0.0.0:7", "[::1]:7"},
	} {
		if got, err := Advertised(c.host, c.bound); err != nil || got != c.want {
			t.Errorf("%q at %q: %q, %v", c.host, c.bound, got, err)
		}
	}
	for _, bound := range []string{"0.0.0.0:7", "[::]:7", ":7"} {
		got, err := Advertised("", bound)
		if err != nil || strings.HasPrefix(got, "0.0.0.0") || strings.HasPrefix(got, "[::]") || strings.HasPrefix(got, ":") || !strings.HasSuffix(got, ":7") {
			t.Errorf("bound to all of %s: %q, %v", bound, got, err)
		}
	}
	if _, err := Advertised("", "no port"); err == nil {
		t.Error("an address without a port is accepted")
	}
}
