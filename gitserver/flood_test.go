package gitserver

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// A client that fills all places without a login keeps no user out.
func TestFloodBeforeTheLogin(t *testing.T) {
	log := &testkit.Buffer{}
	h := newEnv(t, func(c *Config) {
		c.MaxConnections, c.MaxConnectionsPerAddress, c.HandshakeTimeout = 16, 8, time.Hour
		c.Logger = hclog.New(&hclog.LoggerOptions{Output: log})
	})
	for i := range 100 {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(i%10))}}
		conn, err := dialer.DialContext(t.Context(), "tcp", "127.0.0.1:"+h.port)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	if out, status := h.ssh("alice", "images"); status != 0 {
		t.Errorf("a user does not get in: %s", out)
	}
	if n := strings.Count(log.String(), "too many connections"); n != 1 {
		t.Errorf("the log says %d times that there were too many", n)
	}
}

// A client that is too slow with its login loses its place.
func TestLoginGrace(t *testing.T) {
	h := newEnv(t, func(c *Config) { c.HandshakeTimeout = 500 * time.Millisecond })
	conn, err := net.Dial("tcp", "127.0.0.1:"+h.port)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	stop := make(chan struct{})
	defer close(stop)
	go func() { // a byte now and then does not help
		for _, b := range []byte("SSH-2.0-" + lines(1000, "slow")) {
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
			}
			if _, err := conn.Write([]byte{b}); err != nil {
				return
			}
		}
	}()
	testkit.Eventually(t, "the end of the connection", func() bool {
		return h.server.limits.Total() == 0
	})
	testkit.Eventually(t, "a user's login", func() bool { _, status := h.ssh("alice", "images"); return status == 0 })
}
