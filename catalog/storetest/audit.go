package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fandoghpaas/fandogh/catalog"
)

// KeepAudit has lines in the audit log.
func KeepAudit(t *testing.T, s catalog.AuditLog, lines ...catalog.AuditLine) {
	t.Helper()
	waited, err := s.KeepAudit(t.Context(), func() []catalog.AuditLine { return lines })
	noError(t, err)
	wantEqual(t, "lines that waited", len(waited), 0)
}

// none are the lines of who has none.
func none() []catalog.AuditLine { return nil }

// What waits is kept once, in its place among others.
func testAuditLines(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	wantEqual(t, "at first", len(must(s.KeepAudit(ctx, none))(t)), 0)
	add := func(what string) {
		t.Helper()
		noError(t, s.AddAuditLine(ctx, catalog.AuditLine{By: "root", What: what, On: map[string]string{"name": "ann"}}))
	}
	line := func(what string) catalog.AuditLine {
		return catalog.AuditLine{At: time.Now(), Via: "rest", By: "bob", What: what}
	}
	whats := func(lines []catalog.AuditLine) string {
		return names(lines, func(l catalog.AuditLine) string { return l.What })
	}
	add("user added")
	lines := []catalog.AuditLine{line("image created")}
	add("user disabled")
	lines = append(lines, line("image deleted"))
	waited := must(s.KeepAudit(ctx, func() []catalog.AuditLine { return lines }))(t)
	wantEqual(t, "what waited", whats(waited), "[user added user disabled]")
	wantRecent(t, "at", waited[0].At)
	if l := waited[0]; l.Via != catalog.ViaAdmin || l.By != "root" || l.From != "local" || l.On["name"] != "ann" {
		t.Errorf("got %+v", l)
	}
	add("user deleted")
	wantEqual(t, "what waited then", whats(must(s.KeepAudit(ctx, none))(t)), "[user deleted]")
	wantEqual(t, "what waits at last", len(must(s.KeepAudit(ctx, none))(t)), 0)
	want := "[user deleted image deleted user disabled image created user added]"
	wantEqual(t, "newest first", whats(must(s.ListAudit(ctx, catalog.AuditFilter{}))(t)), want)
	for size := 1; size <= 5; size++ {
		var listed []catalog.AuditLine
		for page := (catalog.Page{Limit: size}); len(listed) == 0 || page.Before != 0; {
			lines := must(s.ListAudit(ctx, catalog.AuditFilter{Page: page}))(t)
			if page.Before = 0; len(lines) > 0 {
				page.Before = lines[len(lines)-1].ID
			}
			listed = append(listed, lines...)
		}
		wantEqual(t, fmt.Sprint("pages of ", size), whats(listed), want)
	}
}

func testAuditLog(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	at := time.UnixMicro(time.Now().UnixMicro()).Add(-time.Hour)
	line := func(minute int, via, by, what, image string) catalog.AuditLine {
		return catalog.AuditLine{At: at.Add(time.Duration(minute) * time.Minute), Via: via, By: by, From: "192.0.2.1:1", What: what, On: map[string]string{"image": image}}
	}
	KeepAudit(t, s, line(0, "rest", "ann", "image created", "ann/app"), line(1, "ssh", "Bob", "ref pushed", "bob/app"))
	KeepAudit(t, s, line(2, "rest", "bob", "image deleted", "bob/app"), catalog.AuditLine{At: at.Add(3 * time.Minute), Via: "admin", By: "root", From: "local", What: "user added"})
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
