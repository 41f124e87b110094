package gitserver

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/shlex"
	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/protocol"
	"github.com/fandoghpaas/fandogh/gitserver/repository"
	"github.com/fandoghpaas/fandogh/internal/language"
)

// client is one SSH session of a user.
type client struct {
	server  *Server
	session *session
	id      catalog.Identity
	flags   flags // of the command
	speaker language.Speaker
}

// flags are what the flags of a command ask for.
type flags struct {
	all    bool // a list's rows
	follow bool // a log
	ssh    bool // a key in place of a value
	tags   string
	// Of a rule of retention:
	branches bool
	options  []string // of a build
	rule     catalog.RetentionRule
}

func listFlags(set *flag.FlagSet, f *flags) { set.BoolVar(&f.all, "all", false, "") }

func logFlags(set *flag.FlagSet, f *flags) { set.BoolVar(&f.follow, "f", false, "") }

func rebuildFlags(set *flag.FlagSet, f *flags) {
	set.Func("o", "", func(option string) error {
		f.options = append(f.options, option)
		return nil
	})
}

// verb is a command a person may type after "ssh host".
type verb struct {
	name   string
	usage  string // its flags and arguments
	help   string
	args   int // how many arguments it takes; -2: two or more
	action catalog.Action
	flags  func(*flag.FlagSet, *flags) // nil: it has none
	run    func(c *client, ctx context.Context, ref catalog.ImageRef, args []string) error
}

// parse takes flags and arguments, which may stand in any order. Errors: Invalid.
func (v verb) parse(words []string) (f flags, args []string, err error) {
	set := flag.NewFlagSet(v.name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	if v.flags != nil {
		v.flags(set, &f)
	}
	for err = set.Parse(words); err == nil && set.NArg() > 0; err = set.Parse(words) {
		args, words = append(args, set.Arg(0)), set.Args()[1:]
	}
	if err != nil || v.args >= 0 && len(args) != v.args || len(args) < -v.args {
		return f, nil, catalog.Errorf(catalog.Invalid, "usage: %s", strings.TrimSpace(v.name+" "+v.usage))
	}
	return f, args, nil
}

// target reads the first argument: an image, or a namespace where the usage says so. Errors: Invalid.
func (v verb) target(arg, own string) (catalog.ImageRef, error) {
	namespace, image, _ := strings.Cut(arg, "/")
	if !strings.Contains(v.usage, "NAMESPACE") || strings.HasPrefix(v.usage, "IMAGE ") || image != "" && strings.Contains(v.usage, "/IMAGE") {
		return repository.ParsePath(arg, own)
	}
	return catalog.ImageRef{Namespace: namespace}, catalog.ValidateNamespace(arg)
}

// verbs holds every command but help. Those with arguments take an image or a namespace first.
var verbs = []verb{
	{"images", "[--all]", "list your newest images, or all of them", 0, catalog.ActionRead, listFlags, (*client).images},
	{"versions", "[--all] IMAGE", "list an image's versions", 1, catalog.ActionRead, listFlags, (*client).versions},
	{"builds", "[--all] IMAGE VERSION", "list a version's builds", 2, catalog.ActionRead, listFlags, (*client).builds},
	{"logs", "[-f] IMAGE VERSION", "show the log of a version's last build; follow it with -f", 2, catalog.ActionRead, logFlags, (*client).showLogs},
	{"cancel", "IMAGE VERSION", "cancel a version's build", 2, catalog.ActionWrite, nil, (*client).cancel},
	{"rebuild", "[-o OPTION] IMAGE VERSION", "rebuild a failed version from the same commit, with other push options", 2, catalog.ActionWrite, rebuildFlags, (*client).rebuild},
	{"default-branch", "IMAGE BRANCH", "set the default branch", 2, catalog.ActionManage, nil, (*client).defaultBranch},
	{"signed-tags", "IMAGE required|off", "take only tags that a member has signed, or any", 2, catalog.ActionManage, nil, (*client).signedTags},
}

func (c *client) dispatch(ctx context.Context) error {
	if c.session.subsystem != "" {
		return c.show(catalog.Errorf(catalog.Invalid, "subsystem %s is not supported; send files with git push, and run %s to list the commands", c.session.subsystem, c.sshCommand("help")))
	}
	if len(c.session.command) > maxCommand {
		return c.show(catalog.Errorf(catalog.TooLarge, "the command is longer than %d bytes", maxCommand))
	}
	if strings.TrimSpace(c.session.command) == "" {
		return c.greet()
	}
	args, err := shlex.Split(c.session.command)
	if err != nil || len(args) == 0 {
		return c.show(catalog.Errorf(catalog.Invalid, "the command has unbalanced quotes"))
	}
	if len(args) > 1 && args[0] == "git" {
		args = append([]string{"git-" + args[1]}, args[2:]...)
	}
	switch args[0] {
	case "git-receive-pack", "git-upload-pack":
		return c.git(ctx, args)
	case "git-lfs-authenticate", "git-lfs-transfer":
		return c.show(c.lfs(ctx, args))
	case "git-upload-archive":
		return c.show(catalog.Errorf(catalog.Invalid, "git archive --remote is not supported; clone with --depth 1 and run git archive there"))
	}
	if args, err = c.takeLanguage(args); err != nil {
		return c.show(err)
	}
	if len(args) == 0 {
		return c.greet()
	}
	if args[0] == "help" || args[0] == "--help" || args[0] == "-h" {
		return c.help()
	}
	return c.show(c.runVerb(ctx, args))
}

// show writes an error for a person.
func (c *client) show(err error) error {
	if err != nil && c.session.ctx.Err() == nil {
		fmt.Fprintf(c.session.Stderr(), "fandogh: %s\n", c.speaker.Refusal(string(catalog.CodeOf(err)), catalog.MessageOf(err)))
	}
	return err
}

func (c *client) git(ctx context.Context, args []string) error {
	err := c.serveGit(ctx, args)
	if err != nil && ctx.Err() == nil {
		protocol.ShowError(c.session, err)
	}
	return err
}

func (c *client) serveGit(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return catalog.Errorf(catalog.Invalid, "%s requires one repository, such as app or namespace/app", args[0])
	}
	ref, err := repository.ParsePath(args[1], c.id.User.Name)
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
	allowed := func(ctx context.Context) error { return c.stillMay(ctx, action, ref) }
	in := &idleReader{session: c.session, pushes: action == catalog.ActionWrite}
	if action == catalog.ActionWrite {
		// Not in the client's time; the session is still counted while this is added.
		defer c.server.sessions.Go(func() { c.server.config.Repositories.Maintain(c.server.base, ref) })
		return c.server.pushes.Serve(c.server.base, ctx.Done(), ref, c.id, allowed, c.speaker.Language, c.audit(), in, c.session)
	}
	// A repository may be there and be no image's, or that of one which is being transferred.
	image, err := c.server.config.Store.Image(ctx, ref)
	if err != nil && catalog.CodeOf(err) != catalog.NotFound {
		return err
	}
	exists := func() (bool, error) {
		if err == nil && image.SourceID != image.ID {
			return true, catalog.Errorf(catalog.NotFound, "image %s is built from the repository of %s; clone that one", image.Ref, image.Source)
		}
		return err == nil, nil
	}
	return c.server.fetches.Serve(ctx, ref, exists, allowed, protocol.Version(c.session.Environ()), in, c.session)
}

func (c *client) authorize(ctx context.Context, action catalog.Action, ref catalog.ImageRef) error {
	return catalog.Authorize(ctx, c.server.config.Store, c.id, action, catalog.Target{Namespace: ref.Namespace, Image: ref.Name})
}

// stillMay asks who it is and what he may do again.
func (c *client) stillMay(ctx context.Context, action catalog.Action, ref catalog.ImageRef) error {
	id, err := c.server.identify(ctx, c.session.conn.login)
	if err != nil {
		return err
	}
	if err := catalog.Authorize(ctx, c.server.config.Store, id, action, catalog.Target{Namespace: ref.Namespace, Image: ref.Name}); err != nil {
		return err
	}
	return catalog.CheckNotMoved(ctx, c.server.config.Store, ref)
}

func (c *client) runVerb(ctx context.Context, args []string) error {
	verbs := c.server.verbs()
	i := slices.IndexFunc(verbs, func(v verb) bool { return v.name == args[0] })
	if i < 0 {
		return catalog.Errorf(catalog.Invalid, "unknown command %q; run %s to list the commands (there is no shell)", args[0], c.sshCommand("help"))
	}
	v, words := verbs[i], args[1:]
	var err error
	if c.flags, args, err = v.parse(words); err != nil {
		return err
	}
	var ref catalog.ImageRef
	if v.args != 0 {
		if ref, err = v.target(args[0], c.id.User.Name); err != nil {
			return err
		}
		if err := c.authorize(ctx, v.action, ref); err != nil {
			return err
		}
	}
	err = v.run(c, ctx, ref, args)
	if err == nil && v.action != catalog.ActionRead {
		rest := slices.DeleteFunc(slices.Clone(words), func(word string) bool { return word == args[0] })
		c.audit().Info(v.name, "image", ref, "arguments", rest)
	}
	return err
}

func (c *client) audit() hclog.Logger {
	return c.server.auditLog(c.id.User.Name, c.session.conn.ssh.RemoteAddr())
}

// sshCommand is what a user types to run a command here.
func (c *client) sshCommand(command string) string {
	return catalog.SSHCommand(c.server.config.Address, command)
}

func (c *client) greet() error {
	address := c.server.config.Address
	if address == "" {
		address = "HOST"
	}
	_, err := io.WriteString(c.session, c.speaker.Text(`Hello %s, this is Fandogh %s. There is no shell access; push a tag to build an image.

  git remote add fandogh ssh://git@%s/my-app
  git tag v1.0
  git push fandogh v1.0

Run %s to list the other commands.
`, c.id.User.Name, c.server.config.Version, address, c.sshCommand("help")))
	return err
}

func (c *client) help() error {
	return c.table(func(w io.Writer) {
		fmt.Fprintf(w, "%s\n\n", c.speaker.Text("Commands, as in: %s", c.sshCommand("images")))
		for _, v := range c.server.verbs() {
			fmt.Fprintf(w, "  %s\t%s\n", strings.TrimSpace(v.name+" "+v.usage), c.speaker.Text(v.help))
		}
		fmt.Fprintf(w, "  help\t%s\n\n%s\n%s\n", c.speaker.Text("show this help"), c.speaker.Text("IMAGE is app, or namespace/app. Your own NAMESPACE is %s.", c.id.User.Name),
			c.speaker.Text("With --lang fa or --lang en a command answers in that language, whatever LANG is."))
	})
}

func (c *client) version(ctx context.Context, ref catalog.ImageRef, name string) (catalog.Image, catalog.Version, error) {
	image, err := c.server.config.Store.Image(ctx, ref)
	if err != nil {
		return image, catalog.Version{}, err
	}
	v, err := c.server.config.Store.Version(ctx, image.ID, name)
	return image, v, err
}

// lastBuild returns a version's newest build. Errors: NotFound.
func (c *client) lastBuild(ctx context.Context, ref catalog.ImageRef, name string) (catalog.Build, error) {
	_, v, err := c.version(ctx, ref, name)
	if err != nil {
		return catalog.Build{}, err
	}
	return catalog.NewestBuild(ctx, c.server.config.Store, v)
}

// errSeenEnough ends following a log for a user who pressed a key.
var errSeenEnough = errors.New("the client stopped following")

func (c *client) showLogs(ctx context.Context, ref catalog.ImageRef, args []string) error {
	build, err := c.lastBuild(ctx, ref, args[1])
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
	if !c.flags.follow {
		lines, err := c.server.config.Logs.ReadLog(ctx, build.ID, 0, 0)
		if err != nil {
			return err
		}
		return print(lines)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c.cancelOnKey(func() { cancel(errSeenEnough) })
	build, err = c.server.config.Logs.FollowLog(ctx, build.ID, 0, func(lines []catalog.LogLine) error {
		if err := c.stillMay(ctx, catalog.ActionRead, ref); err != nil {
			return err
		}
		return print(lines)
	})
	if err != nil {
		if errors.Is(context.Cause(ctx), errSeenEnough) {
			return nil
		}
		return err
	}
	if build.State != catalog.Built {
		return catalog.Errorf(catalog.Conflict, "build %d of %s ended as %s: %s", build.Number, args[1], build.State, build.Message)
	}
	return nil
}

// cancelOnKey listens for ^C and ^D, which a terminal sends as bytes.
func (c *client) cancelOnKey(cancel func()) {
	if !c.session.terminal {
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
	if err := c.server.config.Control.Cancel(ctx, build.ID); err != nil {
		return err
	}
	return c.say("Cancelled build %d of %s:%s.", build.Number, ref, args[1])
}

func (c *client) rebuild(ctx context.Context, ref catalog.ImageRef, args []string) error {
	image, v, err := c.version(ctx, ref, args[1])
	if err != nil {
		return err
	}
	build, err := c.server.config.Control.Rebuild(ctx, image.ID, v.Name, c.id.User.ID, c.flags.options)
	if err != nil {
		return err
	}
	return c.say("Queued build %d of %s:%s; follow it with: %s", build.Number, image.Ref, v.Name,
		c.sshCommand("logs -f "+image.Ref.String()+" "+v.Name))
}

func (c *client) defaultBranch(ctx context.Context, ref catalog.ImageRef, args []string) error {
	image, err := c.server.config.Store.Image(ctx, ref)
	if err != nil {
		return err
	}
	d, err := c.server.config.Repositories.SetDefaultBranch(ctx, ref, args[1])
	if err == nil {
		err = c.sayDefaultBranch(image.Ref, d)
	}
	return err
}

func (c *client) signedTags(ctx context.Context, ref catalog.ImageRef, args []string) error {
	image, err := c.server.config.Store.Image(ctx, ref)
	if err != nil {
		return err
	}
	required, err := catalog.ParseSignedTags(args[1])
	if err != nil {
		return err
	}
	if image, err = c.server.config.Store.UpdateImage(ctx, image.ID, catalog.ImageUpdate{SignedTags: &required}); err == nil {
		err = c.saySignedTags(image)
	}
	return err
}
