package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog/api"
)

// checkRebuilt has the version built again.
func (v *verification) checkRebuilt(ctx context.Context, a *app, image string) (string, error) {
	made, err := v.client.Compare(ctx, image, v.version, func(line string) { a.say("%s", line) })
	switch {
	case err != nil:
		return "", err
	case made.Error != "":
		return "", errors.New(made.Error)
	case made.Rebuilt == v.digest:
		return a.Text("gave %s again, bit for bit", made.Rebuilt), nil
	}
	return "", errors.New(a.differences(made) + v.reasons(ctx))
}

// reasons are lines with what is known of why a version might not be the same.
func (v *verification) reasons(ctx context.Context) string {
	var text strings.Builder
	if left := v.leftOut(); left != "" {
		text.WriteString("\n  " + plain(left))
	}
	was := v.provenance.Run.Builder.Version["fandogh"]
	if is, err := v.client.ProgramVersion(ctx); err == nil && was != "" && is.Version != was {
		text.WriteString("\n  " + v.app.Text("fandogh %s built the version, and the server is %s now", plain(was), plain(is.Version)))
	}
	return text.String()
}

// differences lists what is not the same, by layer.
func (a *app) differences(c api.Comparison) string {
	var text strings.Builder
	text.WriteString(a.Text("gave %s, and the version is %s", c.Rebuilt, c.Digest))
	if len(c.Differences) == 0 {
		text.WriteString(a.Text("; all files and the configuration are the same, but not how they are packed"))
	}
	part := ""
	for _, d := range c.Differences {
		if in := strings.TrimSpace(d.Platform + " " + cmp.Or(d.Layer, a.Text("configuration"))); in != part {
			part = in
			fmt.Fprintf(&text, "\n  %s:", plain(part))
		}
		fmt.Fprintf(&text, "\n    %s: %s", plain(d.Name), plain(d.What))
	}
	if c.More {
		text.WriteString("\n  " + a.Text("and more"))
	}
	return text.String()
}
