package limit

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
)

// Proxies are the addresses that are believed when they tell whom they forward for.
type Proxies []netip.Prefix

// ParseProxies reads networks such as 10.0.0.0/8, or single addresses.
func ParseProxies(texts []string) (p Proxies, err error) {
	for _, text := range texts {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			one, err := netip.ParseAddr(text)
			if err != nil {
				return nil, fmt.Errorf("the trusted proxy %q must be a network such as 10.0.0.0/8, or an address", text)
			}
			network = netip.PrefixFrom(one.Unmap(), one.Unmap().BitLen())
		}
		if network.Addr().Is4In6() {
			return nil, fmt.Errorf("the trusted proxy %q must be written as an IPv4 network", text)
		}
		p = append(p, network.Masked())
	}
	return p, nil
}

func (p Proxies) trust(a netip.Addr) bool {
	for _, network := range p {
		if network.Contains(a) {
			return true
		}
	}
	return false
}

// Client returns the address of a request's client: the peer of the connection or, as long as that is a trusted proxy, the next to the
// left in X-Forwarded-For, whose lines come in order. What stands left of an address that is not trusted, anybody may have
// written. An entry that is no address ends the search.
func (p Proxies) Client(peer netip.Addr, forwarded [][]byte) netip.Addr {
	peer = plain(peer)
	for line := len(forwarded) - 1; line >= 0; line-- {
		rest := forwarded[line]
		for len(rest) > 0 && p.trust(peer) {
			var entry []byte
			if i := bytes.LastIndexByte(rest, ','); i >= 0 {
				rest, entry = rest[:i], rest[i+1:]
			} else {
				rest, entry = nil, rest
			}
			next, ok := address(string(bytes.TrimSpace(entry)))
			if !ok {
				return peer
			}
			peer = next
		}
	}
	return peer
}

// address reads an address, which some proxies write with its port.
func address(text string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return plain(a), true
	}
	a, err := netip.ParseAddrPort(text)
	return plain(a.Addr()), err == nil
}

// plain is an address as networks are compared with it.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// AppendAddress appends the name of a client that is known by its address. Of IPv6 the first 64 bits count: whoever has one of these
// addresses has them all.
func AppendAddress(dst []byte, a netip.Addr) []byte {
	dst = append(dst, "ip:"...)
	if a.Is6() {
		network, _ := a.Prefix(64) // 64 bits are no more than it has
		return network.AppendTo(dst)
	}
	return a.AppendTo(dst)
}
