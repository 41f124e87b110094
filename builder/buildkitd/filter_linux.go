package buildkitd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"

	"github.com/fandoghpaas/fandogh/builder/buildkitd/netspace"
)

// filters are the packet filters of the network, as nft reads and lists them.
type filters struct {
	machine, router       string // as written
	machineSeen, routSeen string // as listed after they were written
	relays                []relay
}

// tableName is of the one nft table in either namespace. Other tools' rules are in
// other tables: what they accept is still dropped here.
func (n *network) tableName() string { return n.device }

// refusal tells a step at once that it was refused, and not that nothing listens.
const refusal = "reject with icmpx admin-prohibited"

// machineFilter is the table on this machine. Builds reach none of its addresses, but for
// DNS and what is allowed. What goes to a local address skips connection tracking, and
// with it every redirection of ports to containers. Addresses are checked before they are
// translated: the router refused already what it knows of, so here it is dropped.
func (n *network) machineFilter(dns []netip.Addr) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	lines := func(rules []string) { b.WriteString(strings.Join(append(rules, ""), "\n")) }
	line("table inet %s {", n.tableName())
	line("chain prerouting {\ntype filter hook prerouting priority raw; policy accept;")
	line("iifname != %q return", n.device)
	lines(n.reach.opened(dns))
	line("fib daddr type local notrack accept")
	lines(n.reach.elsewhere("drop"))
	line("}")
	line("chain input {\ntype filter hook input priority filter - 10; policy accept;")
	line("iifname != %q return", n.device)
	lines(n.reach.opened(dns))
	line("%s\n}", refusal)
	line("chain forward {\ntype filter hook forward priority filter - 10; policy accept;")
	line("iifname %q ip saddr != %s drop", n.device, n.subnet)
	line("iifname %q meta nfproto ipv6 drop", n.device)
	line("oifname %q ct state established,related accept", n.device)
	line("oifname %q drop\n}", n.device)
	line("chain postrouting {\ntype nat hook postrouting priority srcnat; policy accept;")
	line("ip saddr %s oifname != %q masquerade\n}\n}", n.subnet, n.device)
	return b.String()
}

// routerFilter is the table in the router. It keeps steps from one another, and
// steps and buildkitd from the addresses that this machine has now, whatever becomes of the
// machine's own filter. buildkitd alone reaches the relays.
func (n *network) routerFilter(dns, local []netip.Addr, relays []relay) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	lines := func(rules []string) { b.WriteString(strings.Join(append(rules, ""), "\n")) }
	line("table inet %s {", n.tableName())
	outward := func() {
		lines(n.reach.opened(dns))
		if len(local) > 0 {
			line("ip daddr %s %s", set(local), refusal)
		}
		lines(n.reach.elsewhere(refusal))
		line("accept\n}")
	}
	line("chain input {\ntype filter hook input priority filter; policy drop;")
	line("iifname lo accept")
	line("ct state established,related accept")
	line("%s\n}", refusal)
	line("chain output {\ntype filter hook output priority filter; policy drop;")
	line("ct state established,related accept")
	line("icmp type destination-unreachable accept") // of a refusal
	for _, r := range relays {
		line("oifname lo ip daddr %s %s dport %d accept", r.at.Addr(), r.protocol, r.at.Port())
	}
	line("oifname != %q %s", uplink, refusal)
	outward()
	line("chain forward {\ntype filter hook forward priority filter; policy drop;")
	line("iifname %q ct state established,related accept", uplink)
	line("oifname != %q drop", uplink)
	line("ip saddr != %s drop", n.subnet)
	outward()
	line("}")
	return b.String()
}

// desired returns the filters for the addresses and DNS servers of now.
func (n *network) desired() (filters, error) {
	local, err := localAddresses()
	dns, stubs := nameservers()
	relays := append(relaysTo(stubs, "udp", "tcp"), n.services...)
	return filters{machine: n.machineFilter(dns), router: n.routerFilter(dns, local, relays), relays: relays}, err
}

// inRouter runs f in the router's namespace.
func (n *network) inRouter(f func() error) error { return netspace.Do(n.device, f) }

// apply writes the filters, each as a whole or not at all, and opens the link.
func (n *network) apply() error {
	want, err := n.desired()
	if err != nil {
		return err
	}
	if err := n.setRelays(want.relays); err != nil {
		return err
	}
	if err := n.inRouter(func() error { return n.replaceTable(want.router) }); err != nil {
		return err
	}
	if err := n.replaceTable(want.machine); err != nil {
		return err
	}
	if err := acceptForwarding(n.device); err != nil {
		return err
	}
	if want.machineSeen, want.routSeen, err = n.listed(); err != nil {
		return err
	}
	n.applied = want
	return n.bringUp()
}

func (n *network) replaceTable(text string) error {
	_, err := nft(fmt.Sprintf("table inet %[1]s\ndelete table inet %[1]s\n%s", n.tableName(), text))
	return err
}

// listed returns both tables as they are, without counters.
func (n *network) listed() (machine, router string, err error) {
	list := "list table inet " + n.tableName()
	if machine, err = nft(list); err != nil {
		return "", "", err
	}
	err = n.inRouter(func() error {
		router, err = nft(list)
		return err
	})
	return machine, router, err
}

// hold reports whether the filters are what they should be.
func (n *network) hold() bool {
	want, err := n.desired()
	if err != nil || want.machine != n.applied.machine || want.router != n.applied.router {
		return false
	}
	machine, router, err := n.listed()
	return err == nil && machine == n.applied.machineSeen && router == n.applied.routSeen && acceptsForwarding(n.device)
}

// removeFilters removes what apply made on this machine; the router's goes with it.
func (n *network) removeFilters() error {
	var failures []error
	if _, err := nft("list table inet " + n.tableName()); err == nil {
		_, err = nft("delete table inet " + n.tableName())
		failures = append(failures, err)
	}
	for _, rule := range forwarding(n.device) {
		for iptables("-D", rule) == nil {
			// once more, until there is no such rule left
		}
	}
	return errors.Join(failures...)
}

// forwarding are the rules that let steps through where iptables drops what it
// has no rule for, as with Docker and ufw. They open nothing: our tables decide.
func forwarding(device string) []string {
	return []string{
		"FORWARD -i " + device + " -j ACCEPT",
		"FORWARD -o " + device + " -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
		"INPUT -i " + device + " -p udp --dport 53 -j ACCEPT",
		"INPUT -i " + device + " -p tcp --dport 53 -j ACCEPT",
	}
}

func acceptsForwarding(device string) bool {
	for _, rule := range forwarding(device) {
		if iptables("-C", rule) != nil {
			return false
		}
	}
	return true
}

func acceptForwarding(device string) error {
	for _, rule := range forwarding(device) {
		if iptables("-C", rule) == nil {
			continue
		}
		if err := iptables("-I", rule); err != nil {
			return err
		}
	}
	return nil
}

// nft and iptables are never broken off: half of a change would stay.
func nft(commands string) (string, error) {
	cmd := exec.CommandContext(context.Background(), "nft", "--stateless", "--file", "-")
	cmd.Stdin = strings.NewReader(commands)
	return output(cmd)
}

func iptables(action, rule string) error {
	args := append([]string{"--wait", action}, strings.Fields(rule)...)
	_, err := output(exec.CommandContext(context.Background(), "iptables", args...))
	return err
}

// output returns what a program printed; an error has what it complained of.
func output(cmd *exec.Cmd) (string, error) {
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, bytes.TrimSpace(complaint.Bytes()))
	}
	return out.String(), nil
}
