package protocol

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"

	"github.com/fandoghpaas/fandogh/catalog"
)

func severalTags(updates []catalog.RefUpdate) bool {
	tags := 0
	for _, u := range updates {
		if u.SetsTag() {
			tags++
		}
	}
	return tags > 1
}

// refuse notes why refs are refused, by name.
func (p *push) refuse(why map[string]error) {
	for _, c := range p.req.commands {
		if c.err == nil {
			c.err = why[c.change.Name]
		}
	}
}

func (p *push) refuseAll(err error) {
	for _, c := range p.req.commands {
		if c.err == nil {
			c.err = err
		}
	}
}

// keepAtomic refuses the rest of an atomic push when one ref is refused.
func (p *push) keepAtomic() {
	if !p.req.can("atomic") {
		return
	}
	for _, c := range p.req.commands {
		if c.err != nil {
			p.refuseAll(catalog.Errorf(catalog.Conflict, "atomic push: %s was refused", c.change.Name))
			return
		}
	}
}

func (p *push) anyLeft() bool {
	for _, c := range p.req.commands {
		if c.err == nil {
			return true
		}
	}
	return false
}

// report ends the push with git's report-status.
func (p *push) report(unpackErr error) error {
	status := packp.NewReportStatus()
	status.UnpackStatus = "ok"
	if unpackErr != nil {
		status.UnpackStatus = p.reportLine(unpackErr)
	}
	for _, c := range p.req.commands {
		line := "ok"
		if c.err != nil {
			line = status.UnpackStatus
			if !errors.Is(c.err, unpackErr) { // else it is logged already
				line = p.reportLine(c.err)
			}
			// It shares a packet with the name, which the client must get back whole.
			if room := pktline.MaxPayloadSize - len("ng  \n") - len(c.change.Name); len(line) > room {
				line = line[:max(room, 0)]
			}
		}
		status.CommandStatuses = append(status.CommandStatuses,
			&packp.CommandStatus{ReferenceName: plumbing.ReferenceName(c.change.Name), Status: line})
	}
	if p.req.can("report-status") {
		w := bufio.NewWriterSize(p.sideband, 32<<10)
		if err := errors.Join(status.Encode(w), w.Flush()); err != nil {
			return err
		}
	}
	return p.sideband.end()
}

// reportLine is an error as one line for the pusher; faults of ours are logged.
func (p *push) reportLine(err error) string {
	if catalog.CodeOf(err) == catalog.Internal && !errors.Is(err, context.Canceled) && !errors.Is(err, io.ErrUnexpectedEOF) {
		p.handler.log.Error("push failed", "image", p.ref, "user", p.user.User.Name, "error", err)
	}
	return strings.Join(strings.Fields(reportLine(err)), " ")
}
