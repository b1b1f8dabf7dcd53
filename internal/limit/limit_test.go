package limit

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"
)

func policy(t *testing.T, text string, burst int) Policy {
	t.Helper()
	p, err := ParsePolicy(text, burst)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestParsePolicy_ReadsRatesAndRefusesTheRest(t *testing.T) {
	for text, want := range map[string]Policy{
		"":       {},
		"2/5s":   {Quota: 2, Window: 5 * time.Second, Burst: 2},
		"100/s":  {Quota: 100, Window: time.Second, Burst: 100},
		"60/m":   {Quota: 60, Window: time.Minute, Burst: 60},
		"7/1.5s": {Quota: 7, Window: 1500 * time.Millisecond, Burst: 7},
	} {
		if got, err := ParsePolicy(text, 0); err != nil || got != want {
			t.Errorf("%q: %+v %v", text, got, err)
		}
	}
	for _, text := range []string{"2", "/5s", "2/", "2/5", "x/5s", "0/5s", "-1/s", "2/0s", "2/48h", "2/5s/3", "10000000/1ms"} {
		if got, err := ParsePolicy(text, 0); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
	for text, burst := range map[string]int{"": 5, "2/5s": -1, "1/24h": 1_000_000} {
		if got, err := ParsePolicy(text, burst); err == nil {
			t.Errorf("%q with burst %d: %+v", text, burst, got)
		}
	}
}

func TestPolicy_IsToldInWholeSeconds(t *testing.T) {
	for _, c := range []struct {
		rate  string
		burst int
		want  string
	}{
		{"2/5s", 0, `"increments";q=2;w=5`},
		{"100/s", 500, `"increments";q=500;w=5`},
		{"10/100ms", 0, `"increments";q=100;w=1`},
		{"3/10s", 1, `"increments";q=1;w=4`},
	} {
		if got := policy(t, c.rate, c.burst).Header(); got != c.want {
			t.Errorf("%s, burst %d: %s", c.rate, c.burst, got)
		}
	}
}

const second = int64(time.Second)

func TestTake_GivesTheBurstAndThenOneAtATime(t *testing.T) {
	c := NewClients(policy(t, "2/5s", 0), 1000)
	id := IDOf([]byte("a"))
	for i, s := range []struct {
		at      int64 // half seconds
		allowed bool
		left    int
		reset   time.Duration
		retry   time.Duration
	}{
		{0, true, 1, 2500 * time.Millisecond, 0},
		{0, true, 0, 5 * time.Second, 0},
		{0, false, 0, 5 * time.Second, 2500 * time.Millisecond},
		{4, false, 0, 3 * time.Second, 500 * time.Millisecond},
		{5, true, 0, 5 * time.Second, 0},
		{6, false, 0, 4500 * time.Millisecond, 2 * time.Second},
		{100, true, 1, 2500 * time.Millisecond, 0}, // a long rest earns no more than the burst
		{100, true, 0, 5 * time.Second, 0},
		{100, false, 0, 5 * time.Second, 2500 * time.Millisecond},
	} {
		d := c.Take(id, 1, 7*second+s.at*second/2)
		if want := (Decision{s.allowed, s.left, s.reset, s.retry}); d != want {
			t.Errorf("step %d: %+v, want %+v", i, d, want)
		}
	}
	if d := c.Take(IDOf([]byte("b")), 1, 57*second); !d.Allowed {
		t.Error("another client pays for the first one")
	}
}

func TestTake_ChargesEachUnitOfABatch(t *testing.T) {
	c := NewClients(policy(t, "10/s", 0), 1000)
	id := IDOf([]byte("a"))
	if d := c.Take(id, 7, second); !d.Allowed || d.Remaining != 3 {
		t.Errorf("%+v", d)
	}
	if d := c.Take(id, 4, second); d.Allowed || d.Retry != 100*time.Millisecond || d.Remaining != 3 {
		t.Errorf("%+v", d)
	}
	if d := c.Take(id, 3, second); !d.Allowed || d.Remaining != 0 {
		t.Errorf("a denied request took something: %+v", d)
	}
	if d := c.Take(id, 11, 100*second); d.Allowed || d.Retry != 0 {
		t.Errorf("more than the burst can never pass: %+v", d)
	}
}

// Forgetting must never give anybody an allowance twice, whenever the maps turn.
func TestTake_NeverGivesMoreThanTheRateWhenMapsTurn(t *testing.T) {
	p := policy(t, "3/4s", 0)
	c := NewClients(p, 1<<16)
	id := IDOf([]byte("a"))
	passed := int64(0)
	const step, steps = second / 7, 7 * 1000
	for i := range int64(steps) {
		if c.Take(id, 1, second+i*step).Allowed {
			passed++
		}
	}
	if most := int64(steps/7*3/4 + p.Burst); passed > most || passed < most-5 {
		t.Errorf("%d passed in 1000 s, want about %d", passed, most)
	}
}

func TestExpire_ForgetsIdleClients(t *testing.T) {
	c := NewClients(policy(t, "2/5s", 0), 1000)
	c.Take(IDOf([]byte("a")), 2, second)
	if n := c.Expire(5 * second); n != 1 {
		t.Errorf("%d remembered while the allowance is not whole", n)
	}
	if n := c.Expire(6 * second); n != 1 {
		t.Errorf("%d remembered", n)
	}
	if n := c.Expire(11 * second); n != 0 {
		t.Errorf("%d remembered after twice the time", n)
	}
	if d := c.Take(IDOf([]byte("a")), 2, 11*second); !d.Allowed {
		t.Error("whoever was forgotten has a whole allowance")
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// What a client takes in memory, by how many there are at once: with -v it is printed.
func TestMemory_OfAHundredThousandAndAMillionClients(t *testing.T) {
	for _, clients := range []int{100_000, 1_000_000} {
		before := heap()
		c := NewClients(policy(t, "2/5s", 0), 2_000_000)
		var name [8]byte
		for i := range clients {
			binary.BigEndian.PutUint64(name[:], uint64(i))
			c.Take(IDOf(name[:]), 1, second)
		}
		full := heap() - before
		if got := c.Expire(second); got != clients {
			t.Errorf("%d remembered of %d", got, clients)
		}
		if each := full / uint64(clients); each > 100 {
			t.Errorf("%d bytes for each of %d clients", each, clients)
		}
		t.Logf("%9d clients at once: %6.1f MB, %d bytes each", clients, float64(full)/1e6, full/uint64(clients))
		runtime.KeepAlive(c)
	}
}

// A million clients come one after the other where two hundred thousand are remembered.
func TestMemory_IsBoundedWhenMoreClientsComeThanMayBeRemembered(t *testing.T) {
	const most, come, step = 200_000, 1_000_000, 200_000
	before := heap()
	c := NewClients(policy(t, "2/24h", 0), most) // no allowance is whole again meanwhile
	var name [8]byte
	peak := uint64(0)
	for next := range come {
		binary.BigEndian.PutUint64(name[:], uint64(next))
		c.Take(IDOf(name[:]), 1, second)
		if (next+1)%step != 0 {
			continue
		}
		now := heap() - before
		peak = max(peak, now)
		got := c.Expire(second)
		t.Logf("%7d clients have come: %6d remembered, %4.1f MB", next+1, got, float64(now)/1e6)
		if got > most {
			t.Errorf("%d remembered, the bound is %d", got, most)
		}
	}
	if each := peak / most; each > 100 {
		t.Errorf("%d bytes for each that may be remembered", each)
	}
	runtime.KeepAlive(c)
}

// Each round brings clients that were never seen before.
func TestTake_MemoryIsFlatWithEverNewClients(t *testing.T) {
	const clients, rounds = 100_000, 12
	c := NewClients(policy(t, "2/5s", 0), clients)
	var name [8]byte
	next, now, most := uint64(0), second, 0
	round := func() {
		for range clients {
			binary.BigEndian.PutUint64(name[:], next)
			next++
			c.Take(IDOf(name[:]), 1, now)
		}
		now += second
		most = max(most, c.Expire(now))
	}
	before := heap()
	for range 3 {
		round()
	}
	full := heap()
	for range rounds {
		round()
	}
	after := heap()
	if most > clients {
		t.Errorf("%d clients remembered, the bound is %d", most, clients)
	}
	if after > full+full/4+(1<<20) {
		t.Errorf("memory grows: %d bytes after 300,000 clients, %d after 1,500,000", full, after)
	}
	if each := (after - min(before, after)) / clients; each > 150 {
		t.Errorf("%d bytes for each client", each)
	}
	runtime.KeepAlive(c)
	now += 60 * second
	if n := c.Expire(now); n != 0 {
		t.Errorf("%d remembered when all are idle", n)
	}
	if empty := heap(); empty > before+(1<<20) {
		t.Errorf("%d bytes are kept of %d", empty-before, after-before)
	}
	runtime.KeepAlive(c)
}

// A flood of strangers pushes out who is idle, not who is there.
func TestTake_RemembersWhoIsThereWhenTooManyCome(t *testing.T) {
	c := NewClients(policy(t, "1/1h", 0), 1000)
	busy := IDOf([]byte("busy"))
	c.Take(busy, 1, second)
	var name [8]byte
	for i := range uint64(50_000) {
		binary.BigEndian.PutUint64(name[:], i)
		c.Take(IDOf(name[:]), 1, second)
		if i%100 == 0 && c.Take(busy, 1, second).Allowed {
			t.Fatalf("forgotten after %d strangers", i)
		}
	}
}

func TestClient_BelievesOnlyTrustedProxies(t *testing.T) {
	proxies, err := ParseProxies([]string{"10.0.0.0/8", "192.0.2.7", "fd00::/8"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ peer, forwarded, want string }{
		{"203.0.113.5", "", "203.0.113.5"},
		{"203.0.113.5", "1.1.1.1", "203.0.113.5"},
		{"10.1.1.1", "", "10.1.1.1"},
		{"10.1.1.1", "1.1.1.1", "1.1.1.1"},
		{"::ffff:10.1.1.1", "1.1.1.1", "1.1.1.1"},
		{"10.1.1.1", "6.6.6.6, 1.1.1.1", "1.1.1.1"},
		{"10.1.1.1", "6.6.6.6, 1.1.1.1, 10.2.2.2", "1.1.1.1"},
		{"10.1.1.1", "6.6.6.6|1.1.1.1 , 192.0.2.7", "1.1.1.1"},
		{"10.1.1.1", "6.6.6.6, nonsense", "10.1.1.1"},
		{"10.1.1.1", "6.6.6.6, nonsense, 10.2.2.2", "10.2.2.2"},
		{"10.1.1.1", "1.1.1.1:4711", "1.1.1.1"},
		{"fd00::1", "[2001:db8::1]:4711", "2001:db8::1"},
		{"10.1.1.1", "10.3.3.3, 10.2.2.2", "10.3.3.3"},
	} {
		var lines [][]byte
		for line := range strings.SplitSeq(c.forwarded, "|") {
			lines = append(lines, []byte(line))
		}
		if got := proxies.Client(netip.MustParseAddr(c.peer), lines); got.String() != c.want {
			t.Errorf("%s for %q: %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
	for _, text := range []string{"", "10.0.0.0/33", "example.com", "::ffff:10.0.0.0/104"} {
		if _, err := ParseProxies([]string{text}); err == nil {
			t.Errorf("%q is taken for a network", text)
		}
	}
}

func TestClientOfForwarded_BelievesOnlyTrustedProxies(t *testing.T) {
	proxies, err := ParseProxies([]string{"10.0.0.0/8", "192.0.2.7", "fd00::/8"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ peer, forwarded, want string }{
		{"203.0.113.5", "", "203.0.113.5"},
		{"203.0.113.5", "for=1.1.1.1", "203.0.113.5"},
		{"10.1.1.1", "", "10.1.1.1"},
		{"10.1.1.1", "for=1.1.1.1", "1.1.1.1"},
		{"::ffff:10.1.1.1", "For=\"1.1.1.1\"", "1.1.1.1"},
		{"10.1.1.1", "for=6.6.6.6, for=1.1.1.1", "1.1.1.1"},
		{"10.1.1.1", "for=6.6.6.6,for=1.1.1.1;proto=https;by=10.2.2.2, for=10.2.2.2", "1.1.1.1"},
		{"10.1.1.1", "for=6.6.6.6|proto=http ; FOR = 1.1.1.1 , for=192.0.2.7", "1.1.1.1"},
		{"10.1.1.1", "for=6.6.6.6, for=unknown", "10.1.1.1"},
		{"10.1.1.1", "for=6.6.6.6, for=_hidden, for=10.2.2.2", "10.2.2.2"},
		{"10.1.1.1", "for=6.6.6.6, proto=https", "10.1.1.1"},
		{"10.1.1.1", "for=6.6.6.6, for=1.1.1.1;for=2.2.2.2", "10.1.1.1"},
		{"10.1.1.1", "for=\"1.1.1.1:4711\"", "1.1.1.1"},
		{"fd00::1", "for=\"[2001:db8::1]:4711\"", "2001:db8::1"},
		{"fd00::1", "for=\"[2001:db8::1]\"", "2001:db8::1"},
		{"10.1.1.1", "for=10.3.3.3, for=10.2.2.2", "10.3.3.3"},
		// What a client writes within quotes is one element, and what it leaves open makes its line unreadable.
		{"10.1.1.1", "for=\"x, for=6.6.6.6\", for=1.1.1.1", "1.1.1.1"},
		{"10.1.1.1", "for=\"x\\\", for=6.6.6.6", "10.1.1.1"},
		{"10.1.1.1", "for=6.6.6.6, host=\"x|for=10.2.2.2", "10.2.2.2"},
		{"10.1.1.1", "for=\"\\1.1.1.1\"", "10.1.1.1"},
	} {
		var lines [][]byte
		for line := range strings.SplitSeq(c.forwarded, "|") {
			lines = append(lines, []byte(line))
		}
		if c.forwarded == "" {
			lines = nil
		}
		if got := proxies.ClientOfForwarded(netip.MustParseAddr(c.peer), lines); got.String() != c.want {
			t.Errorf("%s for %q: %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
}

func TestAppendAddress_TakesAnIPv6NetworkForOneClient(t *testing.T) {
	for text, want := range map[string]string{
		"203.0.113.5": "ip:203.0.113.5", "2001:db8:1:2:3::4": "ip:2001:db8:1:2::/64", "2001:db8:1:2:ffff::": "ip:2001:db8:1:2::/64",
	} {
		if got := string(AppendAddress(nil, netip.MustParseAddr(text))); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}
