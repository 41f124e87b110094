package catalog_test

import (
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
