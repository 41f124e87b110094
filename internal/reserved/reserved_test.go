package reserved_test

import (
	"net/netip"
	"testing"

	"github.com/fandoghpaas/fandogh/internal/reserved"
)

func TestContain(t *testing.T) {
	for address, want := range map[string]bool{
		"140.82.121.3": false, "8.8.8.8": false, "2606:50c0:8000::64": false, "::ffff:8.8.8.8": false,
		"127.0.0.1": true, "127.8.8.8": true, "0.0.0.0": true, "10.1.2.3": true, "172.16.0.1": true, "192.168.1.1": true,
		"169.254.169.254": true, "100.64.0.1": true, "192.0.0.8": true, "198.18.0.1": true, "224.0.0.1": true, "240.0.0.1": true, "255.255.255.255": true,
		"::": true, "::1": true, "::ffff:127.0.0.1": true, "::127.0.0.1": true, "fe80::1": true, "fe80::1%eth0": true, "fc00::1": true, "192.88.99.1": true, "::ffff:0:127.0.0.1": true, "5f00::1": true, "fd12::1": true,
		"64:ff9b::7f00:1": true, "64:ff9b::a9fe:a9fe": true, "2002:7f00:1::": true, "2001:db8::1": true, "ff02::1": true,
	} {
		if got := reserved.Contain(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: got %v, want %v", address, got, want)
		}
	}
}

// A packet filter's set takes no overlapping networks.
func TestNetworksAreDisjoint(t *testing.T) {
	networks := reserved.IPv4()
	for i, a := range networks {
		for _, b := range networks[:i] {
			if a.Overlaps(b) || a.Masked() != a {
				t.Errorf("%s and %s", a, b)
			}
		}
	}
}
