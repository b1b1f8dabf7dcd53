package limit

import (
	"net/netip"
	"strings"
	"testing"
)

// FuzzClient: whatever stands in X-Forwarded-For, the client is the peer or one of the header's addresses, a peer that is not
// trusted is the client itself, and what stands left of an address that is not trusted changes nothing.
func FuzzClient(f *testing.F) {
	for _, text := range []string{"", "1.1.1.1", "6.6.6.6, 10.2.2.2", "a|b", "[2001:db8::1]:1|fd00::1%x", ",,|,", "::ffff:10.1.1.1, 10.1.1.1:99"} {
		f.Add("10.1.1.1", text)
		f.Add("203.0.113.9", text)
	}
	proxies, err := ParseProxies([]string{"10.0.0.0/8", "fd00::/8"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, from, forwarded string) {
		peer, err := netip.ParseAddr(from)
		if err != nil {
			t.Skip("no connection comes from there")
		}
		lines := func(text string) (all [][]byte) {
			for line := range strings.SplitSeq(text, "|") {
				all = append(all, []byte(line))
			}
			return all
		}
		got, self := proxies.Client(peer, lines(forwarded)), peer.Unmap().WithZone("")
		if !proxies.trust(self) && got != self {
			t.Fatalf("%s is not trusted, but its %q leads to %s", peer, forwarded, got)
		}
		named := got == self
		for entry := range strings.FieldsFuncSeq(forwarded, func(r rune) bool { return r == ',' || r == '|' }) {
			a, ok := address(strings.TrimSpace(entry))
			named = named || ok && a == got
		}
		if !named || !got.IsValid() {
			t.Fatalf("%s for %q from %s: nobody named it", got, forwarded, peer)
		}
		if again := proxies.Client(peer, lines("9.9.9.9|"+forwarded)); again != got && proxies.trust(got) == false {
			t.Fatalf("what stands left of %s moved it to %s", got, again)
		}
		if name := string(AppendAddress(nil, got)); !strings.HasPrefix(name, "ip:") || len(name) > 60 {
			t.Fatalf("the client's name is %q", name)
		}
	})
}
