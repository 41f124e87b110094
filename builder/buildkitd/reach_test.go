//go:build linux

package buildkitd

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/builder/buildkittest"
)

func TestReach(t *testing.T) {
	r, err := parseReach([]string{"10.1.2.0/23", "172.16.0.1", "10.9.9.9:5000", "192.168.0.0/16", "127.0.0.1:5000"})
	if err != nil {
		t.Fatal(err)
	}
	for service, want := range map[string]struct{ there, here bool }{
		"8.8.8.8:443":        {true, false},
		"10.1.3.4:1":         {true, false},
		"10.1.4.4:1":         {false, false},
		"172.16.0.1:22":      {true, false},
		"172.16.0.2:22":      {false, false},
		"10.9.9.9:5000":      {true, true},
		"10.9.9.9:5001":      {false, false},
		"127.0.0.1:5000":     {true, true},
		"169.254.169.254:80": {false, false},
		"[::1]:80":           {false, false},
	} {
		for ofMachine, want := range map[bool]bool{false: want.there, true: want.here} {
			if got := r.allows(netip.MustParseAddrPort(service), ofMachine); got != want {
				t.Errorf("%s, of this machine is %t: %t", service, ofMachine, got)
			}
		}
	}
	for _, entry := range []string{"", "host", "fd00::/8", "[::1]:80", "10.0.0.0/33", "10.0.0.1:0", "10.0.0.1:http"} {
		if _, err := parseReach([]string{entry}); err == nil {
			t.Errorf("%q was taken", entry)
		}
	}
}

// A wide network that is allowed opens no address of this machine; a service does.
func TestAllowedNetworkOpensNothingHere(t *testing.T) {
	buildkittest.Outside(t)
	closed, reached := listen(t)
	open, asked := listen(t)
	cfg := managerConfig(t.TempDir(), env.Registry)
	cfg.Allow = []string{"0.0.0.0/0", fmt.Sprintf("%s:%d", buildkittest.OutsideHere, open)}
	m := newManager(t, cfg)
	buildkittest.RunReady(t, m)
	before := env.Solver
	env.Solver = newSolver(t, solverConfig(m, env.Registry))
	defer func() { env.Solver = before }()

	local, err := localAddresses()
	if err != nil {
		t.Fatal(err)
	}
	script := strings.TrimPrefix(strings.TrimSpace(fmt.Sprintf(buildkittest.FetchStep, buildkittest.OutsidePrivate, 8080)), "RUN ")
	for _, address := range local {
		script += fmt.Sprintf("; nc -w 2 %s %d </dev/null", address, closed)
	}
	script += fmt.Sprintf("; nc -w 2 %s %d </dev/null; echo tried", buildkittest.OutsideHere, open)
	log := runStep(t, "ann", script)
	if reached.Load() > 0 || asked.Load() != 1 || !strings.Contains(log, "| from outside") || !strings.Contains(log, "| tried") {
		t.Errorf("a step made %d connections to this machine, and %d to the service allowed:\n%s", reached.Load(), asked.Load(), log)
	}
}
