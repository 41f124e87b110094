package buildkitd

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/fandoghpaas/fandogh/internal/reserved"
)

// reach is what builds reach beside the public Internet.
type reach struct {
	networks []netip.Prefix   // of other machines
	services []netip.AddrPort // by TCP, of this machine too
	loopback []netip.AddrPort // services of this machine's loopback, which steps don't reach
}

// parseReach reads networks, addresses and services.
func parseReach(entries []string) (reach, error) {
	var r reach
	for _, entry := range entries {
		if service, err := netip.ParseAddrPort(entry); err == nil && service.Addr().Is4() && service.Port() > 0 {
			if service.Addr().IsLoopback() {
				r.loopback = append(r.loopback, service)
			} else {
				r.services = append(r.services, service)
			}
			continue
		}
		if address, err := netip.ParseAddr(entry); err == nil {
			entry = netip.PrefixFrom(address, address.BitLen()).String()
		}
		network, err := netip.ParsePrefix(entry)
		if err != nil || !network.Addr().Is4() {
			return r, fmt.Errorf("%q can't be allowed for builds: write an IPv4 network, address or address:port, as in 10.0.0.0/8 or 10.1.2.3:5000", entry)
		}
		r.networks = append(r.networks, network.Masked())
	}
	return r, nil
}

// opened are the rules for packets to what is open even on this machine: DNS and the services.
func (r reach) opened(dns []netip.Addr) []string {
	var rules []string
	if len(dns) > 0 {
		for _, protocol := range []string{"udp", "tcp"} {
			rules = append(rules, fmt.Sprintf("ip daddr %s %s dport 53 accept", set(dns), protocol))
		}
	}
	for _, service := range r.services {
		rules = append(rules, fmt.Sprintf("ip daddr %s tcp dport %d accept", service.Addr(), service.Port()))
	}
	return rules
}

// elsewhere are the rules for packets to other machines; refuse is what becomes of some.
func (r reach) elsewhere(refuse string) []string {
	var rules []string
	for _, network := range r.networks {
		rules = append(rules, fmt.Sprintf("ip daddr %s accept", network))
	}
	return append(rules, fmt.Sprintf("ip daddr %s %s", set(reserved.IPv4()), refuse))
}

// allows reports whether a service may be reached that is, or is not, of this machine.
func (r reach) allows(service netip.AddrPort, ofMachine bool) bool {
	if slices.Contains(r.services, service) || slices.Contains(r.loopback, service) {
		return true
	}
	return !ofMachine && (!reserved.Contain(service.Addr()) ||
		slices.ContainsFunc(r.networks, func(n netip.Prefix) bool { return n.Contains(service.Addr()) }))
}

// set writes what nft takes for one of several.
func set[T fmt.Stringer](values []T) string {
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = v.String()
	}
	return "{ " + strings.Join(names, ", ") + " }"
}
