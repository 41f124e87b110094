package web

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
)

func (c *call) cancel() error {
	image, version, err := c.version()
	if err != nil {
		return err
	}
	build, err := catalog.NewestBuild(c.r.Context(), c.server.config.Store, version)
	if err != nil {
		return err
	}
	if err := c.server.config.Control.Cancel(c.r.Context(), build.ID); err != nil {
		return err
	}
	c.audit("build cancelled", "image", image.Ref, "version", version.Name, "build", build.ID)
	return c.goTo(BuildPath(build))
}

// rebuild builds a version again; where the form has options, with those that it shows.
func (c *call) rebuild() error {
	image, version, err := c.version()
	if err != nil {
		return err
	}
	options, err := c.rebuildOptions(version)
	if err != nil {
		return err
	}
	build, err := c.server.config.Control.Rebuild(c.r.Context(), image.ID, version.Name, c.id.User.ID, options)
	if err != nil {
		return err
	}
	c.audit("rebuild requested", "image", image.Ref, "version", version.Name, "build", build.ID, "options", strings.Join(build.Options.Words(false), " "))
	return c.goTo(BuildPath(build))
}

// rebuildFlags and rebuildTexts are the options of a build that the form has beside its build args, by their names.
var (
	rebuildFlags = []string{"no-cache", "pull"}
	rebuildTexts = []string{"target", "test", "platform", "dockerfile", "context", "timestamps"}
)

// rebuildOptions reads the form as changes to what the last build was asked for; none: it is asked for the same. Errors: Invalid.
func (c *call) rebuildOptions(version catalog.Version) (options []string, err error) {
	if !c.form.Has("options") {
		return nil, nil
	}
	last, err := catalog.NewestBuild(c.r.Context(), c.server.config.Store, version)
	if err != nil {
		return nil, err
	}
	for _, name := range rebuildFlags {
		options = append(options, name+"="+strconv.FormatBool(c.form.Has(name)))
	}
	for _, name := range rebuildTexts {
		options = append(options, name+"="+c.field(name))
	}
	for name := range last.Options.Args { // those that stay are typed
		options = append(options, "build-arg="+name)
	}
	for line := range strings.Lines(c.form.Get("build-arg")) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.TrimSpace(line) == "":
		case !strings.Contains(line, "="):
			return nil, catalog.FieldErrorf("build-arg", "build-arg needs NAME=VALUE, got %q", line)
		default:
			options = append(options, "build-arg="+line)
		}
	}
	return options, nil
}

// controls are the buttons of a version for who may write to its namespace.
type controls struct {
	At, FormToken   string
	Cancel, Rebuild bool
	// What another build may be asked for otherwise, as the last was, or as it was typed.
	Typed bool
	Flags []rebuildFlag
	Texts []rebuildText
	Args  string // NAME=VALUE, one a line
}

type rebuildFlag struct {
	Name string
	Set  bool
}

type rebuildText struct{ Name, Value string }

// controlOf offers what the state of a version, or of its build, allows: a version that came as an image has no commit to build.
func controlOf(p page, state catalog.State, build catalog.Build) controls {
	offered := controls{
		At: pathOf(build.Image.Namespace, build.Image.Name, build.Version), FormToken: p.FormToken,
		Cancel: !state.Ended(), Rebuild: state.Ended() && state != catalog.Built && build.Commit != "",
	}
	if !offered.Rebuild {
		return offered
	}
	is := url.Values{}
	for _, word := range build.Options.Words(true) {
		name, value, _ := strings.Cut(word, "=")
		is.Add(name, value)
	}
	if offered.Typed = p.Form.Has("options"); offered.Typed {
		is = p.Form
	}
	for _, name := range rebuildFlags {
		offered.Flags = append(offered.Flags, rebuildFlag{name, is.Has(name)})
	}
	for _, name := range rebuildTexts {
		offered.Texts = append(offered.Texts, rebuildText{name, is.Get(name)})
	}
	offered.Args = strings.Join(is["build-arg"], "\n")
	return offered
}
