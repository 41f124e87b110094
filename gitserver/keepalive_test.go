package gitserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"

	"github.com/fandoghpaas/fandogh/catalog"
)

// signOfLife is an empty packet of the sideband, as package protocol sends it.
const signOfLife = "0005\x01"

// sent keeps what was sent, and reports the first sign of life in it.
type sent struct {
	io.Writer
	all   bytes.Buffer
	alive chan struct{}
}

func (s *sent) Write(p []byte) (int, error) {
	before := bytes.Contains(s.all.Bytes(), []byte(signOfLife))
	s.all.Write(p)
	if !before && bytes.Contains(s.all.Bytes(), []byte(signOfLife)) {
		close(s.alive)
	}
	return s.Writer.Write(p)
}

// Packs that are long in the making begin with signs of life, also for who wants no progress, and git takes them.
func TestKeepAliveBeforeThePack(t *testing.T) {
	h := newEnv(t, func(c *Config) { c.KeepAlive = 5 * time.Millisecond })
	c := h.newClone("alice", "app")
	c.commit("a", "1")
	c.git("push", "-q", "origin", "main")
	// How often the right is asked for: the last time before the objects of the pack are looked for.
	for version, times := range map[int]int{0: 2, 1: 2, 2: 3} {
		for _, how := range []string{"--progress", "-q"} {
			t.Run(fmt.Sprintf("version %d %s", version, how), func(t *testing.T) {
				out := &sent{alive: make(chan struct{})}
				asked := 0
				slow := func(context.Context) error {
					if asked++; asked < times {
						return nil
					}
					select {
					case <-out.alive:
						return nil
					case <-time.After(time.Minute):
						return errors.New("no sign of life came")
					}
				}
				address, served := serveOnce(t, func(conn net.Conn) error {
					out.Writer = conn
					return h.server.fetches.Serve(t.Context(), catalog.ImageRef{Namespace: "alice", Name: "app"}, func() (bool, error) { return true, nil }, slow, version, conn, out)
				})
				told, err := c.try("-c", fmt.Sprintf("protocol.version=%d", version), "clone", how, "git://"+address+"/app", fmt.Sprintf("copy%d%s", version, how))
				if err != nil {
					t.Errorf("clone: %v\n%s", err, told)
				}
				if err := <-served; err != nil {
					t.Fatal(err)
				}
				if strings.Contains(told, "remote: Enumerating objects: 3, done.") != (how == "--progress") {
					t.Errorf("git said %s", told)
				}
				if alive, pack := bytes.Index(out.all.Bytes(), []byte(signOfLife)), bytes.Index(out.all.Bytes(), []byte("PACK")); alive < 0 || pack < alive {
					t.Errorf("the sign of life is at %d, the pack at %d", alive, pack)
				}
			})
		}
	}
}

// serveOnce serves one client of git's own protocol, whose first packet says what it wants.
func serveOnce(t *testing.T, serve func(net.Conn) error) (address string, served <-chan error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	result := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			result <- err
			return
		}
		defer conn.Close() //nolint:errcheck // of a test
		if first := pktline.NewScanner(conn); !first.Scan() {
			result <- first.Err()
			return
		}
		result <- serve(conn)
	}()
	return listener.Addr().String(), result
}
