package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/api"
)

func newRetentionCommand(a *app) *cobra.Command {
	return group("retention", "Say which versions stay",
		`Say which built versions stay. A rule keeps the last so many, those of so many days, and
those that match a pattern; what no part of it keeps is removed, with image data, tag and
logs. Versions that pushed branches were built as (main-1a2b3c4) have a rule of their own.

An image's rule is its own, else that of its namespace, else the server's; none adds to
another. Whatever the rule, these stay: the newest version, latest, what a branch is at,
what another version is built from, and what is being built, signed or pulled.

The name of a version that was removed is free for the same image alone.`,
		`  fandogh retention show --image shop
  fandogh retention preview --image shop --keep-last 10 --keep 'v*.0'
  fandogh retention set --image shop --keep-last 10 --keep 'v*.0'`,
		newRetentionShowCommand(a), newRetentionSetCommand(a), newRetentionUnsetCommand(a), newRetentionPreviewCommand(a), newRetentionDeletedCommand(a))
}

// ruleFlags are a rule, and of which versions it is.
type ruleFlags struct {
	image    string
	branches bool
	rule     api.SetRetentionRule
}

func (o *ruleFlags) addKind(cmd *cobra.Command, a *app) {
	cmd.Flags().StringVarP(&o.image, "image", "i", "", "`name` of the image (default all images of the namespace)")
	complete(cmd, "image", a.completeImages)
	cmd.Flags().BoolVar(&o.branches, "branches", false, "versions that pushed branches were built as, instead of all others")
}

func (o *ruleFlags) addRule(cmd *cobra.Command) {
	cmd.Flags().IntVar(&o.rule.KeepLast, "keep-last", 0, "keep the newest `number` of versions of an image")
	cmd.Flags().IntVar(&o.rule.KeepDays, "keep-days", 0, "keep versions built within this `number` of days")
	cmd.Flags().StringVar(&o.rule.Keep, "keep", "", "keep versions that match these `patterns`, separated by commas; * keeps all")
}

func (o *ruleFlags) kind() string {
	if o.branches {
		return "branches"
	}
	return "versions"
}

// empty reports whether no part of a rule was given.
func (o *ruleFlags) empty() bool { return o.rule == api.SetRetentionRule{} }

func showRules(a *app, out output, rules []api.RetentionRule) error {
	return out.show(a, rules, func(w *table) {
		w.heads("OF", "KEEPS", "RULE OF")
		for _, r := range rules {
			row(w, r.Kind, w.ruleText(r), r.From)
		}
	})
}

func (a *app) ruleText(r api.RetentionRule) string {
	var parts []string
	if r.KeepLast > 0 {
		parts = append(parts, a.Text("the last %d", r.KeepLast))
	}
	if r.KeepDays > 0 {
		parts = append(parts, a.Text("%d days", r.KeepDays))
	}
	if r.Keep != "" {
		parts = append(parts, r.Keep)
	}
	return a.everything(strings.Join(parts, ", "))
}
