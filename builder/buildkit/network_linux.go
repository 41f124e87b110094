package buildkit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/vishvananda/netlink"
)

// network is the bridge that RUN steps are connected to. They reach the outside
// world through NAT and nothing of this machine: neither the gateway address nor
// any other that the machine has, but for a DNS server that runs on it.
//
// The packet filter rules are made here once, rather than by network plugins
// for every step, so that one call removes them all.
type network struct {
	id     string
	bridge string
	subnet netip.Prefix
}

func bridgeName(id string) string { return "fdg" + id }

func newNetwork(id, subnet string) (*network, error) {
	n := &network{id: id, bridge: bridgeName(id)}
	taken, err := takenNetworks(n.bridge)
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
		return nil, fmt.Errorf("builder subnet %s overlaps %s, which this machine uses already; choose another", n.subnet, by)
	}
	return n, nil
}

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
	return netip.Prefix{}, errors.New("no free network in 10.64.0.0/10 for RUN steps; set the builder's subnet")
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
// routes to, and its DNS servers, but for those of the bridge itself. The
// default route is none of them.
func takenNetworks(bridge string) ([]netip.Prefix, error) {
	var taken []netip.Prefix
	own := -1
	if link, err := netlink.LinkByName(bridge); err == nil {
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
	for _, server := range nameservers() {
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

// nameservers returns the IPv4 DNS servers that a RUN step is given.
func nameservers() []netip.Addr {
	var servers []netip.Addr
	for _, file := range []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"} {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			if len(fields) < 2 || fields[0] != "nameserver" {
				continue
			}
			if server, err := netip.ParseAddr(fields[1]); err == nil && server.Is4() && !server.IsLoopback() {
				servers = append(servers, server)
			}
		}
	}
	return servers
}

func (n *network) gateway() netip.Addr { return n.subnet.Addr().Next() }

// up makes the bridge and the rules, from whatever state there is.
func (n *network) up(log hclog.Logger) error {
	if err := n.down(); err != nil {
		return err
	}
	link := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: n.bridge}}
	if err := netlink.LinkAdd(link); err != nil {
		return fmt.Errorf("add bridge %s: %w", n.bridge, err)
	}
	// Without IPv6 on the bridge its link-local address can't lead around the rules.
	if err := os.WriteFile(filepath.Join("/proc/sys/net/ipv6/conf", n.bridge, "disable_ipv6"), []byte("1"), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("disable IPv6 on %s: %w", n.bridge, err)
	}
	// Bridged packets skip the rules that keep steps apart unless this is set.
	if err := os.WriteFile(filepath.Join("/sys/class/net", n.bridge, "bridge", "nf_call_iptables"), []byte("1"), 0); err != nil {
		log.Warn("RUN steps of different builds can reach each other over the network: load the kernel module br_netfilter to keep them apart", "error", err)
	}
	address, err := netlink.ParseAddr(netip.PrefixFrom(n.gateway(), n.subnet.Bits()).String())
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(link, address); err != nil {
		return fmt.Errorf("give %s the address %s: %w", n.bridge, address, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("bring up %s: %w", n.bridge, err)
	}
	return n.restore(n.rules())
}

// chains are the rules' places: table, built-in chain and the match of the jump
// from there to a chain of our own.
func (n *network) chains() []struct{ table, hook, own, match string } {
	return []struct{ table, hook, own, match string }{
		{"filter", "INPUT", "FANDOGH-IN-" + n.id, "-i " + n.bridge},
		{"filter", "FORWARD", "FANDOGH-FWD-" + n.id, ""},
		{"nat", "POSTROUTING", "FANDOGH-NAT-" + n.id, ""},
	}
}

// rules returns the input of iptables-restore.
func (n *network) rules() string {
	in, fwd, nat := n.chains()[0].own, n.chains()[1].own, n.chains()[2].own
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("*filter\n:%s - [0:0]\n:%s - [0:0]", in, fwd)
	for _, server := range nameservers() {
		for _, protocol := range []string{"udp", "tcp"} {
			line("-A %s -d %s -p %s --dport 53 -j ACCEPT", in, server, protocol)
		}
	}
	line("-A %s -p tcp -j REJECT --reject-with tcp-reset\n-A %s -j REJECT", in, in)
	// From the bridge: not to other steps, not with a borrowed address, not
	// to the metadata services of clouds.
	line("-A %s -i %s -o %s -j DROP", fwd, n.bridge, n.bridge)
	line("-A %s -i %s ! -s %s -j DROP", fwd, n.bridge, n.subnet)
	line("-A %s -i %s -d 169.254.0.0/16 -j REJECT", fwd, n.bridge)
	line("-A %s -i %s -j ACCEPT", fwd, n.bridge)
	line("-A %s -o %s -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", fwd, n.bridge)
	line("-A %s -o %s -j DROP", fwd, n.bridge)
	line("-I INPUT 1 -i %s -j %s\n-I FORWARD 1 -j %s\nCOMMIT", n.bridge, in, fwd)
	line("*nat\n:%s - [0:0]", nat)
	line("-A %s -s %s ! -o %s -j MASQUERADE", nat, n.subnet, n.bridge)
	line("-I POSTROUTING 1 -j %s\nCOMMIT", nat)
	return b.String()
}

func (n *network) restore(rules string) error {
	cmd := exec.CommandContext(context.Background(), "iptables-restore", "--wait", "--noflush")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("iptables-restore: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// down removes bridge and rules. What is not there is no error.
func (n *network) down() error {
	var failures []error
	for _, c := range n.chains() {
		if iptables(c.table, "-n", "-L", c.own) != nil {
			continue
		}
		jump := append(strings.Fields(c.match), "-j", c.own)
		for iptables(c.table, append([]string{"-D", c.hook}, jump...)...) == nil {
			// once more, until there is no such rule left
		}
		failures = append(failures, iptables(c.table, "-F", c.own), iptables(c.table, "-X", c.own))
	}
	link, err := netlink.LinkByName(n.bridge)
	if err == nil {
		err = netlink.LinkDel(link)
	} else if errors.As(err, new(netlink.LinkNotFoundError)) {
		err = nil
	}
	return errors.Join(append(failures, err)...)
}

// iptables is never broken off: half of a change would stay.
func iptables(table string, args ...string) error {
	out, err := exec.CommandContext(context.Background(), "iptables", append([]string{"--wait", "-t", table}, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("iptables -t %s %s: %w: %s", table, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// conflist is the network plugins' configuration. Port isolation keeps steps
// apart in the bridge itself where the plugin knows the setting.
func (n *network) conflist() map[string]any {
	return map[string]any{
		"cniVersion": "1.0.0",
		"name":       "fandogh-" + n.id,
		"plugins": []map[string]any{{
			"type": "bridge", "bridge": n.bridge, "isGateway": true, "portIsolation": true,
			"ipam": map[string]any{
				"type":   "host-local",
				"ranges": [][]map[string]string{{{"subnet": n.subnet.String(), "gateway": n.gateway().String()}}},
				"routes": []map[string]string{{"dst": "0.0.0.0/0"}},
			},
		}},
	}
}
