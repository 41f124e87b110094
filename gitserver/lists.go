package gitserver

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/language"
)

const (
	// listLimit is how many rows a list shows unless all are asked for.
	listLimit = 100
	// listPart is how many rows are laid out together.
	listPart = 1000
)

// list is a table that is written in parts.
type list struct {
	c    *client
	text bytes.Buffer
	w    *language.Table
	rows int
	cut  bool // there are more rows than were shown
}

func (c *client) newList() *list {
	l := &list{c: c}
	l.w = language.NewTable(&l.text, 2)
	l.w.Marks = c.speaker.Persian() && c.session.terminal
	return l
}

// addPages adds the rows of a list that comes in pages, newest first: all if the
// user asked for all, else as many as fit below listLimit. A row's text is its
// cells, each ended by a tab.
func addPages[T any](l *list, header string, page func(catalog.Page) ([]T, error), id func(T) int64, row func(T) string) error {
	room, size := listLimit-l.rows, listLimit+1
	if l.c.flags.all {
		size = listPart
	}
	for before := int64(0); ; {
		rows, err := page(catalog.Page{Limit: size, Before: before})
		if err != nil {
			return err
		}
		for _, r := range rows {
			if room == 0 && !l.c.flags.all {
				l.cut = true
				return nil
			}
			room--
			if err := l.add(header, row(r)); err != nil {
				return err
			}
			before = id(r)
		}
		if len(rows) < size {
			return nil
		}
	}
}

func (l *list) add(header, row string) error {
	if l.rows == 0 {
		fmt.Fprintln(l.w, header)
	}
	fmt.Fprintln(l.w, row)
	if l.rows++; l.rows%listPart != 0 {
		return nil
	}
	return l.flush()
}

func (l *list) flush() error {
	if err := l.w.Flush(); err != nil {
		return err
	}
	_, err := l.text.WriteTo(l.c.session)
	return err
}

// end shows what is left, and says so if that is not all; none is said instead
// of an empty list.
func (l *list) end(command, none string) error {
	if l.rows == 0 {
		_, err := fmt.Fprintln(l.c.session, none)
		return err
	}
	if err := l.flush(); err != nil || !l.cut {
		return err
	}
	_, err := fmt.Fprintln(l.c.session.Stderr(), l.c.speaker.Text("Showing the newest %d; run %s to show all.", l.rows, l.c.sshCommand(command)))
	return err
}

func (c *client) table(rows func(w io.Writer)) error {
	l := c.newList()
	rows(l.w)
	return l.flush()
}

func (c *client) images(ctx context.Context, _ catalog.ImageRef, _ []string) error {
	namespaces, err := catalog.AllNamespaces(ctx, c.server.config.Store, c.id.User.ID)
	if err != nil {
		return err
	}
	l := c.newList()
	for _, ns := range namespaces {
		if err := c.authorize(ctx, catalog.ActionRead, catalog.ImageRef{Namespace: ns.Name}); err != nil {
			continue
		}
		page := func(p catalog.Page) ([]catalog.Image, error) {
			return c.server.config.Store.ListImages(ctx, ns.Name, p)
		}
		err := addPages(l, c.heads("IMAGE", "LAST VERSION", "STATE", "CREATED"), page, func(i catalog.Image) int64 { return i.ID }, func(i catalog.Image) string {
			version, state := "-", "-"
			if i.LastVersion != nil {
				version, state = i.LastVersion.Name, c.state(i.LastVersion.State)
			}
			return fmt.Sprintf("%s\t%s\t%s\t%s", i.Ref, version, state, c.when(i.CreatedAt))
		})
		if err != nil {
			return err
		}
	}
	return l.end("images --all", c.speaker.Text("No images yet; the first git push creates one."))
}

func (c *client) versions(ctx context.Context, ref catalog.ImageRef, _ []string) error {
	image, err := c.server.config.Store.Image(ctx, ref)
	if err != nil {
		return err
	}
	l := c.newList()
	page := func(p catalog.Page) ([]catalog.Version, error) {
		return c.server.config.Store.ListVersions(ctx, image.ID, catalog.VersionFilter{Page: p})
	}
	err = addPages(l, c.heads("VERSION", "STATE", "PUBLISHED", "SIZE", "DIGEST"), page, func(v catalog.Version) int64 { return v.ID }, func(v catalog.Version) string {
		size, digest := "-", "-"
		if v.State == catalog.Built {
			size, digest = c.size(v.Size), v.Digest
		}
		return fmt.Sprintf("%s\t%s\t%s\t%s\t%s", v.Name, c.state(v.State), c.when(v.CreatedAt), size, digest)
	})
	if err != nil {
		return err
	}
	return l.end(fmt.Sprintf("versions --all %s", image.Ref), c.speaker.Text("%s has no versions yet; push a tag to build one.", image.Ref))
}

func (c *client) builds(ctx context.Context, ref catalog.ImageRef, args []string) error {
	image, v, err := c.version(ctx, ref, args[1])
	if err != nil {
		return err
	}
	l := c.newList()
	page := func(p catalog.Page) ([]catalog.Build, error) { return c.server.config.Store.ListBuilds(ctx, v.ID, p) }
	err = addPages(l, c.heads("BUILD", "STATE", "TRIGGER", "COMMIT", "QUEUED", "DURATION", "MESSAGE"), page, func(b catalog.Build) int64 { return b.ID }, func(b catalog.Build) string {
		took := "-"
		if !b.StartedAt.IsZero() && !b.EndedAt.IsZero() {
			took = c.took(b.EndedAt.Sub(b.StartedAt))
		}
		return fmt.Sprintf("%s\t%s\t%s\t%.7s\t%s\t%s\t%s", c.speaker.Text("%d", b.Number), c.state(b.State), c.trigger(b.Trigger), b.Commit, c.when(b.QueuedAt), took, c.messageOf(ctx, b))
	})
	if err != nil {
		return err
	}
	return l.end(fmt.Sprintf("builds --all %s %s", image.Ref, v.Name), c.speaker.Text("%s of %s has no builds.", v.Name, image.Ref))
}

// messageOf says why a build ended, or where it stands while it waits.
func (c *client) messageOf(ctx context.Context, b catalog.Build) string {
	if b.State != catalog.Pending {
		return b.Message
	}
	q, err := c.server.config.Control.Queued(ctx, b.ID)
	if err != nil { // it started meanwhile
		return b.Message
	}
	return c.speaker.Text("place %d of %d in the queue: %s", q.Place, q.Waiting, q.Why)
}
