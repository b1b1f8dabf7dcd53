package gossip

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
)

// table resolves names from a table.
func table(entries map[string]string) func(context.Context, string) ([]netip.Addr, error) {
	return func(_ context.Context, host string) ([]netip.Addr, error) {
		var ips []netip.Addr
		for _, text := range strings.Fields(entries[host]) {
			ips = append(ips, netip.MustParseAddr(text))
		}
		if ips == nil {
			return nil, errors.New("no such host: " + host)
		}
		return ips, nil
	}
}

func TestGossip_JoinsEveryAddressOfANameAndNotItself(t *testing.T) {
	a := start(t, quick("a"))
	_, port, _ := net.SplitHostPort(a.LocalAddr())
	c := quick("b")
	c.BindAddr = "127.0.0.2:" + port // the same port, so that one name stands for both
	c.Seeds = []string{"cluster.test:" + port}
	c.lookup = table(map[string]string{"cluster.test": "::ffff:127.0.0.1 127.0.0.2"})
	b := start(t, c)
	waitMembers(t, b, "a", "b")
	waitMembers(t, a, "a", "b")
	<-b.Joined()
	if s := b.Stats(); s.Joins != 1 || s.JoinFailures != 0 {
		t.Errorf("stats %+v: want one join", s)
	}
}

func TestGossip_LeavesMembersAloneWhenItRejoins(t *testing.T) {
	nodes := startCluster(t, 2, func(_ int, c *Config) { c.SuspicionMult = 100 })
	calls := make(chan struct{}, 1)
	c := quick("n3")
	c.SuspicionMult = 100 // a starved machine must not make members seem dead
	_, port, _ := net.SplitHostPort(nodes[0].LocalAddr())
	c.Seeds = []string{"mapped.test:" + port, nodes[1].LocalAddr()}
	c.lookup = table(map[string]string{"mapped.test": "::ffff:127.0.0.1"}) // the same address in another form
	c.MoreSeeds = func(context.Context) ([]string, error) {
		select {
		case calls <- struct{}{}:
		default:
		}
		return c.Seeds, nil
	}
	g := start(t, c)
	waitMembers(t, g, "n1", "n2", "n3")
	<-g.Joined()
	joins := g.Stats().Joins
	for range 4 {
		<-calls
	}
	if s := g.Stats(); s.Joins != joins {
		t.Errorf("%d joins of members", s.Joins-joins)
	}
}

func TestStart_ResolvesNamesOnce(t *testing.T) {
	c := quick("n1")
	c.BindAddr, c.Advertise = "bind.test:0", "advertise.test:7946"
	c.lookup = table(map[string]string{"bind.test": "127.0.0.3", "advertise.test": "2001:db8::1 192.0.2.7"})
	g := start(t, c)
	if got := g.LocalAddr(); got != "192.0.2.7:7946" {
		t.Errorf("advertises %s", got)
	}
}

func TestStart_AdvertisesTheHostsAddressWhenBoundToAll(t *testing.T) {
	for _, bind := range []string{":0", "0.0.0.0:0"} {
		c := quick("n1")
		c.BindAddr = bind
		addr := netip.MustParseAddrPort(start(t, c).LocalAddr())
		if addr.Addr().IsUnspecified() || addr.Port() == 0 {
			t.Errorf("bound to %s it advertises %s", bind, addr)
		}
	}
	c := quick("n1")
	c.BindAddr, c.Advertise = ":0", "127.0.0.1"
	if addr := netip.MustParseAddrPort(start(t, c).LocalAddr()); addr.Addr().String() != "127.0.0.1" || addr.Port() == 0 {
		t.Errorf("advertises %s", addr)
	}
}

func quietTransport(t *testing.T) *transport {
	t.Helper()
	tr, err := listen("127.0.0.1", 0, log.New(io.Discard, "", 0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tr.Shutdown() })
	return tr
}

func TestR10_StreamsAreBounded(t *testing.T) {
	tr := quietTransport(t)
	for range maxStreams {
		a, b := net.Pipe()
		defer b.Close()
		if _, err := tr.track(a); err != nil {
			t.Fatal(err)
		}
	}
	a, b := net.Pipe()
	if _, err := tr.track(a); !errors.Is(err, errManyStreams) {
		t.Errorf("got %v", err)
	}
	if _, err := b.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the stream too many is open: %v", err)
	}
}

func TestTransport_ForgetsAStreamWhenItIsClosed(t *testing.T) {
	tr := quietTransport(t)
	a, b := net.Pipe()
	defer b.Close()
	s, _ := tr.track(a)
	_ = s.Close()
	_ = s.Close()
	if n := len(tr.mu.open); n != 0 {
		t.Errorf("%d streams", n)
	}
}

func TestTransport_EndsWhenNobodyTakesWhatArrived(t *testing.T) {
	tr := quietTransport(t)
	for range 3 {
		conn, err := net.Dial("tcp", localhost(tr))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	if _, err := tr.WriteTo([]byte("to myself"), localhost(tr)); err != nil {
		t.Fatal(err)
	}
	within(t, "shutting down", func() { _ = tr.Shutdown(); _ = tr.Shutdown() })
	if _, err := tr.DialTimeout(localhost(tr), time.Second); err == nil {
		t.Error("it dials after its end")
	}
}

func TestTransport_RecognisesAPortThatIsTaken(t *testing.T) {
	if !inUse(busy(t)) {
		t.Error("a taken port is not recognised")
	}
}

// busy returns the error of listening on a taken port.
func busy(t *testing.T) error {
	t.Helper()
	tr := quietTransport(t)
	_, err := memberlist.NewNetTransport(&memberlist.NetTransportConfig{
		BindAddrs: []string{"127.0.0.1"}, BindPort: tr.GetAutoBindPort(), Logger: log.New(io.Discard, "", 0),
	})
	return err
}

// localhost returns where tr listens.
func localhost(tr *transport) string {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(tr.GetAutoBindPort())).String()
}
