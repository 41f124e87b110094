package main

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/catalog/client"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

type auditOptions struct {
	output
	filter client.AuditFilter
	since  string
	limit  int
}

func newAuditCommand(a *app) *cobra.Command {
	var o auditOptions
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "List what users and administrators changed",
		Long: `List what users and administrators changed, newest first: when, by whom, through which
interface and from where. This is for administrators.`,
		Example: `  fandogh audit --user ali --since 1d
  fandogh audit --image team/shop --limit 1000`,
		Args: usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runAudit(cmd, a, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.filter.User, "user", "", "only what this `user` did")
	f.StringVar(&o.filter.Via, "via", "", "only what was done through this `interface`: web, rest, ssh, registry, lfs or admin")
	f.StringVar(&o.filter.Image, "image", "", "only what was done to this image, as `namespace/name`")
	f.StringVar(&o.since, "since", "", "only what was done within this `duration`, such as 12h or 30d")
	f.IntVarP(&o.limit, "limit", "n", 100, "show this `number` of lines at most")
	o.addFlag(cmd)
	return cmd
}

func runAudit(cmd *cobra.Command, a *app, o auditOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	if o.limit < 1 {
		return usage.Errorf("--limit must be 1 or more")
	}
	if o.since != "" {
		var ok bool
		if o.filter.Since, ok = later(o.since, time.Now(), -1); !ok || o.filter.Since.After(time.Now()) {
			return usage.Errorf("--since %q is not a duration such as 12h or 30d", o.since)
		}
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	lines, err := client.Collect(c.Audit(cmd.Context(), o.filter), o.limit)
	if err != nil {
		return err
	}
	return o.show(a, lines, func(w *table) {
		w.heads("AT", "USER", "VIA", "FROM", "WHAT", "ABOUT")
		for _, l := range lines {
			row(w, w.time(l.At), l.User, l.Via, l.From, l.What, aboutText(l))
		}
	})
}

// aboutText is what a line is about, on one line.
func aboutText(l api.AuditLine) string {
	var about []string
	for _, key := range slices.Sorted(maps.Keys(l.About)) {
		about = append(about, key+"="+l.About[key])
	}
	return strings.Join(about, " ")
}
