package gitserver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"

	"github.com/fandoghpaas/fandogh/catalog"
)

const (
	maxCommands    = 10000
	maxPushOptions = 200
)

// command is one ref update that the client asks for, and what became of it.
type command struct {
	refChange
	err error // why it is refused
}

func (c *command) isDelete() bool { return c.New.IsZero() }

// pushRequest is what a client says before its pack.
type pushRequest struct {
	commands     []*command
	capabilities map[string]string
	options      []string
	shallow      []plumbing.Hash
}

// readPushRequest reads commands and push options. A client that has nothing
// to push yields nil. Errors: Invalid.
func readPushRequest(r io.Reader) (*pushRequest, error) {
	req := &pushRequest{}
	packets := pktline.NewScanner(r)
	for {
		line, more, err := nextPacket(packets)
		if err != nil {
			if len(req.commands) == 0 && errors.Is(err, io.EOF) {
				return nil, nil // hung up after the refs, as ls-remote does
			}
			return nil, err
		}
		if !more {
			break
		}
		if err := req.addLine(line); err != nil {
			return nil, err
		}
	}
	if len(req.commands) == 0 {
		return nil, nil
	}
	if !req.can("push-options") {
		return req, nil
	}
	for {
		line, more, err := nextPacket(packets)
		if err != nil || !more {
			return req, err
		}
		if len(req.options) == maxPushOptions {
			return nil, catalog.Errorf(catalog.Invalid, "a push takes at most %d push options", maxPushOptions)
		}
		req.options = append(req.options, string(bytes.TrimSuffix(line, []byte("\n"))))
	}
}

// nextPacket returns one line; more is false for a flush.
func nextPacket(packets *pktline.Scanner) (line []byte, more bool, err error) {
	if !packets.Scan() {
		if err := packets.Err(); err != nil {
			return nil, false, catalog.Wrap(catalog.Invalid, err, "the client does not speak git's protocol")
		}
		return nil, false, fmt.Errorf("the client hung up: %w", io.EOF)
	}
	line = packets.Bytes()
	return line, len(line) > 0, nil
}

func (req *pushRequest) addLine(line []byte) error {
	if text, ok := bytes.CutPrefix(line, []byte("shallow ")); ok {
		h := strings.TrimSuffix(string(text), "\n")
		if !plumbing.IsHash(h) || len(req.shallow) > maxCommands {
			return catalog.Errorf(catalog.Invalid, "the client sent a bad shallow line")
		}
		req.shallow = append(req.shallow, plumbing.NewHash(h))
		return nil
	}
	if req.capabilities == nil {
		text, capabilities, _ := bytes.Cut(line, []byte{0})
		req.capabilities = parseCapabilities(string(capabilities))
		line = text
	}
	parts := strings.SplitN(strings.TrimSuffix(string(line), "\n"), " ", 3)
	if len(parts) != 3 || !plumbing.IsHash(parts[0]) || !plumbing.IsHash(parts[1]) || parts[2] == "" {
		return catalog.Errorf(catalog.Invalid, "the client sent a command that is no ref update")
	}
	if len(req.commands) == maxCommands {
		return catalog.Errorf(catalog.Invalid, "a push updates at most %d refs; push in parts", maxCommands)
	}
	c := &command{refChange: refChange{Name: parts[2], Old: plumbing.NewHash(parts[0]), New: plumbing.NewHash(parts[1])}}
	req.commands = append(req.commands, c)
	return nil
}

func parseCapabilities(text string) map[string]string {
	capabilities := map[string]string{}
	for _, field := range strings.Fields(text) {
		name, value, _ := strings.Cut(field, "=")
		capabilities[name] = value
	}
	return capabilities
}

func (req *pushRequest) can(capability string) bool {
	_, ok := req.capabilities[capability]
	return ok
}

// needsPack tells whether a pack follows: not when refs are only deleted.
func (req *pushRequest) needsPack() bool {
	for _, c := range req.commands {
		if !c.isDelete() {
			return true
		}
	}
	return false
}
