package gitserver

import (
	"io"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
)

// advertisement is the first thing a git server says.
type advertisement struct {
	refs         []gitRef
	peeled       map[string]plumbing.Hash
	shallow      []plumbing.Hash
	capabilities string
}

func (a advertisement) encode(w io.Writer) error {
	packets := pktline.NewEncoder(w)
	suffix := "\x00" + a.capabilities
	if len(a.refs) == 0 {
		if err := packets.Encodef("%s capabilities^{}%s\n", plumbing.ZeroHash, suffix); err != nil {
			return err
		}
	}
	for _, f := range a.refs {
		if err := packets.Encodef("%s %s%s\n", f.Hash, f.Name, suffix); err != nil {
			return err
		}
		suffix = ""
		if target, ok := a.peeled[f.Name]; ok {
			if err := packets.Encodef("%s %s^{}\n", target, f.Name); err != nil {
				return err
			}
		}
	}
	for _, h := range a.shallow {
		if err := packets.Encodef("shallow %s\n", h); err != nil {
			return err
		}
	}
	return packets.Flush()
}
