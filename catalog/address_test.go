package catalog_test

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

func TestNetworkOf(t *testing.T) {
	for address, want := range map[string]string{
		"10.1.2.3:40": "10.1.2.3", "[::ffff:10.1.2.3]:40": "10.1.2.3", "[2001:db8:1:2:3:4:5:6]:40": "2001:db8:1:2::/64", "[fe80::1%eth0]:40": "fe80::/64", "@": "@",
	} {
		if got := catalog.NetworkOf(address); got != want {
			t.Errorf("%s counts as %s, want %s", address, got, want)
		}
	}
}

// FuzzNetworkOf holds that neither the port nor the part of an address that a client chooses for itself
// makes it another network, and that networks that differ are told apart.
func FuzzNetworkOf(f *testing.F) {
	f.Add([]byte{10, 1, 2, 3}, uint16(40), uint64(1), "x")
	f.Add([]byte{0x20, 1, 0xd, 0xb8, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6}, uint16(1), uint64(7), "[::1]:70000")
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 2, 3}, uint16(1), uint64(7), "1.2.3.4")
	f.Fuzz(func(t *testing.T, ip []byte, port uint16, host uint64, other string) {
		if _, err := netip.ParseAddrPort(other); err != nil && catalog.NetworkOf(other) != other {
			t.Errorf("%q counts as %q", other, catalog.NetworkOf(other))
		}
		a, ok := netip.AddrFromSlice(ip)
		if !ok {
			return
		}
		network := catalog.NetworkOf(netip.AddrPortFrom(a, port).String())
		neighbour := a
		if a = a.Unmap(); a.Is6() {
			bytes := a.As16()
			binary.BigEndian.PutUint64(bytes[8:], host)
			if neighbour = netip.AddrFrom16(bytes); neighbour.Is4In6() {
				return
			}
			if prefix, err := netip.ParsePrefix(network); err != nil || prefix.Bits() != 64 || !prefix.Contains(a) {
				t.Errorf("%s counts as %s, %v", a, network, err)
			}
		} else if network != a.String() {
			t.Errorf("%s counts as %s", a, network)
		}
		if got := catalog.NetworkOf(netip.AddrPortFrom(neighbour, port^1).String()); got != network {
			t.Errorf("%s counts as %s, and %s as %s", a, network, neighbour, got)
		}
	})
}
