package web_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

func TestMembers(t *testing.T) {
	e := newEnv(t)
	b := e.signedIn("ann")
	const page = "/namespaces/ann/members"
	for name, c := range map[string]struct {
		user, role string
		want       int
		is         catalog.Role
	}{
		"a new one":     {" bob ", "write", 303, catalog.RoleWrite},
		"another role":  {"bob", "read", 303, catalog.RoleRead},
		"no such user":  {evil, "read", 404, catalog.RoleNone},
		"no such role":  {"eve", "god", 400, catalog.RoleRead},
		"the last one":  {"ann", "read", 409, catalog.RoleAdmin},
		"without a one": {"", "read", 404, catalog.RoleNone},
	} {
		got := b.submit(page, page, "user", c.user, "role", c.role)
		if got.StatusCode != c.want {
			t.Errorf("%s: %s", name, got.Status)
		}
		if c.want != http.StatusSeeOther {
			checkPage(t, name, "en", got)
		}
	}
	if got := b.submit(page, page+"/remove", "user", "bob"); got.StatusCode != http.StatusSeeOther {
		t.Errorf("removed: %s", got.Status)
	}
	if role, err := e.store.Role(t.Context(), e.users["bob"].ID, "ann"); err != nil || role != catalog.RoleNone {
		t.Errorf("bob is %v, %v", role, err)
	}
	if body := e.signedIn("eve").get(page).body; strings.Contains(body, "/members/remove") {
		t.Error("a reader is offered to remove members")
	}
}

func TestWebhooks(t *testing.T) {
	e := newEnv(t)
	b := e.signedIn("ann")
	const page = "/settings/ann/app/webhooks"
	if got := b.submit(page, page, "url", ""); got.StatusCode != http.StatusBadRequest {
		t.Errorf("without an address: %s", got.Status)
	}
	made := b.submit(page, page, "url", "https://ci.test/"+evil, "events", "build.started", "events", "build.finished")
	checkPage(t, "a new webhook", "en", made)
	if made.StatusCode != http.StatusOK || !strings.Contains(made.body, "made-secret") || strings.Contains(b.get(page).body, "made-secret") {
		t.Errorf("made: %s", made.Status)
	}
	webhooks, err := e.store.ListWebhooks(t.Context(), "ann", e.image.ID)
	e.must(err)
	if len(webhooks) != 1 || webhooks[0].Events != "build.started build.finished" || webhooks[0].UserID != e.users["ann"].ID {
		t.Fatalf("webhooks: %+v", webhooks)
	}
	if log := e.log.String(); !strings.Contains(log, "webhook created") || strings.Contains(log, "ci.test/") {
		t.Error("the audit log does not tell of the webhook, or has its whole address")
	}
	one := page + "/" + strconv.FormatInt(webhooks[0].ID, 10)
	for _, language := range []string{"en", "fa"} {
		b.language = language
		checkPage(t, page, language, b.get(page))
		checkPage(t, one, language, b.get(one))
	}
	if got := b.submit(one, one+"/redeliver", "delivery", "2"); got.StatusCode != http.StatusSeeOther || len(e.webhooks.redelivered) != 1 || e.webhooks.redelivered[0] != 2 {
		t.Errorf("redelivered: %s, %v", got.Status, e.webhooks.redelivered)
	}
	if got := b.submit(page, one+"/delete"); got.StatusCode != http.StatusSeeOther {
		t.Errorf("deleted: %s", got.Status)
	}
	if got := b.get(one); got.StatusCode != http.StatusNotFound {
		t.Errorf("deliveries of none: %s", got.Status)
	}
}

func TestGitHub(t *testing.T) {
	e := newEnv(t)
	b := e.signedIn("ann")
	const page = "/settings/ann/app/github"
	if got := b.submit(page, page, "repository", "refused", "tags", evil); got.StatusCode != http.StatusBadRequest || !strings.Contains(got.body, `value="refused"`) {
		t.Errorf("refused: %s", got.Status)
	}
	made := b.submit(page, page, "repository", evil, "tags", evil, "branches", evil, "paths", evil, "context", evil, "token", "t")
	checkPage(t, "a new connection", "en", made)
	if !strings.Contains(made.body, "made-secret") {
		t.Errorf("connected: %s", made.Status)
	}
	for _, language := range []string{"en", "fa"} {
		b.language = language
		checkPage(t, page, language, b.get(page))
	}
	for _, path := range []string{"/sync", "/disconnect"} { // in this order
		if got := b.submit(page, page+path); got.StatusCode != http.StatusSeeOther {
			t.Errorf("%s: %s", path, got.Status)
		}
	}
}

// A rule is seen before it is saved, and it is what was seen.
func TestRetention(t *testing.T) {
	e := newEnv(t)
	b := e.signedIn("ann")
	const page = "/settings/ann/app/retention"
	query := "?" + url.Values{"kind": {"versions"}, "keep_last": {"5"}, "keep_days": {"0"}, "keep": {"v* x"}}.Encode()
	for _, language := range []string{"en", "fa"} {
		b.language = language
		for _, path := range []string{page, page + "/preview", page + "/preview" + query} {
			checkPage(t, path, language, b.get(path))
		}
	}
	seen := b.get(page + "/preview" + query)
	if !strings.Contains(seen.body, `name="keep_last" value="5"`) || !strings.Contains(seen.body, `name="keep" value="v* x"`) {
		t.Errorf("the preview offers another rule:\n%s", seen.body)
	}
	if got := b.get(page + "/preview?kind=versions&keep_last=x"); got.StatusCode != http.StatusBadRequest {
		t.Errorf("no number: %s", got.Status)
	}
	if got := b.submit(page, page, "kind", "versions", "keep_last", "5", "keep_days", "0", "keep", "v* x"); got.StatusCode != http.StatusSeeOther {
		t.Errorf("saved: %s", got.Status)
	}
	rules, err := e.store.ListRetentionRules(t.Context(), catalog.RetentionScope{Namespace: "ann", ImageID: e.image.ID})
	if err != nil || len(rules) != 1 || rules[0].Rule != (catalog.RetentionRule{KeepLast: 5, Keep: "v* x"}) {
		t.Errorf("rules: %+v, %v", rules, err)
	}
	checkPage(t, page, "fa", b.get(page))
	if got := b.submit(page, page+"/delete", "kind", "versions"); got.StatusCode != http.StatusSeeOther {
		t.Errorf("removed: %s", got.Status)
	}
	if got := b.submit(page, page, "kind", "versions"); got.StatusCode != http.StatusBadRequest {
		t.Errorf("an empty rule: %s", got.Status)
	}
}

// An image goes only when its name was typed, and its files with it.
func TestDeleteImage(t *testing.T) {
	e := newEnv(t)
	b := e.signedIn("ann")
	const page = "/settings/ann/app"
	if got := b.submit(page, page+"/signed-tags", "signed_tags", "required"); got.StatusCode != http.StatusSeeOther || !strings.Contains(b.get(page).body, `value="required" selected`) {
		t.Errorf("signed tags: %s", got.Status)
	}
	for _, typed := range []string{"", "app", evil} {
		if got := b.submit(page, page+"/delete", "confirm", typed); got.StatusCode != http.StatusBadRequest {
			t.Errorf("%q: %s", typed, got.Status)
		}
	}
	if got := b.submit(page, page+"/delete", "confirm", "ann/app"); got.StatusCode != http.StatusConflict { // v3 waits
		t.Errorf("while it is being built: %s", got.Status)
	}
	v3, err := e.store.Version(t.Context(), e.image.ID, "v3")
	e.must(err)
	waits, err := catalog.NewestBuild(t.Context(), e.store, v3)
	e.must(err)
	_, err = e.store.CancelBuild(t.Context(), waits.ID, waits.QueuedAt)
	e.must(err)
	if got := b.submit(page, page+"/delete", "confirm", "ann/app"); got.StatusCode != http.StatusSeeOther || e.remover.asked != 1 {
		t.Errorf("deleted: %s, %d", got.Status, e.remover.asked)
	}
	if got := b.get("/images/ann/app"); got.StatusCode != http.StatusNotFound {
		t.Errorf("it is still there: %s", got.Status)
	}
}

func TestSparks(t *testing.T) {
	e := newEnv(t)
	v3, err := e.store.Version(t.Context(), e.image.ID, "v3")
	e.must(err)
	waits, err := catalog.NewestBuild(t.Context(), e.store, v3)
	e.must(err)
	_, err = e.store.CancelBuild(t.Context(), waits.ID, waits.QueuedAt)
	e.must(err)
	b := e.signedIn("ann")
	if strings.Contains(b.get("/images/ann/app").body, "<polyline") {
		t.Error("a line of one point")
	}
	e.build("v4", catalog.OutcomeBuilt)
	if strings.Count(b.get("/images/ann/app").body, `<polyline points="3.0,`) != 2 {
		t.Error("no lines of durations and sizes")
	}
}
