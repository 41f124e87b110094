package protocol

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
)

// advertisement writes the first thing a git server says, ref by ref.
type advertisement struct {
	w            *bufio.Writer
	capabilities string // for the first line; "" once that is written
	line         []byte
}

func newAdvertisement(w io.Writer, capabilities string) *advertisement {
	return &advertisement{w: bufio.NewWriterSize(w, 60<<10), capabilities: capabilities}
}

// ref writes a line; suffix is "^{}" for what an annotated tag means.
func (a *advertisement) ref(h plumbing.Hash, name, suffix string) error {
	a.line = append(a.line[:0], "0000"...)
	a.line = hex.AppendEncode(a.line, h[:])
	a.line = append(append(append(a.line, ' '), name...), suffix...)
	if a.capabilities != "" {
		a.line = append(append(a.line, 0), a.capabilities...)
		a.capabilities = ""
	}
	a.line = append(a.line, '\n')
	copy(a.line, fmt.Appendf(nil, "%04x", len(a.line)))
	_, err := a.w.Write(a.line)
	return err
}

// end writes what follows the refs. It is called after a failure too, so that
// the client sees whole lines before the reason.
func (a *advertisement) end(shallow []plumbing.Hash, err error) error {
	if err != nil {
		_ = a.w.Flush()
		return err
	}
	if a.capabilities != "" {
		if err := a.ref(plumbing.ZeroHash, "capabilities", "^{}"); err != nil {
			return err
		}
	}
	packets := pktline.NewEncoder(a.w)
	for _, h := range shallow {
		if err := packets.Encodef("shallow %s\n", h); err != nil {
			return err
		}
	}
	if err := packets.Flush(); err != nil {
		return err
	}
	return a.w.Flush()
}
