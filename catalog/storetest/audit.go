package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fandoghpaas/fandogh/catalog"
)

func testAuditLines(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	wantEqual(t, "at first", len(must(s.AuditLines(ctx))(t)), 0)
	for _, what := range []string{"user added", "user disabled", "user deleted"} {
		noError(t, s.AddAuditLine(ctx, catalog.AuditLine{By: "root", What: what, On: map[string]string{"name": "ann"}}))
	}
	lines := must(s.AuditLines(ctx))(t)
	wantEqual(t, "lines", names(lines, func(l catalog.AuditLine) string { return l.What }), "[user added user disabled user deleted]")
	wantRecent(t, "at", lines[0].At)
	if lines[0].By != "root" || lines[0].On["name"] != "ann" {
		t.Errorf("got %+v", lines[0])
	}
	noError(t, s.DropAuditLines(ctx, lines[1].ID))
	wantEqual(t, "left", must(s.AuditLines(ctx))(t)[0].What, "user deleted")
}

func testAuditLog(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	at := time.UnixMicro(time.Now().UnixMicro()).Add(-time.Hour)
	line := func(minute int, via, by, what, image string) catalog.AuditLine {
		return catalog.AuditLine{At: at.Add(time.Duration(minute) * time.Minute), Via: via, By: by, From: "192.0.2.1:1", What: what, On: map[string]string{"image": image}}
	}
	noError(t, s.KeepAudit(ctx, nil))
	noError(t, s.KeepAudit(ctx, []catalog.AuditLine{line(0, "rest", "ann", "image created", "ann/app"), line(1, "ssh", "Bob", "ref pushed", "bob/app")}))
	noError(t, s.KeepAudit(ctx, []catalog.AuditLine{line(2, "rest", "bob", "image deleted", "bob/app"), {At: at.Add(3 * time.Minute), Via: "admin", By: "root", From: "local", What: "user added"}}))
	listed := func(f catalog.AuditFilter) string {
		return names(must(s.ListAudit(ctx, f))(t), func(l catalog.AuditLine) string { return l.What })
	}
	all := must(s.ListAudit(ctx, catalog.AuditFilter{}))(t)
	want := line(0, "rest", "ann", "image created", "ann/app")
	want.ID = all[len(all)-1].ID
	if diff := cmp.Diff(all[len(all)-1], want); diff != "" {
		t.Errorf("the oldest line:\n%s", diff)
	}
	for _, c := range []struct {
		f    catalog.AuditFilter
		want string
	}{
		{catalog.AuditFilter{}, "[user added image deleted ref pushed image created]"},
		{catalog.AuditFilter{By: "BOB"}, "[image deleted ref pushed]"},
		{catalog.AuditFilter{Via: "rest"}, "[image deleted image created]"},
		{catalog.AuditFilter{Via: "rest", By: "ann"}, "[image created]"},
		{catalog.AuditFilter{Image: "Bob/App"}, "[image deleted ref pushed]"},
		{catalog.AuditFilter{Since: at.Add(time.Minute)}, "[user added image deleted ref pushed]"},
		{catalog.AuditFilter{Since: at.Add(time.Minute), Until: at.Add(2 * time.Minute)}, "[ref pushed]"},
		{catalog.AuditFilter{Page: catalog.Page{Limit: 1}}, "[user added]"},
		{catalog.AuditFilter{Page: catalog.Page{Limit: 2, Before: all[0].ID}}, "[image deleted ref pushed]"},
		{catalog.AuditFilter{By: "nobody"}, "[]"},
	} {
		wantEqual(t, fmt.Sprintf("%+v", c.f), listed(c.f), c.want)
	}
	for _, f := range []catalog.AuditFilter{{Via: "shell"}, {Image: "app"}} {
		_, err := s.ListAudit(ctx, f)
		wantCode(t, err, catalog.Invalid)
	}
	noError(t, s.PruneAudit(ctx, at.Add(2*time.Minute)))
	wantEqual(t, "left", listed(catalog.AuditFilter{}), "[user added image deleted]")
}
