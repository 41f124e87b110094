package protocol

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/packets"
	"github.com/fandoghpaas/fandogh/gitserver/refs"
)

const (
	maxCommands    = 100_000
	maxPushOptions = 1000
)

// command is one ref update that the client asks for, and what became of it.
type command struct {
	change refs.Change
	err    error // why it is refused
}

func (c *command) isDelete() bool { return c.change.New.IsZero() }

// isNothing reports whether a command deletes what the client knows not to be there.
func (c *command) isNothing() bool { return c.change.New.IsZero() && c.change.Old.IsZero() }

// pushRequest is what a client says before its pack.
type pushRequest struct {
	commands     []*command
	capabilities map[string]string
	options      []string
	shallow      []plumbing.Hash
	cert         *pushCert // nil: not signed
}

// readPushRequest reads commands and push options. A client that has nothing
// to push yields nil. With an error comes what was read. Errors: Invalid, TooLarge.
func readPushRequest(in *packets.Reader) (*pushRequest, error) {
	req := &pushRequest{}
	for first := true; ; first = false {
		line, kind, err := in.Next()
		if first && errors.Is(err, io.EOF) {
			return nil, nil // hung up after the refs, as ls-remote does
		}
		if err != nil {
			return req, err
		}
		if kind != packets.Line {
			break
		}
		if err := req.addLine(in, line); err != nil {
			if in.Skip() == nil && req.can("push-options") {
				_ = in.Skip()
			}
			return req, err
		}
	}
	if len(req.commands) == 0 {
		return nil, nil
	}
	if !req.can("push-options") {
		return req, nil
	}
	for {
		line, kind, err := in.Next()
		if err != nil || kind != packets.Line {
			return req, err
		}
		if len(req.options) == maxPushOptions {
			_ = in.Skip()
			return req, catalog.Errorf(catalog.Invalid, "a push can have at most %d push options", maxPushOptions)
		}
		req.options = append(req.options, string(line))
	}
}

func (req *pushRequest) addLine(in *packets.Reader, line []byte) error {
	if text, ok := bytes.CutPrefix(line, []byte("shallow ")); ok {
		h, ok := objects.ParseHash(text)
		if !ok || len(req.shallow) == maxCommands {
			return catalog.Errorf(catalog.Invalid, "the client sent an invalid shallow line")
		}
		req.shallow = append(req.shallow, h)
		return nil
	}
	if req.capabilities == nil {
		text, capabilities, _ := bytes.Cut(line, []byte{0})
		req.capabilities = parseCapabilities(string(capabilities))
		line = text
	}
	if string(line) == "push-cert" && req.cert == nil {
		return req.readCert(in)
	}
	return req.addCommand(line)
}

func (req *pushRequest) addCommand(line []byte) error {
	parts := strings.SplitN(string(line), " ", 3)
	bad := catalog.Errorf(catalog.Invalid, "the client sent a command that is not a ref update")
	if len(parts) != 3 || parts[2] == "" {
		return bad
	}
	before, okBefore := objects.ParseHash([]byte(parts[0]))
	after, okAfter := objects.ParseHash([]byte(parts[1]))
	if !okBefore || !okAfter {
		return bad
	}
	if len(req.commands) == maxCommands {
		return catalog.Errorf(catalog.Invalid, "a push can update at most %d refs; push in parts", maxCommands)
	}
	req.commands = append(req.commands, &command{change: refs.Change{Name: parts[2], Old: before, New: after}})
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

// needsPack reports whether a pack follows: not when refs are only deleted.
func (req *pushRequest) needsPack() bool {
	for _, c := range req.commands {
		if !c.isDelete() {
			return true
		}
	}
	return false
}
