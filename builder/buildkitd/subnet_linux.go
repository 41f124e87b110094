package buildkitd

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
)

// freeSubnet picks a /24 out of 10.64.0.0/10 by the id, and the next one while
// the machine uses it.
func freeSubnet(id string, taken []netip.Prefix) (netip.Prefix, error) {
	seed, err := strconv.ParseUint(id, 16, 32)
	if err != nil {
		return netip.Prefix{}, err
	}
	const candidates = 64 * 256
	for i := range uint64(candidates) {
		k := (seed + i) % candidates
		subnet := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(64 + k/256), byte(k % 256), 0}), 24)
		if !overlapping(subnet, taken).IsValid() {
			return subnet, nil
		}
	}
	return netip.Prefix{}, errors.New("no free network in 10.64.0.0/10 for RUN steps; set builder.network.subnet")
}

func overlapping(subnet netip.Prefix, taken []netip.Prefix) netip.Prefix {
	for _, t := range taken {
		if t.Overlaps(subnet) {
			return t
		}
	}
	return netip.Prefix{}
}

// takenNetworks returns the IPv4 networks that this machine has addresses in or
// routes to, and its DNS servers, but for those of the device itself. The
// default route is none of them.
func takenNetworks(device string) ([]netip.Prefix, error) {
	var taken []netip.Prefix
	own := -1
	if link, err := netlink.LinkByName(device); err == nil {
		own = link.Attrs().Index
	}
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	for _, r := range routes {
		if r.LinkIndex != own && r.Dst != nil {
			taken = appendNetwork(taken, r.Dst)
		}
	}
	addresses, err := netlink.AddrList(nil, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	for _, a := range addresses {
		if a.LinkIndex != own {
			taken = appendNetwork(taken, a.IPNet)
		}
	}
	servers, _ := nameservers()
	for _, server := range servers {
		taken = append(taken, netip.PrefixFrom(server, server.BitLen()))
	}
	return taken, nil
}

func appendNetwork(taken []netip.Prefix, n *net.IPNet) []netip.Prefix {
	prefix, err := netip.ParsePrefix(n.String())
	if err != nil || prefix.Bits() == 0 {
		return taken
	}
	return append(taken, prefix.Masked())
}

// nameservers returns the IPv4 DNS servers that a RUN step is given, and those of this
// machine's loopback, which buildkitd asks.
func nameservers() (servers []netip.Addr, stubs []netip.AddrPort) {
	const ofMachine = "/etc/resolv.conf"
	for _, file := range []string{ofMachine, "/run/systemd/resolve/resolv.conf"} {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			if len(fields) < 2 || fields[0] != "nameserver" {
				continue
			}
			server, err := netip.ParseAddr(fields[1])
			switch {
			case err != nil || !server.Is4():
			case !server.IsLoopback():
				servers = append(servers, server)
			case file == ofMachine:
				stubs = append(stubs, netip.AddrPortFrom(server, dnsPort))
			}
		}
	}
	return servers, stubs
}

const dnsPort = 53

// localAddresses returns the IPv4 addresses of this machine.
func localAddresses() ([]netip.Addr, error) {
	found, err := netlink.AddrList(nil, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	var addresses []netip.Addr
	for _, a := range found {
		if address, ok := netip.AddrFromSlice(a.IP.To4()); ok {
			addresses = append(addresses, address)
		}
	}
	return addresses, nil
}

// defaultMTU is what the default route carries, or 0 without one.
func defaultMTU() int {
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return 0
	}
	for _, r := range routes {
		if r.Gw == nil || r.Dst != nil && appendNetwork(nil, r.Dst) != nil {
			continue
		}
		if r.MTU > 0 {
			return r.MTU
		}
		if link, err := netlink.LinkByIndex(r.LinkIndex); err == nil {
			return link.Attrs().MTU
		}
	}
	return 0
}
