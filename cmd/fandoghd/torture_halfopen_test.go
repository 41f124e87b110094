//go:build torture

package main

import (
	"context"
	"encoding/base64"
	"io"
	"math/rand/v2"
	"net"
	"os/exec"
	"strings"
	"sync"
)

// halfOpen keeps connections on which no client goes on.
type halfOpen struct {
	torture *torture
	mu      sync.Mutex
	open    []io.Closer
}

func (t *torture) newHalfOpen() *halfOpen { return &halfOpen{torture: t} }

const maxHalfOpen = 24

func (h *halfOpen) act(over context.Context, dice *rand.Rand) {
	context.AfterFunc(over, func() { h.closeTo(0) })
	basic := base64.StdEncoding.EncodeToString([]byte("tor:" + h.torture.env["TOKEN"]))
	switch dice.IntN(7) {
	case 0:
		h.dial(over, "SSH", "")
	case 1:
		h.dial(over, "SSH", "SSH-2.0-half\r\n\x00\x00\x01")
	case 2:
		h.session(over, "git-receive-pack '/tor/app0'", "00000000")
	case 3:
		h.session(over, "git-upload-pack '/tor/app1'", "0032want ")
	case 4:
		h.dial(over, "HTTP", "GET /api/images HTTP/1.1\r\nHost: ")
	case 5:
		h.dial(over, "HTTP", "POST /api/images HTTP/1.1\r\nHost: h\r\nAuthorization: JWT "+h.torture.env["TOKEN"]+"\r\nContent-Length: 100\r\n\r\n{")
	case 6:
		h.dial(over, "HTTP", "POST /v2/tor/registry0/blobs/uploads/ HTTP/1.1\r\nHost: h\r\nAuthorization: Basic "+basic+"\r\nContent-Length: 100000\r\n\r\nhalf")
	}
	h.closeTo(dice.IntN(maxHalfOpen) + maxHalfOpen/2)
}

func (h *halfOpen) dial(over context.Context, address, text string) {
	conn, err := (&net.Dialer{}).DialContext(over, "tcp", h.torture.env[address])
	if err != nil {
		return // the daemon is down
	}
	h.torture.count("half-open " + address + " connections")
	_, _ = io.WriteString(conn, text)
	h.add(over, conn)
}

// process is a client that is killed in place of being closed.
type process struct {
	*exec.Cmd
	stdin io.Closer
}

func (p process) Close() error {
	_ = p.Process.Kill()
	_ = p.stdin.Close()
	return p.Wait()
}

// session logs in and leaves a git command in the middle.
func (h *halfOpen) session(over context.Context, command, text string) {
	args := strings.Fields(h.torture.env["GIT_SSH_COMMAND"])
	host, port, _ := net.SplitHostPort(h.torture.env["SSH"])
	cmd := exec.Command(args[0], append(args[1:], "-p", port, "git@"+host, command)...) //nolint:noctx // it is closed
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		h.torture.Error(err)
		return
	}
	h.torture.count("half-open git sessions")
	_, _ = io.WriteString(stdin, text)
	h.add(over, process{cmd, stdin})
}

func (h *halfOpen) add(over context.Context, c io.Closer) {
	h.mu.Lock()
	h.open = append(h.open, c)
	h.mu.Unlock()
	if over.Err() != nil {
		h.closeTo(0)
	}
}

// closeTo closes the oldest until only so many are left.
func (h *halfOpen) closeTo(most int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for ; len(h.open) > most; h.open = h.open[1:] {
		_ = h.open[0].Close()
	}
}
