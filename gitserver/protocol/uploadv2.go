package protocol

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/packets"
	"github.com/fandoghpaas/fandogh/gitserver/refs"
)

// serveV2 announces what version 2 offers and does one command after the other.
func (s *fetchSession) serveV2() error {
	for _, line := range []string{"version 2", agent, "ls-refs=unborn", "fetch=shallow wait-for-done filter", "object-format=sha1"} {
		if err := s.out.EncodeString(line + "\n"); err != nil {
			return err
		}
	}
	if err := s.out.Flush(); err != nil {
		return err
	}
	for {
		name, arguments, err := s.readCommand()
		if err != nil || name == "" {
			return err
		}
		switch name {
		case "ls-refs":
			err = s.listRefs(arguments)
		case "fetch":
			err = s.fetchV2(arguments)
		default:
			err = catalog.Errorf(catalog.Invalid, "the client requested the command %.100q, which is not supported", name)
		}
		if err != nil {
			return err
		}
	}
}

// arguments has a function take each argument of a command.
type arguments func(take func(line []byte) error) error

// readCommand reads a command's name, "" when the client is done.
func (s *fetchSession) readCommand() (name string, _ arguments, err error) {
	s.in.NewRequest()
	for first := true; ; first = false {
		line, kind, err := s.in.Next()
		switch {
		case errors.Is(err, io.EOF) && first:
			return "", nil, nil
		case err != nil:
			return "", nil, err
		case kind == packets.Flush && name == "":
			return "", nil, nil
		case kind == packets.Flush:
			return name, func(func([]byte) error) error { return nil }, nil
		case kind == packets.Delim:
			return name, s.readArguments, nil
		}
		if command, ok := bytes.CutPrefix(line, []byte("command=")); ok {
			name = string(command)
		} else if format, ok := bytes.CutPrefix(line, []byte("object-format=")); ok && string(format) != "sha1" {
			return "", nil, catalog.Errorf(catalog.Invalid, "the client requested object format %.20q; this server supports only sha1", format)
		}
	}
}

func (s *fetchSession) readArguments(take func([]byte) error) error {
	for {
		line, kind, err := s.in.Next()
		if err != nil || kind != packets.Line {
			return err
		}
		if err := take(line); err != nil {
			return err
		}
	}
}

// maxPrefixes is how many prefixes of refs are looked at; with more all refs are
// listed, as git does.
const maxPrefixes = 1 << 14

// listRefs is version 2's ls-refs.
func (s *fetchSession) listRefs(read arguments) error {
	asked := map[string]bool{}
	var prefixes []string
	err := read(func(line []byte) error {
		if prefix, ok := bytes.CutPrefix(line, []byte("ref-prefix ")); ok {
			if len(prefixes) <= maxPrefixes {
				prefixes = append(prefixes, string(prefix))
			}
			return nil
		}
		if len(asked) < 10 {
			asked[string(line)] = true
		}
		return nil
	})
	if err == nil {
		err = s.allowed(s.ctx)
	}
	if err != nil {
		return err
	}
	snapshot, err := s.repo.Refs.Open()
	if err != nil {
		return err
	}
	defer objects.Discard(snapshot)
	wanted := prefixed(prefixes)
	if wanted("HEAD") {
		if err := s.listHead(snapshot, asked); err != nil {
			return err
		}
	}
	err = s.each(snapshot, wanted, func(o offered) error {
		peeled := ""
		if asked["peel"] && o.peeled != o.object {
			peeled = " peeled:" + o.peeled.String()
		}
		return s.out.EncodeString(o.object.String() + " " + o.name + peeled + "\n")
	})
	if err != nil {
		return err
	}
	return s.out.Flush()
}

func (s *fetchSession) listHead(snapshot refs.Snapshot, asked map[string]bool) error {
	branch, commit, err := s.repo.Head(snapshot)
	if err != nil {
		return err
	}
	what, target := commit.String(), ""
	if commit.IsZero() {
		if what = "unborn"; !asked[what] {
			return nil
		}
	}
	s.shown[commit] = true
	if asked["symrefs"] && branch != "" {
		target = " symref-target:" + branch
	}
	return s.out.EncodeString(what + " HEAD" + target + "\n")
}

// prefixed returns what reports whether a name begins with one of prefixes; with none, or too
// many, each does.
func prefixed(prefixes []string) func(string) bool {
	if len(prefixes) == 0 || len(prefixes) > maxPrefixes {
		return anyRef
	}
	slices.Sort(prefixes)
	// One that begins with another adds nothing. Of the rest only the one before a
	// name can be its prefix.
	last := 0
	for _, p := range prefixes[1:] {
		if !strings.HasPrefix(p, prefixes[last]) {
			last++
			prefixes[last] = p
		}
	}
	prefixes = prefixes[:last+1]
	return func(name string) bool {
		i, found := slices.BinarySearch(prefixes, name)
		return found || i > 0 && strings.HasPrefix(name, prefixes[i-1])
	}
}

// fetchV2 is version 2's fetch.
func (s *fetchSession) fetchV2(read arguments) error {
	q := newFetchRequest()
	err := read(func(line []byte) error {
		switch string(line) {
		case "done":
			q.done = true
		case "thin-pack", "no-progress", "include-tag", "ofs-delta", "deepen-relative", "wait-for-done":
			q.can[string(line)] = ""
		default:
			return q.argument(line)
		}
		return nil
	})
	if err != nil || q.wants.Len() == 0 {
		return err
	}
	q.can["side-band-64k"] = ""
	f, err := s.begin(q)
	if err != nil {
		return err
	}
	if q.haves.Len() > 0 {
		if ready, err := f.acknowledge(); err != nil || !ready {
			return err
		}
	}
	if err := f.shallowInfo(); err != nil {
		return err
	}
	if err := s.out.EncodeString("packfile\n"); err != nil {
		return err
	}
	return f.send()
}

// acknowledge answers what the client has, and reports whether the pack follows.
func (f *fetch) acknowledge() (ready bool, err error) {
	var common []plumbing.Hash
	for _, h := range f.request.haves.All() {
		mine, err := f.have(h)
		if err != nil {
			return false, err
		}
		if mine {
			common = append(common, h)
		}
	}
	if f.request.done {
		return true, nil
	}
	if err := f.session.out.EncodeString("acknowledgments\n"); err != nil {
		return false, err
	}
	if len(common) == 0 {
		err = f.session.out.EncodeString("NAK\n")
	}
	for _, h := range common {
		if err == nil {
			err = f.session.out.Encodef("ACK %s\n", h)
		}
	}
	if err == nil && !f.request.asked("wait-for-done") {
		ready, err = f.enough()
	}
	switch {
	case err != nil:
		return false, err
	case !ready:
		return false, f.session.out.Flush()
	}
	if err := f.session.out.EncodeString("ready\n"); err != nil {
		return false, err
	}
	_, err = f.session.w.WriteString(packets.DelimPacket)
	return true, err
}

// shallowInfo sends where the client's history will end.
func (f *fetch) shallowInfo() error {
	if !f.deepening() && f.request.shallow.Len() == 0 && len(f.history.grafts) == 0 {
		return nil
	}
	if err := f.session.out.EncodeString("shallow-info\n"); err != nil {
		return err
	}
	if !f.deepening() && len(f.history.grafts) > 0 {
		f.request.depth = allHistory // send the ends of this repository's own history
	}
	if _, err := f.shallowUpdate(); err != nil {
		return err
	}
	_, err := f.session.w.WriteString(packets.DelimPacket)
	return err
}
