//go:build linux

package buildkittest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/fandoghpaas/fandogh/builder/buildkitd/netspace"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// FetchStep asks an address and port for a page.
const FetchStep = "RUN printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 3 %s %d\n"

// OutsideName names the network namespace of the host outside.
func OutsideName() string { return fmt.Sprintf("fdgt%x", os.Getpid()) }

// The addresses of the host outside, of which builds may reach one, and of this
// machine in its network. Tests of several packages run at once, so each process
// has networks of its own.
var (
	outsideNetworks = [...]netip.Prefix{outsideNetwork(0), outsideNetwork(1)}

	OutsideAllowed = outsideNetworks[0].Addr().Next().Next().String()
	OutsidePrivate = outsideNetworks[1].Addr().Next().Next().String()
	OutsideHere    = outsideNetworks[1].Addr().Next().String()
)

// outsideNetwork is one of this process's two networks of four addresses, out of
// 198.18.0.0/15, which is for tests.
func outsideNetwork(which int) netip.Prefix {
	offset := (2*os.Getpid() + which) % (1 << 15) * 4
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{198, byte(18 + offset>>16), byte(offset >> 8), byte(offset)}), 30)
}

// Outside makes a host beyond this machine, in a network namespace, that serves
// a page on port 8080, and returns the address that is allowed.
func Outside(t *testing.T) string {
	t.Helper()
	name, dir := OutsideName(), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "index.html"), []byte("from outside\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) {
		if out, err := exec.CommandContext(context.Background(), "ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v: %s", args, err, out)
		}
	}
	run("netns", "add", name)
	t.Cleanup(func() {
		_ = exec.CommandContext(context.Background(), "ip", "link", "del", name).Run()
		_ = exec.CommandContext(context.Background(), "ip", "netns", "del", name).Run()
	})
	run("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
	for _, network := range outsideNetworks {
		here := network.Addr().Next()
		run("addr", "add", here.String()+"/30", "dev", name)
		run("-n", name, "addr", "add", here.Next().String()+"/30", "dev", "eth0")
	}
	run("link", "set", name, "up")
	run("-n", name, "link", "set", "eth0", "up")
	server := exec.CommandContext(context.Background(), "ip", "netns", "exec", name, "/bin/busybox", "httpd", "-f", "-p", "8080", "-h", dir)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	testkit.Eventually(t, "the host outside answers", func() bool {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", OutsidePrivate+":8080")
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return OutsideAllowed
}

// Serve answers at a loopback address that builds may reach.
func (e *Env) Serve(t *testing.T, handler http.Handler) (host string) {
	t.Helper()
	select {
	case listener := <-e.listeners:
		return serveOn(t, listener, handler)
	default:
		t.Fatal("no listener is left")
		return ""
	}
}

// ServeOutside answers at the host outside.
func (e *Env) ServeOutside(t *testing.T, handler http.Handler) (host string) {
	t.Helper()
	return serveOn(t, ListenOutside(t), handler)
}

func serveOn(t *testing.T, listener net.Listener, handler http.Handler) (host string) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	_ = server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	return listener.Addr().String()
}

// ListenOutside listens at the host outside.
func ListenOutside(t *testing.T) (listener net.Listener) {
	t.Helper()
	err := netspace.Do(OutsideName(), func() (err error) {
		listener, err = (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(OutsideAllowed, "0"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// OwnAddress is an address of this machine that is not on loopback.
func OwnAddress(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range addresses {
		if ip, ok := address.(*net.IPNet); ok && ip.IP.IsGlobalUnicast() && ip.IP.To4() != nil {
			return ip.IP.String()
		}
	}
	t.Fatal("this machine has no address but loopback")
	return ""
}

// Unreachable is an address outside at which nothing listens.
func (e *Env) Unreachable(t *testing.T) string {
	t.Helper()
	listener := ListenOutside(t)
	defer listener.Close() //nolint:errcheck // nothing was accepted
	return listener.Addr().String()
}
