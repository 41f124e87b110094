package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newUsageCommand(a *app) *cobra.Command {
	var out output
	var all bool
	cmd := &cobra.Command{
		Use:   "usage [NAMESPACE]",
		Short: "Show what the images of a namespace take on the server's disk",
		Long: `Show what the images of a namespace take on the server's disk: layers and Git LFS objects
of each image alone (OWN), those that another of these images has as well (SHARED), its git
repository, and the logs of its builds. The last line is all of it, each layer once.
Without NAMESPACE it is that of ` + "`fandogh namespace use`" + `, or your own.

With --all it is, for administrators, what each namespace takes, and what each part of the
server's data directory does, such as the build cache and the database.`,
		Example: `  fandogh usage
  fandogh usage team
  fandogh usage --all`,
		Args: usage.OptionalArg("NAMESPACE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			if all {
				if len(args) > 0 {
					return usage.Errorf("--all is about all namespaces; omit %s", args[0])
				}
				return a.serverUsage(cmd.Context(), out)
			}
			c, namespace, err := a.clientOfNamespace(cmd.Context())
			if err != nil {
				return err
			}
			if len(args) > 0 {
				namespace = args[0]
			}
			use, err := c.NamespaceUsage(cmd.Context(), namespace)
			if err != nil {
				return err
			}
			return out.show(a, use, func(w *table) { showUsage(w, use) })
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "show all namespaces and the parts of the data directory, as an administrator")
	out.addFlag(cmd)
	return cmd
}

func (a *app) serverUsage(ctx context.Context, out output) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	use, err := c.ServerUsage(ctx)
	if err != nil {
		return err
	}
	size := a.binary
	return out.show(a, use, func(w *table) {
		w.heads("NAMESPACE", "IMAGES", "VERSIONS", "LAYERS", "GIT", "LOGS", "ALL")
		for _, n := range use.Namespaces {
			row(w, n.Namespace, w.count(n.Images), w.count(n.Versions), size(n.Layers), size(n.Git), size(n.Logs), size(n.Bytes))
		}
		row(w, "")
		w.heads("PART", "SIZE")
		for _, p := range use.Parts {
			row(w, p.Part, size(p.Bytes))
		}
	})
}

// quotaText says what a namespace may have, "" where that is any amount.
func (a *app) quotaText(q api.Quota) string {
	var parts []string
	for _, part := range []struct {
		n    int64
		text string
	}{
		{q.Bytes, a.binary(q.Bytes)}, {int64(q.Images), a.Text("%d images", q.Images)},
		{int64(q.Versions), a.Text("%d versions", q.Versions)}, {int64(q.Builds), a.Text("%d builds a day", q.Builds)},
	} {
		if part.n > 0 {
			parts = append(parts, part.text)
		}
	}
	return strings.Join(parts, ", ")
}

func showUsage(w *table, use api.NamespaceUsage) {
	size := w.binary
	w.heads("IMAGE", "VERSIONS", "OWN", "SHARED", "GIT", "LOGS", "ALL")
	for _, i := range use.Images {
		row(w, i.Image, w.count(i.Versions), size(i.Own), size(i.Shared), size(i.Git), size(i.Logs), size(i.Own+i.Shared+i.Git+i.Logs))
	}
	row(w, w.Text("all"), w.count(use.Versions), size(use.Layers), "", size(use.Git), size(use.Logs), size(use.Bytes))
	if quota := w.quotaText(use.Quota); quota != "" {
		row(w, w.Text("quota: %s", quota))
	}
}
