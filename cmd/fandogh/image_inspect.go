package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/catalog/client"
	"github.com/fandoghpaas/fandogh/internal/language"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

type inspectOptions struct {
	versionFlags
	output
}

// open checks the options, fills in what was left out, and returns the client.
func (o *inspectOptions) open(ctx context.Context, a *app) (*client.Client, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	c, err := a.client()
	if err != nil {
		return nil, err
	}
	return c, o.fill(ctx, a)
}

func newImageInspectCommand(a *app) *cobra.Command {
	var o inspectOptions
	cmd := &cobra.Command{
		Use:   "inspect",
		Short: "Show details of a version",
		Long: `Show details of a version: what it was built from, its builds, how to pull it, how
its containers start, and its layers.`,
		Example: `  fandogh image inspect --image shop --version 1.0
  fandogh image inspect -i shop -v 1.0 --output json`,
		Args: usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runImageInspect(cmd, a, o) },
	}
	o.add(cmd, a)
	o.addFlag(cmd)
	return cmd
}

func runImageInspect(cmd *cobra.Command, a *app, o inspectOptions) error {
	c, err := o.open(cmd.Context(), a)
	if err != nil {
		return err
	}
	detail, err := c.Version(cmd.Context(), o.image, o.version)
	if err != nil {
		return err
	}
	return o.show(a, detail, func(w *table) { inspectTable(w, detail) })
}

func inspectTable(w *table, d api.VersionDetail) {
	filled := func(name, value string) {
		if value != "" {
			row(w, w.Text(name), value)
		}
	}
	filled("image", d.Image)
	filled("version", d.Version.Version)
	filled("state", w.state(d.State))
	filled("published", w.time(d.Date))
	filled("reference", d.Reference)
	filled("digest", d.Digest)
	filled("size", w.size(d.Size))
	if len(d.Platforms) > 1 {
		filled("platforms", strings.Join(d.Platforms, ", "))
	} else {
		filled("platform", d.Platform)
	}
	filled("commit", d.Commit)
	filled("trigger", w.Name(language.Triggers, d.Trigger))
	filled("signature", w.signatureLine(d.Signature))
	if config := d.Config; config != nil {
		filled("entrypoint", quoted(config.Entrypoint))
		filled("cmd", quoted(config.Cmd))
		filled("env", strings.Join(config.Env, " "))
		filled("ports", strings.Join(config.ExposedPorts, " "))
		filled("user", config.User)
		filled("workdir", config.WorkingDir)
		for name, value := range sortedMap(config.Labels) {
			filled("label", name+"="+value)
		}
	}
	for _, layer := range d.Layers {
		filled("layer", fmt.Sprintf("%s %s %s", layer.Digest, w.size(layer.Size), oneLine(layer.CreatedBy, 60)))
	}
	for _, build := range d.Builds {
		filled(w.Text("build %d", build.Number), w.buildLine(build))
		for _, step := range build.Steps {
			filled("", "  "+w.stepLine(step))
		}
	}
}

func (a *app) signatureLine(s *api.TagSignature) string {
	switch {
	case s == nil:
		return ""
	case s.Verified:
		return a.Text("by %s (%s)", s.Signer, s.Key)
	case s.Reason != "":
		return a.Text("not verified: %s", oneLine(s.Reason, 200))
	}
	return s.Kind
}

func (a *app) buildLine(b api.BuildDetail) string {
	text := a.Text("%s by %s", a.state(b.State), a.Name(language.Triggers, b.Trigger))
	if !b.Start.IsZero() && !b.End.IsZero() {
		text += a.Text(" in %s", a.duration(b.End.Sub(b.Start.Time)))
	}
	if len(b.Options) > 0 {
		text += a.Text(", with %s", oneLine(strings.Join(b.Options, " "), 200))
	}
	if q := b.Queue; q != nil {
		text += a.Text(", place %d of %d in the queue: %s", q.Place, q.Waiting, q.Why)
	}
	if b.Message != "" {
		text += ": " + b.Message
	}
	return text
}

func (a *app) stepLine(s api.Step) string {
	took := a.duration(time.Duration(s.Millis) * time.Millisecond)
	if s.Cached {
		took = a.Text("cached")
	}
	text := language.Pad(took, 8) + "  " + oneLine(s.Name, 70)
	if s.Error != "" {
		text += ": " + oneLine(s.Error, 100)
	}
	return text
}

func quoted(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return fmt.Sprintf("%q", words)
}
