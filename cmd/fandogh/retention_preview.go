package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newRetentionPreviewCommand(a *app) *cobra.Command {
	var o ruleFlags
	var image versionFlags
	var out output
	cmd := &cobra.Command{
		Use: "preview", Short: "Show which versions of an image would be removed",
		Long:    `Show what would become of each version of an image now, and why. With a rule, what it would be with that rule. Nothing is changed.`,
		Example: "  fandogh retention preview --image shop\n  fandogh retention preview --image shop --keep-last 10",
		Args:    usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runRetentionPreview(cmd.Context(), a, image, o, out)
		},
	}
	image.addImage(cmd, a)
	cmd.Flags().BoolVar(&o.branches, "branches", false, "the rule is of versions that pushed branches were built as")
	o.addRule(cmd)
	out.addFlag(cmd)
	return cmd
}

func runRetentionPreview(ctx context.Context, a *app, image versionFlags, o ruleFlags, out output) error {
	if err := out.check(); err != nil {
		return err
	}
	if o.branches && o.empty() {
		return usage.Errorf("--branches is about a rule; give --keep-last, --keep-days or --keep with it")
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	if err := image.fillImage(ctx, a); err != nil {
		return err
	}
	var rule *api.SetRetentionRule
	if !o.empty() {
		rule = &o.rule
	}
	versions, err := c.PreviewRetention(ctx, image.image, o.kind(), rule)
	if err != nil {
		return err
	}
	return showPreview(a, out, versions)
}

func showPreview(a *app, out output, versions []api.RetainedVersion) error {
	var gone int
	var bytes int64
	for _, v := range versions {
		if !v.Keeps {
			gone, bytes = gone+1, bytes+v.Size
		}
	}
	err := out.show(a, versions, func(w *table) {
		w.heads("VERSION", "STATE", "BUILT", "SIZE", "RESULT", "WHY")
		for _, v := range versions {
			does := w.Text("goes")
			if v.Keeps {
				does = w.Text("stays")
			}
			row(w, v.Version, w.state(v.State), w.time(v.EndedAt), w.size(v.Size), does, v.Reason)
		}
	})
	if err == nil && out.format == "table" {
		a.say("%d of %d versions would be removed, with images of %s, of which other versions may share layers.", gone, len(versions), a.bytes(bytes))
	}
	return err
}
