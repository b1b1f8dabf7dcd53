package gossip

import (
	"net"
	"net/netip"
	"testing"
)

func TestOwnAddress_IsOneThatCanBeUsed(t *testing.T) {
	if got := OwnAddress(); !got.IsValid() || got.IsUnspecified() || got.Zone() != "" || got.Is4In6() {
		t.Errorf("%v", got)
	}
}

// As on a network without a way out, where no route leads to the address that is tried.
func TestFirstReachable_PassesOverWhatOtherHostsCannotReach(t *testing.T) {
	addr := func(cidr string) net.Addr {
		ip, ipNet, err := net.ParseCIDR(cidr)
		if err != nil {
			t.Fatal(err)
		}
		return &net.IPNet{IP: ip, Mask: ipNet.Mask}
	}
	for _, c := range []struct {
		want  string
		addrs []net.Addr
	}{
		{"127.0.0.1", nil},
		{"127.0.0.1", []net.Addr{addr("127.0.0.1/8"), addr("::1/128"), addr("fe80::1/64"), addr("169.254.1.1/16")}},
		{"10.0.0.7", []net.Addr{addr("127.0.0.1/8"), addr("10.0.0.7/24"), addr("10.0.1.7/24")}},
		{"10.0.0.7", []net.Addr{addr("fd00::7/64"), addr("10.0.0.7/24")}},
		{"fd00::7", []net.Addr{addr("::1/128"), addr("fd00::7/64")}},
	} {
		if got := firstReachable(c.addrs); got != netip.MustParseAddr(c.want) {
			t.Errorf("%v: %v, want %s", c.addrs, got, c.want)
		}
	}
}
