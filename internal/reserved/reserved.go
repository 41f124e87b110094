// Package reserved knows the addresses that are not on the public Internet.
package reserved

import (
	"net/netip"
	"slices"
)

// IPv4 returns the networks of IPv4, none within another.
func IPv4() []netip.Prefix { return slices.Clone(ipv4) }

// What IANA's registries of special-purpose addresses have for hosts, private networks,
// documentation and multicast, and those through which IPv6 names an IPv4 address.
var ipv4 = parse("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
	"224.0.0.0/3")

var ipv6 = parse("::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16",
	"5f00::/16", "fc00::/7", "fe80::/9", "ff00::/8")

func parse(texts ...string) []netip.Prefix {
	prefixes := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		prefixes[i] = netip.MustParsePrefix(text)
	}
	return prefixes
}

// Contain reports whether an address is in one of the networks.
func Contain(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	networks := ipv6
	if a.Is4() {
		networks = ipv4
	}
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(a) })
}
