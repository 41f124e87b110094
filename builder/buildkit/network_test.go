//go:build linux

package buildkit

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// fetchStep asks an address and port for a page.
const fetchStep = "RUN printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 3 %s %d\n"

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
	gateway := shared.manager.network.machine().String()
	if res, err := http.Get(fmt.Sprintf("http://%s:%d/", gateway, port)); err != nil || reached.Load() != 1 {
		t.Fatalf("the listener can't be reached from this machine itself: %v", err)
	} else {
		_ = res.Body.Close()
	}
	reached.Store(0)

	targets := []string{"127.0.0.1", "0.0.0.0", gateway, shared.manager.network.router().String()}
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
		steps += strings.Replace(fmt.Sprintf(fetchStep, target, port), "\n", "; true\n", 1)
	}
	r := request("ann", "reach", "1.0", newTree(map[string]string{"Dockerfile": busyboxImage + steps}).withBusybox())
	r.Options.NoCache = true
	_, log := solve(t, r)
	if n := reached.Load(); n > 0 || strings.Contains(log, "404 Not Found") {
		t.Errorf("a step made %d connections to this machine:\n%s", n, log)
	}
	if !strings.Contains(log, "| routed") {
		t.Errorf("the step had no network at all:\n%s", log)
	}
}

func outsideName() string { return fmt.Sprintf("fdgt%x", os.Getpid()) }

// outside makes a host beyond this machine, in a network namespace, that serves
// a page on port 8080, and returns its address.
func outside(t *testing.T) string {
	t.Helper()
	name, dir := outsideName(), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "index.html"), []byte("from outside\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v: %s", args, err, out)
		}
	}
	run("netns", "add", name)
	t.Cleanup(func() {
		_ = exec.Command("ip", "link", "del", name).Run()
		_ = exec.Command("ip", "netns", "del", name).Run()
	})
	run("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
	run("addr", "add", "198.18.77.1/30", "dev", name)
	run("link", "set", name, "up")
	run("-n", name, "addr", "add", "198.18.77.2/30", "dev", "eth0")
	run("-n", name, "link", "set", "eth0", "up")
	server := exec.Command("ip", "netns", "exec", name, "/bin/busybox", "httpd", "-f", "-p", "8080", "-h", dir)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	eventually(t, "the host outside answers", func() bool {
		conn, err := net.Dial("tcp", "198.18.77.2:8080")
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return "198.18.77.2"
}

func TestStepReachesTheOutside(t *testing.T) {
	host := outside(t)
	tree := newTree(map[string]string{"Dockerfile": busyboxImage + fmt.Sprintf(fetchStep, host, 8080)}).withBusybox()
	r := request("ann", "outbound", "1.0", tree)
	r.Options.NoCache = true
	_, log := solve(t, r)
	if !strings.Contains(log, "| from outside") {
		t.Errorf("no page from outside:\n%s", log)
	}
}
