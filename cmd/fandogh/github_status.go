package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

type githubStatusOptions struct {
	versionFlags
	output
}

func newGitHubStatusCommand(a *app) *cobra.Command {
	var o githubStatusOptions
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show an image's connection and its recent deliveries",
		Long:    `Show an image's connection, the result of each of the repository's refs, and GitHub's latest deliveries.`,
		Example: `  fandogh github status --image shop`,
		Args:    usage.ExactArgs(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runGitHubStatus(cmd, a, o) },
	}
	o.addImage(cmd, a)
	o.addFlag(cmd)
	return cmd
}

func runGitHubStatus(cmd *cobra.Command, a *app, o githubStatusOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	if err := o.fillImage(cmd.Context(), a); err != nil {
		return err
	}
	status, err := c.GitHub(cmd.Context(), o.image)
	if err != nil {
		return err
	}
	return o.show(a, status, func(w *table) { githubTable(w, status) })
}

func githubTable(w *table, s api.GitHub) {
	for _, field := range [][2]string{
		{"repository", s.Repository}, {"renamed from", s.Former}, {"webhook", s.WebhookURL}, {"access", s.Access}, {"tags", s.Tags},
		{"branches", s.Branches}, {"paths", s.Paths}, {"context", s.Context},
	} {
		if field[1] != "" {
			row(w, w.Text(field[0]), field[1])
		}
	}
	if len(s.Refs) > 0 {
		fmt.Fprintln(w)
		w.heads("REF", "COMMIT", "WHEN", "RESULT")
	}
	for _, r := range s.Refs {
		row(w, r.Ref, fmt.Sprintf("%.7s", r.Commit), w.time(r.At), oneLine(r.Note, 100))
	}
	if len(s.Deliveries) > 0 {
		fmt.Fprintln(w)
		w.heads("DELIVERY", "STATE", "WHEN", "RESPONSE")
	}
	for _, d := range s.Deliveries {
		row(w, d.ID, d.State, w.time(d.At), oneLine(d.Answer, 100))
	}
}
