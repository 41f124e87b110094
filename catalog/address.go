package catalog

import "net/netip"

// NetworkOf returns what one client can't change at will of its address, given
// as host:port: an IPv4 address, or the 64 bits of an IPv6 address that its
// provider gave it. What is no address is returned as it is.
func NetworkOf(remote string) string {
	address, err := netip.ParseAddrPort(remote)
	if err != nil {
		return remote
	}
	ip := address.Addr().Unmap().WithZone("")
	if ip.Is6() {
		if prefix, err := ip.Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return ip.String()
}
