//go:build linux

package buildkitd

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fandoghpaas/fandogh/builder/buildkitd/netspace"
	"github.com/fandoghpaas/fandogh/builder/buildkittest"
)

func TestRelaysCarryBothWays(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.3:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close() //nolint:errcheck // a listener
	go func() {
		for {
			conn, err := tcp.Accept()
			if err != nil {
				return
			}
			go func() {
				all, _ := io.ReadAll(conn) // to the end that the relay passes on
				_, _ = conn.Write(all)
				_ = conn.Close()
			}()
		}
	}()
	udp, err := net.ListenPacket("udp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close() //nolint:errcheck // a listener
	go func() {
		for b := make([]byte, maxDatagram); ; {
			n, from, err := udp.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = udp.WriteTo(b[:n], from)
		}
	}()

	n, err := newNetwork("0a0b0c0e", "", reach{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.down(); err != nil {
			t.Error(err)
		}
	})
	service := netip.MustParseAddrPort(tcp.Addr().String())
	n.services = relaysTo([]netip.AddrPort{service}, "udp", "tcp")
	if err := n.up(); err != nil {
		t.Fatal(err)
	}
	message := strings.Repeat("there and back ", 2000)
	for _, protocol := range []string{"udp", "tcp"} {
		err := n.inRouter(func() error {
			conn, err := net.Dial(protocol, service.String())
			if err != nil {
				return err
			}
			defer conn.Close() //nolint:errcheck // read to its end
			if err := conn.SetDeadline(time.Now().Add(buildkittest.Timeout)); err != nil {
				return err
			}
			if _, err := conn.Write([]byte(message)); err != nil {
				return err
			}
			back := make([]byte, len(message))
			if tcp, ok := conn.(*net.TCPConn); ok {
				if err := tcp.CloseWrite(); err != nil {
					return err
				}
			}
			if _, err := io.ReadFull(conn, back); err != nil || string(back) != message {
				return fmt.Errorf("%d bytes came back wrong: %w", len(back), err)
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", protocol, err)
		}
	}
	if err := n.setRelays(nil); err != nil {
		t.Fatal(err)
	}
	if err := n.inRouter(func() error { _, err := net.Dial("tcp", service.String()); return err }); err == nil {
		t.Error("a closed relay was connected to")
	}
}

func TestRelayProxies(t *testing.T) {
	variables, relays := relayProxies([]string{
		"HTTP_PROXY=http://user:pass@proxy.test:3128/", "https_proxy=10.1.2.3:8080", "ALL_PROXY=socks5://127.0.0.1",
		"HTTPS_PROXY=https://proxy.test:3129", "NO_PROXY=example.org", "http_proxy=", "PATH=/bin",
	})
	wantVariables := []string{"HTTP_PROXY=http://user:pass@127.8.0.1:3128/", "https_proxy=http://127.8.0.2:8080", "ALL_PROXY=socks5://127.8.0.3:1080"}
	wantRelays := []relay{
		{"tcp", netip.MustParseAddrPort("127.8.0.1:3128"), "proxy.test:3128"},
		{"tcp", netip.MustParseAddrPort("127.8.0.2:8080"), "10.1.2.3:8080"},
		{"tcp", netip.MustParseAddrPort("127.8.0.3:1080"), "127.0.0.1:1080"},
	}
	if !slices.Equal(variables, wantVariables) || !slices.Equal(relays, wantRelays) {
		t.Errorf("got %v, %v", variables, relays)
	}
}

// A proxy that the daemon is given is used by buildkitd, though it is on this machine.
func TestProxyOfTheEnvironment(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s by the proxy\n", r.RequestURI)
	}))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	m := newManager(t, managerConfig(t.TempDir(), env.Registry))
	buildkittest.RunReady(t, m)
	before := env.Solver
	env.Solver = newSolver(t, solverConfig(m, env.Registry))
	defer func() { env.Solver = before }()
	r := env.Request("ann", "proxied", "1.0", buildkittest.NewTree(map[string]string{"Dockerfile": "FROM scratch\nADD http://files.invalid/x /x\n"}))
	env.Solve(t, r)
	if got := env.ImageFile(t, r, "x"); got != "http://files.invalid/x by the proxy\n" {
		t.Errorf("got %q", got)
	}
}

func TestNameserversOfTheLoopback(t *testing.T) {
	text := "search test\nnameserver 127.0.0.53\nnameserver 192.0.2.53 # comment\nnameserver ::1\nnameserver\n"
	file := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	err := netspace.OnThread(func() error { // whose mounts are its own
		if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
			return err
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return err
		}
		if err := unix.Mount(file, "/etc/resolv.conf", "", unix.MS_BIND, ""); err != nil {
			return err
		}
		servers, stubs := nameservers()
		if !slices.Contains(servers, netip.MustParseAddr("192.0.2.53")) || !slices.Equal(stubs, []netip.AddrPort{netip.MustParseAddrPort("127.0.0.53:53")}) {
			return fmt.Errorf("got %v, %v", servers, stubs)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
