//go:build linux

package buildkitd

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fandoghpaas/fandogh/builder/buildkittest"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// listen counts the connections that arrive at a port of this machine.
func listen(t *testing.T) (port int, reached *atomic.Int32) {
	t.Helper()
	listener, err := net.Listen("tcp", ":0") // every address, IPv4 and IPv6
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	reached = &atomic.Int32{}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			reached.Add(1)
			_ = conn.Close()
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port, reached
}

// What a reload of the operator's firewall does: it flushes iptables' rules, or all of
// nft. Steps try to reach this machine all the while.
func TestFirewallReloadOpensNothing(t *testing.T) {
	n := env.manager.network
	port, reached := listen(t)
	const late = "198.51.100.1" // an address that this machine was given later
	buildkittest.Run(t, "ip", "addr", "add", late+"/32", "dev", "lo")
	t.Cleanup(func() { _ = exec.Command("ip", "addr", "del", late+"/32", "dev", "lo").Run() })
	host := buildkittest.Outside(t)
	try := ""
	for _, address := range []string{n.machine().String(), late, buildkittest.OutsideHere} {
		try += fmt.Sprintf("nc -w 1 %s %d </dev/null & ", address, port)
	}
	ctx, cancel := context.WithCancel(t.Context())
	said := &buildkittest.Recorder{Notify: make(chan string, 10_000)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		script := "while true; do " + try + "wait; echo tried; done"
		_, _ = env.Solver.Solve(ctx, env.Request("ann", "reload", "1.0", stepTree(t, script)), said.Event)
	}()
	defer func() { cancel(); <-done }()
	buildkittest.AwaitLine(t, said, "| tried")
	testkit.Eventually(t, "the router is told of new addresses", func() bool {
		filter, err := nftIn(n)
		return err == nil && strings.Contains(filter, late) && strings.Contains(filter, buildkittest.OutsideHere)
	})
	for range 3 {
		for _, rule := range forwarding(n.device) {
			_ = iptables("-D", rule)
		}
		buildkittest.Run(t, "nft", "delete", "table", "inet", n.device)
		buildkittest.AwaitLine(t, said, "| tried")
		testkit.Eventually(t, "the filter is restored", func() bool {
			_, err := nft("list table inet " + n.device)
			return err == nil && acceptsForwarding(n.device)
		})
		buildkittest.AwaitLine(t, said, "| tried")
	}
	if reached.Load() > 0 {
		t.Errorf("steps made %d connections to this machine", reached.Load())
	}
	if log := runStep(t, "bob", strings.TrimPrefix(strings.TrimSpace(fmt.Sprintf(buildkittest.FetchStep, host, 8080)), "RUN ")); !strings.Contains(log, "| from outside") {
		t.Errorf("no page from outside after the filter was restored:\n%s", log)
	}
}

// The router alone keeps steps from the addresses that it was told.
func TestRouterHoldsWithoutTheMachinesFilter(t *testing.T) {
	n, err := newNetwork("0a0b0c0d", "", reach{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.down(); err != nil {
			t.Error(err)
		}
	})
	if err := n.up(); err != nil {
		t.Fatal(err)
	}
	buildkittest.Run(t, "nft", "delete", "table", "inet", n.device) // and no manager watches, to restore it
	filter, err := nftIn(n)
	if err != nil || !strings.Contains(filter, n.machine().String()) || !strings.Contains(filter, "policy drop") {
		t.Errorf("the router's filter is, with %v:\n%s", err, filter)
	}
	if n.hold() {
		t.Error("the filter is said to hold without the machine's half")
	}
}

func nftIn(n *network) (filter string, err error) {
	err = n.inRouter(func() error {
		filter, err = nft("list table inet " + n.device)
		return err
	})
	return filter, err
}

func TestFilterFollowsNameservers(t *testing.T) {
	n := &network{device: "fdgx", subnet: netip.MustParsePrefix("10.64.0.0/24")}
	servers := []netip.Addr{netip.MustParseAddr("192.0.2.53"), netip.MustParseAddr("192.0.2.54")}
	for _, filter := range []string{n.machineFilter(servers), n.routerFilter(servers, servers, nil)} {
		for _, protocol := range []string{"udp", "tcp"} {
			accept := strings.Index(filter, "ip daddr { 192.0.2.53, 192.0.2.54 } "+protocol+" dport 53 accept")
			if reject := strings.LastIndex(filter, "reject"); accept < 0 || reject < accept {
				t.Errorf("DNS by %s is not let through first:\n%s", protocol, filter)
			}
		}
	}
	if n.machineFilter(nil) == n.machineFilter(servers) {
		t.Error("the filter does not depend on the DNS servers")
	}
}

// Other than that, a step's interface is as in plain BuildKit.
func TestStepsInterface(t *testing.T) {
	log := runStep(t, "ann", "cat /sys/class/net/eth0/mtu; ls /sys/class/net")
	if !strings.Contains(log, fmt.Sprintf("| %d\n", defaultMTU())) || strings.Contains(log, "eth1") {
		t.Errorf("the default route carries %d:\n%s", defaultMTU(), log)
	}
}

// Two containers may have their data directories at one path and one network.
func TestDirectoriesAtOnePathHaveTheirOwnNames(t *testing.T) {
	dir := t.TempDir()
	ids := map[string]bool{}
	for i := range 2 {
		if i > 0 {
			if err := os.Rename(dir, dir+"-old"); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 { // the same after a restart
			id, err := directoryID(dir)
			if err != nil {
				t.Fatal(err)
			}
			ids[id] = true
		}
	}
	if len(ids) != 2 {
		t.Errorf("two directories have the names %v", ids)
	}
}
