package main

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// FuzzForwardedFor holds that a client's address is that of the connection, or one that a trusted proxy named: all
// that stands behind it in the headers are trusted proxies.
func FuzzForwardedFor(f *testing.F) {
	f.Add("1.1.1.1, 203.0.113.9", "10.0.0.2")
	f.Add("10.0.0.3,10.0.0.2", "unknown")
	f.Add("::ffff:10.0.0.1", " 2001:db8::1 ")
	f.Add("203.0.113.9", "")
	trusted := netip.MustParsePrefix("10.0.0.0/8")
	peer := netip.MustParseAddr("10.0.0.1")
	f.Fuzz(func(t *testing.T, one, two string) {
		client := forwardedFor([]string{one, two}, peer, trusted.Contains)
		hops := strings.Split(one+","+two, ",")
		at := len(hops)
		for i, hop := range slices.Backward(hops) {
			a, err := netip.ParseAddr(strings.TrimSpace(hop))
			if err != nil {
				break
			}
			if at = i; !trusted.Contains(a.Unmap()) {
				break
			}
		}
		want := peer
		if at < len(hops) {
			want = netip.MustParseAddr(strings.TrimSpace(hops[at])).Unmap()
		}
		if client != want {
			t.Errorf("%q makes %s, want %s", hops, client, want)
		}
		for _, hop := range hops[min(at+1, len(hops)):] {
			if a, err := netip.ParseAddr(strings.TrimSpace(hop)); err != nil || !trusted.Contains(a.Unmap()) {
				t.Errorf("%q is believed through %q", client, hop)
			}
		}
	})
}
