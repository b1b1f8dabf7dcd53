package gossip

import (
	"context"
	"fmt"
	"net"
	"net/netip"
)

// resolve returns the addresses of host:port, where host is an IP address or a name. memberlist would resolve names
// itself, with a query type that many servers refuse and without a deadline.
func (g *Gossip) resolve(ctx context.Context, hostPort string) ([]netip.AddrPort, error) {
	host, port, err := splitHostPort(hostPort, 1)
	if err != nil {
		return nil, err
	}
	ips, err := g.lookupHost(ctx, host)
	if err != nil {
		return nil, err
	}
	addrs := make([]netip.AddrPort, len(ips))
	for i, ip := range ips {
		addrs[i] = netip.AddrPortFrom(ip, port)
	}
	return addrs, nil
}

// lookupHost returns at least one address, or an error.
func (g *Gossip) lookupHost(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip.Unmap()}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, g.cfg.StreamTimeout)
	defer cancel()
	ips, err := g.cfg.lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	if len(ips) == 0 {
		return nil, fmt.Errorf("the name %q has no address", host)
	}
	for i := range ips {
		ips[i] = ips[i].Unmap()
	}
	return ips, nil
}

// bindHost returns the IP address to listen on as text, "" for all. memberlist takes a name for "all addresses".
func (g *Gossip) bindHost(ctx context.Context, host string) (string, error) {
	if host == "" {
		return "", nil
	}
	ips, err := g.lookupHost(ctx, host)
	if err != nil {
		return "", fmt.Errorf("gossip: bind address: %w", err)
	}
	return preferIPv4(ips).String(), nil
}

// advertised returns the address that the others shall use, when this node listens on host (as bindHost returns it)
// and port.
func (g *Gossip) advertised(ctx context.Context, host string, port uint16) (netip.AddrPort, error) {
	if g.cfg.Advertise != "" {
		name, other, err := splitAdvertise(g.cfg.Advertise)
		if err != nil {
			return netip.AddrPort{}, err
		}
		if other != 0 {
			port = other
		}
		ips, err := g.lookupHost(ctx, name)
		if err != nil {
			return netip.AddrPort{}, fmt.Errorf("gossip: advertised address: %w", err)
		}
		return netip.AddrPortFrom(preferIPv4(ips), port), nil
	}
	if ip, err := netip.ParseAddr(host); err == nil && !ip.IsUnspecified() {
		return netip.AddrPortFrom(ip, port), nil
	}
	return netip.AddrPortFrom(OwnAddress(), port), nil
}

// preferIPv4 picks one of several addresses of a name.
func preferIPv4(ips []netip.Addr) netip.Addr {
	for _, ip := range ips {
		if ip.Is4() {
			return ip
		}
	}
	return ips[0]
}

// OwnAddress returns the address under which other hosts most likely reach this one: the one that the default route uses, else the
// first of an interface, else loopback. Connecting a UDP socket asks the kernel for a route and sends nothing, and unlike the list
// of interfaces it needs no netlink socket, which a sandbox may forbid; the target is an address reserved for documentation.
func OwnAddress() netip.Addr {
	for _, target := range []string{"192.0.2.1:9", "[2001:db8::1]:9"} {
		conn, err := net.Dial("udp", target)
		if err != nil {
			continue
		}
		local := conn.LocalAddr().(*net.UDPAddr).AddrPort()
		_ = conn.Close()
		return local.Addr().Unmap().WithZone("")
	}
	addrs, _ := net.InterfaceAddrs() // a network without a way out has no default route
	return firstReachable(addrs)
}

// firstReachable returns the first address that is not only for this host or link, of IPv4 if there is one, else loopback.
func firstReachable(addrs []net.Addr) netip.Addr {
	var found []netip.Addr
	for _, a := range addrs {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().IsGlobalUnicast() {
			found = append(found, prefix.Addr().Unmap())
		}
	}
	if len(found) == 0 {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return preferIPv4(found)
}
