//go:build linux

package buildkitd

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fandoghpaas/fandogh/builder/buildkittest"
)

func TestStepReachesNoPortOfThisMachine(t *testing.T) {
	var reached atomic.Int32
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			reached.Add(1)
		}
	}
	listener, err := net.Listen("tcp", ":0") // every address, IPv4 and IPv6
	if err != nil {
		t.Fatal(err)
	}
	_ = server.Listener.Close()
	server.Listener = listener
	server.Start()
	defer server.Close()
	port := listener.Addr().(*net.TCPAddr).Port

	// The listener does listen there.
	gateway := env.manager.network.machine().String()
	if res, err := http.Get(fmt.Sprintf("http://%s:%d/", gateway, port)); err != nil || reached.Load() != 1 {
		t.Fatalf("the listener can't be reached from this machine itself: %v", err)
	} else {
		_ = res.Body.Close()
	}
	reached.Store(0)

	targets := []string{"127.0.0.1", "0.0.0.0", gateway, env.manager.network.router().String()}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		ip := a.(*net.IPNet).IP
		if ip.To4() != nil || !ip.IsLinkLocalUnicast() {
			targets = append(targets, ip.String())
		}
	}
	steps := "RUN ip route | grep default && echo routed\n"
	for _, target := range targets {
		steps += strings.Replace(fmt.Sprintf(buildkittest.FetchStep, target, port), "\n", "; true\n", 1)
	}
	r := env.Request("ann", "reach", "1.0", buildkittest.NewTree(map[string]string{"Dockerfile": buildkittest.BusyboxImage + steps}).WithBusybox())
	r.Options.NoCache = true
	_, log := env.Solve(t, r)
	if n := reached.Load(); n > 0 || strings.Contains(log, "404 Not Found") {
		t.Errorf("a step made %d connections to this machine:\n%s", n, log)
	}
	if !strings.Contains(log, "| routed") {
		t.Errorf("the step had no network at all:\n%s", log)
	}
}

// Of private networks a step reaches what the operator allows.
func TestStepReachesTheOutside(t *testing.T) {
	buildkittest.Outside(t)
	for host, allowed := range map[string]bool{buildkittest.OutsideAllowed: true, buildkittest.OutsidePrivate: false} {
		log := runStep(t, "ann", strings.TrimPrefix(strings.TrimSpace(fmt.Sprintf(buildkittest.FetchStep, host, 8080)), "RUN ")+"; echo tried")
		if strings.Contains(log, "| from outside") != allowed || !strings.Contains(log, "| tried") {
			t.Errorf("%s, allowed is %t:\n%s", host, allowed, log)
		}
		if !allowed && !strings.Contains(log, "Host is unreachable") && !strings.Contains(log, "No route to host") {
			t.Errorf("the step is not told that it was refused:\n%s", log)
		}
	}
}
