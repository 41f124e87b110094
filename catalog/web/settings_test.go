package web_test

import (
	"net/http"
	"net/url"
	"reflect"
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
	for page, ofImage := range map[string]bool{"/settings/ann/app/webhooks": true, "/namespaces/ann/webhooks": false} {
		t.Run(page, func(t *testing.T) { testWebhooks(t, page, ofImage) })
	}
}

func testWebhooks(t *testing.T, page string, ofImage bool) {
	e := newEnv(t)
	b := e.signedIn("ann")
	var imageID int64
	if ofImage {
		imageID = e.image.ID
	}
	if got := b.submit(page, page, "url", ""); got.StatusCode != http.StatusBadRequest {
		t.Errorf("without an address: %s", got.Status)
	}
	made := b.submit(page, page, "url", "https://ci.test/"+evil, "events", "build.started", "events", "build.finished")
	checkPage(t, "a new webhook", "en", made)
	if made.StatusCode != http.StatusOK || !strings.Contains(made.body, "made-secret") || strings.Contains(b.get(page).body, "made-secret") {
		t.Errorf("made: %s", made.Status)
	}
	webhooks, err := e.store.ListWebhooks(t.Context(), "ann", imageID)
	e.must(err)
	if len(webhooks) != 1 || webhooks[0].ImageID != imageID || webhooks[0].Events != "build.started build.finished" || webhooks[0].UserID != e.users["ann"].ID {
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
	empty, typed := "", "t2"
	for name, c := range map[string]struct {
		fields           []string
		status           int
		token, deployKey *string
	}{
		"left alone":              {nil, http.StatusOK, nil, nil},
		"a token removed":         {[]string{"no_token", "1"}, http.StatusOK, &empty, nil},
		"a key removed":           {[]string{"no_deploy_key", "1", "token", "t2"}, http.StatusOK, &typed, &empty},
		"one given and removed":   {[]string{"no_token", "1", "token", "t2"}, http.StatusBadRequest, nil, nil},
		"a key given and removed": {[]string{"no_deploy_key", "1", "deploy_key", "t2"}, http.StatusBadRequest, nil, nil},
	} {
		e.github.asked = catalog.GitHubSettings{}
		got := b.submit(page, page, append([]string{"repository", "a/b"}, c.fields...)...)
		if got.StatusCode != c.status || !reflect.DeepEqual(e.github.asked.Token, c.token) || !reflect.DeepEqual(e.github.asked.DeployKey, c.deployKey) {
			t.Errorf("%s: %s, asked for %+v", name, got.Status, e.github.asked)
		}
	}
	for _, path := range []string{"/sync", "/disconnect"} { // in this order
		if got := b.submit(page, page+path); got.StatusCode != http.StatusSeeOther {
			t.Errorf("%s: %s", path, got.Status)
		}
	}
}

// A rule is seen before it is saved, and it is what was seen.
func TestRetention(t *testing.T) {
	for page, ofImage := range map[string]bool{"/settings/ann/app/retention": true, "/namespaces/ann/retention": false} {
		t.Run(page, func(t *testing.T) { testRetention(t, page, ofImage) })
	}
}

func testRetention(t *testing.T, page string, ofImage bool) {
	e := newEnv(t)
	b := e.signedIn("ann")
	scope := catalog.RetentionScope{Namespace: "ann"}
	if ofImage {
		scope.ImageID = e.image.ID
	}
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
	rules, err := e.store.ListRetentionRules(t.Context(), scope)
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

// The preview of a namespace's rule counts the images that it is about, and names the others.
func TestRetentionOfANamespace(t *testing.T) {
	e := newEnv(t)
	b := e.signedIn("ann")
	other, err := e.store.CreateImage(t.Context(), catalog.NewImage{Ref: catalog.ImageRef{Namespace: "ann", Name: "own"}, OwnerID: e.users["ann"].ID})
	e.must(err)
	const page = "/namespaces/ann/retention/preview?kind=versions&keep_last=1"
	if body := b.get(page).body; strings.Contains(body, "a rule of its own") || !strings.Contains(body, "<strong>2 would go, of 12.3 MB in all; 1 would stay.</strong>") ||
		!strings.Contains(body, `href="/settings/ann/own/retention/preview?keep_last=1&amp;kind=versions"`) {
		t.Errorf("of all images: %s", body)
	}
	for _, image := range []int64{other.ID, e.image.ID} {
		e.must(e.store.SetRetentionRule(t.Context(), catalog.ScopedRule{RetentionScope: catalog.RetentionScope{Namespace: "ann", ImageID: image}, Kind: catalog.RetainVersions,
			Rule: catalog.RetentionRule{KeepLast: 9}}))
	}
	if body := b.get(page).body; strings.Count(body, "It has a rule of its own.") != 2 || !strings.Contains(body, "<strong>0 would go") {
		t.Errorf("of images with rules of their own: %s", body)
	}
	if body := b.get("/namespaces/ann/retention/preview").body; strings.Contains(body, "It has a rule of its own.") || !strings.Contains(body, "<strong>2 would go") {
		t.Errorf("by the rules in force: %s", body)
	}
	if body := e.signedIn("eve").get("/namespaces/ann/retention").body; strings.Contains(body, "keep_last") || strings.Contains(body, "/namespaces/ann/webhooks") {
		t.Error("a reader is offered to change rules, or to see webhooks")
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
