package limit

import (
	"net/netip"
	"strings"
)

// ClientOfForwarded is Client for the header Forwarded (RFC 7239): lines of elements such as for=192.0.2.60;proto=http or
// for="[2001:db8::1]:4711", separated by commas. An element without an address in for, such as for=unknown or for=_hidden, ends the search,
// and so does a line that cannot be read: nobody knows then who wrote what stands left of it.
func (p Proxies) ClientOfForwarded(peer netip.Addr, lines [][]byte) netip.Addr {
	peer = plain(peer)
	for line := len(lines) - 1; line >= 0; line-- {
		elements, ok := split(string(lines[line]), ',')
		if !ok {
			return peer
		}
		for i := len(elements) - 1; i >= 0; i-- {
			if !p.trust(peer) {
				return peer
			}
			next, ok := forAddress(elements[i])
			if !ok {
				return peer
			}
			peer = next
		}
	}
	return peer
}

// forAddress returns the address of an element's parameter for, which must stand there once.
func forAddress(element string) (a netip.Addr, found bool) {
	pairs, _ := split(element, ';') // its quotes are closed, or the line would not have been read
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "for") {
			continue
		}
		if found {
			return netip.Addr{}, false
		}
		if a, found = address(unquote(strings.TrimSpace(value))); !found {
			return netip.Addr{}, false
		}
	}
	return a, found
}

// split cuts text at each separator that does not stand within quotes. False: a quote is not closed.
func split(text string, separator byte) (parts []string, closed bool) {
	quoted, from := false, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++ // whatever is escaped
		case c == separator && !quoted:
			parts, from = append(parts, text[from:i]), i+1
		}
	}
	return append(parts, text[from:]), !quoted
}

// unquote returns what a token or a quoted string says. No address needs an escape: one that has any is none.
func unquote(value string) string {
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		return value[1 : len(value)-1]
	}
	return value
}
