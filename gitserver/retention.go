package gitserver

import (
	"context"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// retentionVerbs tell and change which versions stay.
var retentionVerbs = []verb{
	{"retention", "NAMESPACE[/IMAGE]", "show which versions of an image, or of a namespace's images, stay", 1, catalog.ActionRead, nil, (*client).retention},
	{"retention-set", "[--branches] [--last N] [--days N] [--keep PATTERNS] NAMESPACE[/IMAGE]", "keep the last N versions, those of N days, and those that match; of branches' with --branches", 1, catalog.ActionManage, ruleFlags, (*client).retentionSet},
	{"retention-unset", "[--branches] NAMESPACE[/IMAGE]", "remove the rule of an image or a namespace: the next one holds", 1, catalog.ActionManage, kindFlag, (*client).retentionUnset},
	{"retention-preview", "[--branches] [--last N] [--days N] [--keep PATTERNS] IMAGE", "show what would be removed now, or by another rule", 1, catalog.ActionRead, ruleFlags, (*client).retentionPreview},
	{"deleted-versions", "IMAGE", "list deleted versions, whose names no other image can have", 1, catalog.ActionRead, nil, (*client).deletedVersions},
}

func kindFlag(set *flag.FlagSet, f *flags) { set.BoolVar(&f.branches, "branches", false, "") }

func ruleFlags(set *flag.FlagSet, f *flags) {
	kindFlag(set, f)
	set.IntVar(&f.rule.KeepLast, "last", 0, "")
	set.IntVar(&f.rule.KeepDays, "days", 0, "")
	set.StringVar(&f.rule.Keep, "keep", "", "")
}

func (f flags) kind() catalog.RetentionKind {
	if f.branches {
		return catalog.RetainBranches
	}
	return catalog.RetainVersions
}

// retentionScope is what a command's rule is of. Errors: NotFound.
func (c *client) retentionScope(ctx context.Context, ref catalog.ImageRef) (catalog.RetentionScope, error) {
	scope := catalog.RetentionScope{Namespace: ref.Namespace}
	if ref.Name == "" {
		return scope, nil
	}
	image, err := c.server.config.Store.Image(ctx, ref)
	scope.ImageID = image.ID
	return scope, err
}

func (c *client) retention(ctx context.Context, ref catalog.ImageRef, _ []string) error {
	scope, err := c.retentionScope(ctx, ref)
	if err != nil {
		return err
	}
	rules, err := c.server.config.Retention.Rules(ctx, scope)
	if err != nil {
		return err
	}
	return c.table(func(w io.Writer) {
		fmt.Fprintln(w, c.heads("OF", "KEEPS", "RULE OF"))
		for _, r := range rules {
			fmt.Fprintf(w, "%s\t%s\t%s\n", r.Kind, r.Rule, r.From)
		}
	})
}

func (c *client) retentionSet(ctx context.Context, ref catalog.ImageRef, args []string) error {
	scope, err := c.retentionScope(ctx, ref)
	if err != nil {
		return err
	}
	if err := c.server.config.Store.SetRetentionRule(ctx, catalog.ScopedRule{RetentionScope: scope, Kind: c.flags.kind(), Rule: c.flags.rule}); err != nil {
		return err
	}
	return c.retention(ctx, ref, args)
}

func (c *client) retentionUnset(ctx context.Context, ref catalog.ImageRef, args []string) error {
	scope, err := c.retentionScope(ctx, ref)
	if err != nil {
		return err
	}
	if err := c.server.config.Store.DeleteRetentionRule(ctx, scope, c.flags.kind()); err != nil {
		return err
	}
	return c.retention(ctx, ref, args)
}

func (c *client) retentionPreview(ctx context.Context, ref catalog.ImageRef, _ []string) error {
	var instead *catalog.ScopedRule
	if rule := c.flags.rule; !rule.IsZero() || c.flags.branches {
		rule, err := rule.Checked()
		if err != nil {
			return err
		}
		instead = &catalog.ScopedRule{Kind: c.flags.kind(), Rule: rule}
	}
	image, err := c.server.config.Store.Image(ctx, ref)
	if err != nil {
		return err
	}
	decisions, err := c.server.config.Retention.Preview(ctx, image, instead)
	if err != nil {
		return err
	}
	return c.table(func(w io.Writer) {
		fmt.Fprintln(w, c.heads("VERSION", "STATE", "BUILT", "RESULT", "WHY"))
		for _, d := range decisions {
			does := c.speaker.Text("goes")
			if d.Keeps {
				does = c.speaker.Text("stays")
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", d.Name, c.state(d.State), c.endedAt(d.EndedAt), does, d.Reason)
		}
	})
}

func (c *client) endedAt(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return c.when(t)
}

func (c *client) deletedVersions(ctx context.Context, ref catalog.ImageRef, _ []string) error {
	image, err := c.server.config.Store.Image(ctx, ref)
	if err != nil {
		return err
	}
	deleted, err := c.server.config.Store.ListTombstones(ctx, image.ID)
	if err != nil {
		return err
	}
	return c.table(func(w io.Writer) {
		fmt.Fprintln(w, c.heads("VERSION", "DELETED", "DIGEST", "WHY"))
		for _, t := range deleted {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", t.Version, c.when(t.At), t.Digest, t.Reason)
		}
	})
}
