package gitserver

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gliderlabs/ssh"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
)

// client is one SSH session of a user.
type client struct {
	*Server
	session ssh.Session
	id      catalog.Identity
}

// verb is a command a person may type after "ssh host".
type verb struct {
	name   string
	usage  string // its arguments
	help   string
	args   int // how many arguments it takes; -2: two or more
	action catalog.Action
	run    func(c *client, ctx context.Context, ref catalog.ImageRef, args []string) error
}

// verbs holds every command but help. Those with arguments take an image first.
var verbs = []verb{
	{"images", "", "list your images", 0, catalog.ActionRead, (*client).images},
	{"versions", "IMAGE", "list an image's versions", 1, catalog.ActionRead, (*client).versions},
	{"builds", "IMAGE VERSION", "list a version's builds", 2, catalog.ActionRead, (*client).builds},
	{"logs", "[-f] IMAGE VERSION", "show the log of a version's last build; -f follows it", 2, catalog.ActionRead, (*client).showLogs},
	{"cancel", "IMAGE VERSION", "stop a version's build", 2, catalog.ActionWrite, (*client).cancel},
	{"rebuild", "IMAGE VERSION", "build a failed version again, from the same commit", 2, catalog.ActionWrite, (*client).rebuild},
}

const listLimit = 100

func (c *client) dispatch(ctx context.Context) error {
	if strings.TrimSpace(c.session.RawCommand()) == "" {
		return c.greet()
	}
	args := c.session.Command()
	if len(args) > 1 && args[0] == "git" {
		args = append([]string{"git-" + args[1]}, args[2:]...)
	}
	if len(args) == 0 {
		return c.show(catalog.Errorf(catalog.Invalid, "the command's quotes don't match"))
	}
	switch args[0] {
	case "git-receive-pack", "git-upload-pack":
		return c.git(ctx, args)
	case "git-upload-archive":
		return c.show(catalog.Errorf(catalog.Invalid, "git archive --remote is not offered; clone the repository instead"))
	case "help", "--help", "-h":
		return c.help()
	}
	return c.show(c.runVerb(ctx, args))
}

// show writes an error for a person.
func (c *client) show(err error) error {
	if err != nil && c.session.Context().Err() == nil {
		fmt.Fprintf(c.session.Stderr(), "fandogh: %s\n", catalog.MessageOf(err))
	}
	return err
}

func (c *client) git(ctx context.Context, args []string) error {
	err := c.serveGit(ctx, args)
	if err != nil && ctx.Err() == nil {
		// Git shows this as "remote error", whatever it was waiting for.
		_ = pktline.NewEncoder(c.session).Encodef("ERR %s\n", reportLine(err))
	}
	return err
}

func (c *client) serveGit(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return catalog.Errorf(catalog.Invalid, "%s takes one repository, such as app or namespace/app", args[0])
	}
	ref, err := parseRepository(args[1], c.id.User.Name)
	if err != nil {
		return err
	}
	action := catalog.ActionRead
	if args[0] == "git-receive-pack" {
		action = catalog.ActionWrite
	}
	if err := c.authorize(ctx, action, ref); err != nil {
		return err
	}
	in := idleReader{c.session, c.IdleTimeout, func() {
		if conn, ok := ctx.Value(connKey).(*countedConn); ok {
			_ = conn.Close()
		}
	}}
	if action == catalog.ActionWrite {
		// Not in the client's time; the session is still counted while this is added.
		defer c.sessions.Go(func() { c.Repositories.tidy(c.base, ref) })
		return c.receive.serve(c.base, ctx.Done(), ref, c.id, c.audit(), in, c.session)
	}
	return c.upload.serve(ref, in, c.session)
}

func (c *client) authorize(ctx context.Context, action catalog.Action, ref catalog.ImageRef) error {
	return catalog.Authorize(ctx, c.Store, c.id, action, catalog.Target{Namespace: ref.Namespace, Image: ref.Name})
}

func (c *client) runVerb(ctx context.Context, args []string) error {
	verbs := c.verbs()
	i := slices.IndexFunc(verbs, func(v verb) bool { return v.name == args[0] })
	if i < 0 {
		return catalog.Errorf(catalog.Invalid, "there is no command %q and no shell here; run %s to see what there is", args[0], c.sshCommand("help"))
	}
	v, args := verbs[i], args[1:]
	plain := slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == "-f" && v.name == "logs" })
	if v.args >= 0 && len(plain) != v.args || len(plain) < -v.args {
		return catalog.Errorf(catalog.Invalid, "use it as: %s", strings.TrimSpace(v.name+" "+v.usage))
	}
	var ref catalog.ImageRef
	if v.args != 0 {
		var err error
		if ref, err = parseRepository(plain[0], c.id.User.Name); err != nil {
			return err
		}
		if err := c.authorize(ctx, v.action, ref); err != nil {
			return err
		}
	}
	err := v.run(c, ctx, ref, args)
	if err == nil && v.action != catalog.ActionRead {
		c.audit().Info(v.name, "image", ref, "arguments", plain[1:])
	}
	return err
}

func (c *client) audit() hclog.Logger { return c.auditLog(c.id.User.Name, c.session.RemoteAddr()) }

// sshCommand is what a user types to run a command here.
func (c *client) sshCommand(command string) string {
	host, port, err := net.SplitHostPort(c.Address)
	if err != nil {
		host, port = "HOST", "22"
		if c.Address != "" {
			host = c.Address
		}
	}
	if port != "22" {
		host = "-p " + port + " " + host
	}
	return "ssh " + host + " " + command
}

func (c *client) greet() error {
	address := c.Address
	if address == "" {
		address = "HOST"
	}
	_, err := fmt.Fprintf(c.session, `Hello %s, this is Fandogh. There is no shell here; a pushed tag becomes an image.

  git remote add fandogh ssh://%s/my-app
  git tag v1.0
  git push fandogh v1.0

%s lists what else there is.
`, c.id.User.Name, address, c.sshCommand("help"))
	return err
}

func (c *client) help() error {
	return c.table(func(w io.Writer) {
		fmt.Fprintf(w, "Commands, as in: %s\n\n", c.sshCommand("images"))
		for _, v := range c.verbs() {
			fmt.Fprintf(w, "  %s\t%s\n", strings.TrimSpace(v.name+" "+v.usage), v.help)
		}
		fmt.Fprintf(w, "  help\tshow this\n\nIMAGE is app, or namespace/app.\n")
	})
}

func (c *client) table(rows func(w io.Writer)) error {
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 4, 2, ' ', 0)
	rows(w)
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := c.session.Write(text.Bytes())
	return err
}

func (c *client) images(ctx context.Context, _ catalog.ImageRef, _ []string) error {
	namespaces, err := c.Store.ListNamespaces(ctx, c.id.User.ID)
	if err != nil {
		return err
	}
	var images []catalog.Image
	for _, ns := range namespaces {
		if err := c.authorize(ctx, catalog.ActionRead, catalog.ImageRef{Namespace: ns.Name}); err != nil {
			continue
		}
		some, err := c.Store.ListImages(ctx, ns.Name, catalog.Page{Limit: listLimit})
		if err != nil {
			return err
		}
		images = append(images, some...)
	}
	if len(images) == 0 {
		_, err := fmt.Fprintln(c.session, "You have no images yet; the first git push makes one.")
		return err
	}
	return c.table(func(w io.Writer) {
		fmt.Fprintln(w, "IMAGE\tLAST VERSION\tSTATE\tCREATED")
		for _, i := range images {
			version, state := "-", "-"
			if i.LastVersion != nil {
				version, state = i.LastVersion.Name, string(i.LastVersion.State)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", i.Ref, version, state, when(i.CreatedAt))
		}
	})
}

func (c *client) versions(ctx context.Context, ref catalog.ImageRef, _ []string) error {
	image, err := c.Store.Image(ctx, ref)
	if err != nil {
		return err
	}
	versions, err := c.Store.ListVersions(ctx, image.ID, catalog.VersionFilter{Page: catalog.Page{Limit: listLimit}})
	if err != nil {
		return err
	}
	if len(versions) == 0 {
		_, err := fmt.Fprintf(c.session, "%s has no versions yet; push a tag to build one.\n", image.Ref)
		return err
	}
	return c.table(func(w io.Writer) {
		fmt.Fprintln(w, "VERSION\tSTATE\tSIZE\tCREATED\tDIGEST")
		for _, v := range versions {
			size, digest := "-", "-"
			if v.State == catalog.Built {
				size, digest = fmt.Sprintf("%.1f MB", float64(v.Size)/1e6), v.Digest
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", v.Name, v.State, size, when(v.CreatedAt), digest)
		}
	})
}

func (c *client) version(ctx context.Context, ref catalog.ImageRef, name string) (catalog.Image, catalog.Version, error) {
	image, err := c.Store.Image(ctx, ref)
	if err != nil {
		return image, catalog.Version{}, err
	}
	v, err := c.Store.Version(ctx, image.ID, name)
	return image, v, err
}

func (c *client) builds(ctx context.Context, ref catalog.ImageRef, args []string) error {
	_, v, err := c.version(ctx, ref, args[1])
	if err != nil {
		return err
	}
	builds, err := c.Store.ListBuilds(ctx, v.ID, catalog.Page{Limit: listLimit})
	if err != nil {
		return err
	}
	return c.table(func(w io.Writer) {
		fmt.Fprintln(w, "BUILD\tSTATE\tBY\tCOMMIT\tASKED\tTOOK\tWHY")
		for _, b := range builds {
			took := "-"
			if !b.StartedAt.IsZero() && !b.EndedAt.IsZero() {
				took = b.EndedAt.Sub(b.StartedAt).Round(100 * time.Millisecond).String()
			}
			fmt.Fprintf(w, "%d\t%s\t%s\t%.7s\t%s\t%s\t%s\n", b.Number, b.State, b.Trigger, b.Commit, when(b.QueuedAt), took, b.Message)
		}
	})
}

// lastBuild returns a version's newest build. Errors: NotFound.
func (c *client) lastBuild(ctx context.Context, ref catalog.ImageRef, name string) (catalog.Build, error) {
	_, v, err := c.version(ctx, ref, name)
	if err != nil {
		return catalog.Build{}, err
	}
	builds, err := c.Store.ListBuilds(ctx, v.ID, catalog.Page{Limit: 1})
	if err == nil && len(builds) == 0 {
		err = catalog.Errorf(catalog.NotFound, "version %s was never built", name)
	}
	if err != nil {
		return catalog.Build{}, err
	}
	return builds[0], nil
}

func (c *client) showLogs(ctx context.Context, ref catalog.ImageRef, args []string) error {
	plain := slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == "-f" })
	build, err := c.lastBuild(ctx, ref, plain[1])
	if err != nil {
		return err
	}
	print := func(lines []catalog.LogLine) error {
		var text strings.Builder
		for _, l := range lines {
			text.WriteString(l.Text + "\n")
		}
		_, err := io.WriteString(c.session, text.String())
		return err
	}
	if len(plain) == len(args) {
		lines, err := c.Logs.ReadLog(ctx, build.ID, 0, 0)
		if err != nil {
			return err
		}
		return print(lines)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.cancelOnKey(cancel)
	build, err = c.Logs.FollowLog(ctx, build.ID, 0, func(lines []catalog.LogLine) error {
		if err := c.stillAllowed(ctx, ref); err != nil {
			return err
		}
		return print(lines)
	})
	if err != nil {
		if ctx.Err() != nil {
			return nil // the client has seen enough
		}
		return err
	}
	if build.State != catalog.Built {
		return catalog.Errorf(catalog.Conflict, "build %d of %s ended as %s: %s", build.Number, plain[1], build.State, build.Message)
	}
	return nil
}

// stillAllowed asks again for the right to read, for what lasts: the key or the
// role may have been revoked meanwhile.
func (c *client) stillAllowed(ctx context.Context, ref catalog.ImageRef) error {
	id, err := c.identify(c.session)
	if err != nil {
		return err
	}
	again := client{Server: c.Server, session: c.session, id: id}
	return again.authorize(ctx, catalog.ActionRead, ref)
}

// cancelOnKey listens for ^C and ^D, which a terminal sends as bytes.
func (c *client) cancelOnKey(cancel func()) {
	if _, _, terminal := c.session.Pty(); !terminal {
		return
	}
	go func() {
		keys := make([]byte, 16)
		for {
			n, err := c.session.Read(keys)
			if err != nil || bytes.ContainsAny(keys[:n], "\x03\x04") {
				cancel()
				return
			}
		}
	}()
}

func (c *client) cancel(ctx context.Context, ref catalog.ImageRef, args []string) error {
	build, err := c.lastBuild(ctx, ref, args[1])
	if err != nil {
		return err
	}
	if err := c.Control.Cancel(ctx, build.ID); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.session, "Build %d of %s is cancelled.\n", build.Number, args[1])
	return err
}

func (c *client) rebuild(ctx context.Context, ref catalog.ImageRef, args []string) error {
	image, v, err := c.version(ctx, ref, args[1])
	if err != nil {
		return err
	}
	build, err := c.Control.Rebuild(ctx, image.ID, v.Name, c.id.User.ID)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.session, "Build %d of %s is queued; follow it with: %s\n", build.Number, v.Name,
		c.sshCommand("logs -f "+image.Ref.String()+" "+v.Name))
	return err
}

func when(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }
