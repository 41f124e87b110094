package buildkitd

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/fandoghpaas/fandogh/builder/buildkitd/netspace"
)

// network connects buildkitd and RUN steps to the public Internet, through NAT, and to what
// the operator allows: to no private network, nothing of this machine nor to each other.
//
// buildkitd lives in a network namespace of ours, the router. Each step's interface leads there by a
// link of its own: there is no layer 2 to share, and a packet with
// another source address than the step's own is dropped. One link leads on from the
// router to this machine. Both ends are filtered: the router's filter is
// ours alone, and the machine's can tell what is local.
type network struct {
	id     string
	device string // of the link to the router on this machine, and the router's name
	subnet netip.Prefix
	mtu    int
	reach  reach

	services []relay             // to services of this machine's loopback
	relays   map[relay]io.Closer // that are open

	applied filters // last
}

const (
	uplink = "uplink" // the router's end of the link to this machine
	// firstStep is where the addresses of steps begin in the subnet, behind
	// the two ends of the link.
	firstStep = 4
)

func deviceName(id string) string { return "fdg" + id }

// newNetwork makes none yet. The empty subnet is any that is free.
func newNetwork(id, subnet string, allow reach) (*network, error) {
	n := &network{id: id, device: deviceName(id), mtu: defaultMTU(), reach: allow, services: relaysTo(allow.loopback, "tcp")}
	taken, err := takenNetworks(n.device)
	if err != nil {
		return nil, err
	}
	if subnet == "" {
		n.subnet, err = freeSubnet(id, taken)
		return n, err
	}
	if n.subnet, err = netip.ParsePrefix(subnet); err != nil || !n.subnet.Addr().Is4() || n.subnet.Bits() > 28 {
		return nil, fmt.Errorf("builder subnet %q must be an IPv4 network of at most 28 bits, as in 10.88.7.0/24", subnet)
	}
	n.subnet = n.subnet.Masked()
	if by := overlapping(n.subnet, taken); by.IsValid() {
		return nil, fmt.Errorf("builder subnet %s overlaps %s, which this machine already uses; choose another", n.subnet, by)
	}
	return n, nil
}

func (n *network) machine() netip.Addr { return n.subnet.Addr().Next() }
func (n *network) router() netip.Addr  { return n.machine().Next() }

// refuses reports whether builds are kept from a service.
func (n *network) refuses(service netip.AddrPort) bool {
	a := service.Addr().Unmap()
	local, err := localAddresses()
	ofMachine := err != nil || a.IsLoopback() || a.IsUnspecified() || n.subnet.Contains(a) || slices.Contains(local, a)
	return !n.reach.allows(netip.AddrPortFrom(a, service.Port()), ofMachine)
}

// up makes links, routes and filters, from whatever state there is.
func (n *network) up() error {
	if err := n.down(); err != nil {
		return err
	}
	if err := netspace.New(n.device); err != nil {
		return err
	}
	// IPv6 is off at all ends that are not the step's, before there is any. What
	// arrives from a step must have that step's address.
	err := n.inRouter(func() error {
		return setSysctls("net", map[string]string{
			"ipv6/conf/all/disable_ipv6": "1", "ipv6/conf/default/disable_ipv6": "1",
			"ipv4/conf/all/rp_filter": "1", "ipv4/conf/default/rp_filter": "1",
			"ipv4/conf/all/send_redirects": "0", "ipv4/conf/default/send_redirects": "0",
			"ipv4/ip_forward": "1",
		})
	})
	if err != nil {
		return err
	}
	if err := n.connect(); err != nil {
		return err
	}
	if err := n.apply(); err != nil {
		return err
	}
	return setSysctls("net", map[string]string{"ipv4/ip_forward": "1"})
}

// connect makes the link between this machine and the router. It comes up
// filtered or not at all: apply brings it up.
func (n *network) connect() error {
	inside, err := netns.GetFromName(n.device)
	if err != nil {
		return err
	}
	defer inside.Close() //nolint:errcheck // a handle
	link := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: n.device, MTU: n.mtu},
		PeerName:  uplink, PeerMTU: uint32(n.mtu), PeerNamespace: netlink.NsFd(inside), //nolint:gosec // an MTU
	}
	if err := netlink.LinkAdd(link); err != nil {
		return fmt.Errorf("add %s: %w", n.device, err)
	}
	if err := setSysctls("net/ipv6/conf/"+n.device, map[string]string{"disable_ipv6": "1"}); err != nil {
		return err
	}
	if err := join(n.device, n.machine(), n.router()); err != nil {
		return err
	}
	return n.inRouter(func() error {
		loopback, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		if err := netlink.LinkSetUp(loopback); err != nil {
			return fmt.Errorf("bring up the router's loopback: %w", err)
		}
		if err := join(uplink, n.router(), n.machine()); err != nil {
			return err
		}
		link, err := netlink.LinkByName(uplink)
		if err != nil {
			return err
		}
		if err := netlink.LinkSetUp(link); err != nil {
			return fmt.Errorf("bring up %s: %w", uplink, err)
		}
		return netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: n.machine().AsSlice(), Flags: int(netlink.FLAG_ONLINK)})
	})
}

// join gives one end of a link of two its own and the other's address.
func join(device string, own, other netip.Addr) error {
	link, err := netlink.LinkByName(device)
	if err != nil {
		return err
	}
	return netlink.AddrAdd(link, &netlink.Addr{IPNet: single(own), Peer: single(other)})
}

func single(a netip.Addr) *net.IPNet {
	return &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())}
}

// bringUp opens the link from the machine's end.
func (n *network) bringUp() error {
	link, err := netlink.LinkByName(n.device)
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("bring up %s: %w", n.device, err)
	}
	return netlink.RouteReplace(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: &net.IPNet{IP: n.subnet.Addr().AsSlice(), Mask: net.CIDRMask(n.subnet.Bits(), 32)}, Gw: n.router().AsSlice(), Flags: int(netlink.FLAG_ONLINK)})
}

// cut closes the link: steps have no network until bringUp.
func (n *network) cut() error {
	link, err := netlink.LinkByName(n.device)
	if err != nil {
		return err
	}
	return netlink.LinkSetDown(link)
}

// down removes all of it. What is not there is no error.
func (n *network) down() error {
	link, err := netlink.LinkByName(n.device)
	if err == nil {
		err = netlink.LinkDel(link) // first, so that no packet meets a missing filter
	} else if errors.As(err, new(netlink.LinkNotFoundError)) {
		err = nil
	}
	failures := []error{err, n.setRelays(nil)}
	failures = append(failures, netspace.Delete(n.device))
	return errors.Join(append(failures, n.removeFilters())...)
}

func setSysctls(dir string, values map[string]string) error {
	for name, value := range values {
		err := os.WriteFile(filepath.Join("/proc/sys", dir, name), []byte(value), 0)
		if err != nil && !errors.Is(err, os.ErrNotExist) { // a kernel without IPv6
			return fmt.Errorf("set %s to %s: %w", name, value, err)
		}
	}
	return nil
}

// leastPacket is what every way is taken to carry, in bytes, as IPv6 has it.
const leastPacket = 1280

// stepSysctls keep what a step receives, or makes its own namespace receive, from
// changing how the next step there sends. The router's namespace has the settings
// of this kernel.
func (n *network) stepSysctls() (map[string]string, error) {
	values := map[string]string{"net.ipv4.tcp_no_metrics_save": "1"}
	for _, device := range []string{"all", "lo", "eth0"} {
		values["net.ipv4.conf."+device+".accept_redirects"] = "0"
	}
	err := n.inRouter(func() error {
		if _, err := os.Stat("/proc/sys/net/ipv6"); err == nil {
			values["net.ipv6.conf.eth0.disable_ipv6"] = "1" // there is no neighbour to talk to
			values["net.ipv6.conf.lo.accept_ra"] = "0"
		}
		if _, err := os.Stat("/proc/sys/net/ipv4/route/min_pmtu"); err == nil && (n.mtu == 0 || n.mtu >= leastPacket) {
			values["net.ipv4.route.min_pmtu"] = strconv.Itoa(leastPacket)
		}
		return nil
	})
	return values, err
}

// conflist is the configuration of the network plugins.
func (n *network) conflist() (map[string]any, error) {
	first := n.subnet.Addr()
	for range firstStep {
		first = first.Next()
	}
	sysctls, err := n.stepSysctls()
	return map[string]any{
		"cniVersion": "1.0.0",
		"name":       "fandogh-" + n.id,
		"plugins": []map[string]any{{
			"type": "ptp", "mtu": n.mtu,
			"ipam": map[string]any{
				"type":   "host-local",
				"ranges": [][]map[string]string{{{"subnet": n.subnet.String(), "rangeStart": first.String(), "gateway": n.router().String()}}},
				"routes": []map[string]string{{"dst": "0.0.0.0/0"}},
			},
		}, {"type": "tuning", "sysctl": sysctls}},
	}, err
}
