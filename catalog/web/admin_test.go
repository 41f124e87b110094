package web_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/storetest"
)

// adminPages are those of the administration.
var adminPages = []string{
	"/admin/users", "/admin/users?after=b", "/admin/users/ann", "/admin/users/root", "/admin/namespaces", "/admin/namespaces/ann", "/admin/queue", "/admin/disk",
	"/admin/audit", "/admin/audit?user=ann&via=web&image=" + url.QueryEscape(evil) + "&since=2026-01-01&until=2036-01-01", "/admin/doctor",
}

func TestAdminPages(t *testing.T) {
	e := newEnv(t)
	b := e.signedIn("root")
	storetest.KeepAudit(t, e.store, catalog.AuditLine{At: time.Now(), Via: evil, By: evil, From: evil, What: evil, On: map[string]string{evil: evil, "image": "ann/app"}})
	_, err := e.store.PauseQueue(t.Context(), evil, evil)
	e.must(err)
	e.must(e.operator.Collect(evil, true))
	_, err = e.accounts.AddKey(t.Context(), e.users["ann"].ID, evil[:100], key1)
	e.must(err)
	_, _, err = e.accounts.CreateToken(t.Context(), catalog.NewToken{UserID: e.users["ann"].ID, Name: evil[:100], Scope: catalog.ScopeRead})
	e.must(err)
	for _, language := range []string{"en", "fa"} {
		b.language = language
		for _, path := range adminPages {
			page := b.get(path)
			if page.StatusCode != http.StatusOK {
				t.Errorf("%s: %s", path, page.Status)
			}
			checkPage(t, path, language, page)
		}
	}
	if got := b.get("/admin/audit?since=1404-12-30"); got.StatusCode != http.StatusBadRequest {
		t.Errorf("no day: %s", got.Status)
	}
	for _, path := range []string{"/admin/users/nobody", "/admin/namespaces/nothing"} {
		if got := b.get(path); got.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, got.Status)
		}
	}
	if body := e.signedIn("ann").get("/").body; strings.Contains(body, "/admin") {
		t.Error("a user is offered the administration")
	}
}

// A page of the queue is told when the queue is not what it shows any more: by what is built, and by who pauses it.
func TestQueueNews(t *testing.T) {
	e := newEnv(t)
	b := e.signedIn("root")
	mark := func() string {
		_, after, _ := strings.Cut(b.get("/admin/queue").body, `data-last="`)
		mark, _, _ := strings.Cut(after, `"`)
		return mark
	}
	shown := mark()
	if again := mark(); again != shown || len(shown) != 16 {
		t.Fatalf("the queue is %q, and then %q", shown, again)
	}
	for _, c := range []struct {
		what   string
		change func() error
	}{
		{"a build", func() error { e.build("v4", ""); return nil }},
		{"a pause", func() error { _, err := e.store.PauseQueue(t.Context(), "root", ""); return err }},
		{"a reason", func() error { _, err := e.store.PauseQueue(t.Context(), "root", evil); return err }},
		{"no pause", func() error { _, err := e.store.ResumeQueue(t.Context()); return err }},
		{"an end", func() error { e.finish("v3", catalog.OutcomeBuilt); return nil }},
	} {
		shown := mark()
		answers := make(chan *answer, 1)
		go func() { answers <- b.get("/admin/queue/events?after="+shown, "Accept", "text/event-stream") }()
		e.must(c.change())
		if got := <-answers; !strings.HasPrefix(got.body, "retry: 500\nid: ") || strings.Contains(got.body, shown) || got.Header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("%s: %s: %q", c.what, got.Status, got.body)
		}
	}
	// Who was told hears of what is new since, as browsers ask again.
	if got := b.get("/admin/queue/events?after="+mark(), "Accept", "text/event-stream", "Last-Event-ID", shown); !strings.Contains(got.body, "id: "+mark()) {
		t.Errorf("by the last event: %q", got.body)
	}
}

// The days of the filter are typed as the language has them, and what was understood is said.
func TestAuditDays(t *testing.T) {
	e := newEnv(t)
	b := e.signedIn("root")
	tehran := time.FixedZone("", 12600)
	for what, at := range map[string]time.Time{"before-it": time.Date(2026, 3, 19, 23, 59, 0, 0, tehran), "on-it": time.Date(2026, 3, 20, 23, 59, 0, 0, tehran), "after-it": time.Date(2026, 3, 21, 0, 0, 0, 0, tehran)} {
		storetest.KeepAudit(t, e.store, catalog.AuditLine{At: at, Via: "web", By: "ann", What: what})
	}
	if got := b.submit("/account", "/account/look", "zone", "Asia/Tehran", "language", "fa"); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("another zone: %s", got.Status)
	}
	for _, day := range []string{"1404-12-29", "۱۴۰۴/۱۲/۲۹", "۲۹ اسفند ۱۴۰۴", "2026-03-20"} {
		query := "/admin/audit?" + url.Values{"since": {day}, "until": {day}}.Encode()
		page := b.get(query)
		checkPage(t, day, "fa", page)
		for _, want := range []string{"on-it", `value="۱۴۰۴/۱۲/۲۹"`, `<time datetime="2026-03-20">۲۹ اسفند ۱۴۰۴</time>`, `<span dir="ltr">2026-03-20</span>`} {
			if !strings.Contains(page.body, want) {
				t.Errorf("%s: no %s", day, want)
			}
		}
		if strings.Contains(page.body, "before-it") || strings.Contains(page.body, "after-it") {
			t.Errorf("%s: lines of other days", day)
		}
		b.submit("/account", "/account/look", "zone", "Asia/Tehran", "language", "en")
		if page := b.get(query); !strings.Contains(page.body, `type="date" dir="ltr" value="2026-03-20"`) || !strings.Contains(page.body, ">20 Mar 2026</time>") || !strings.Contains(page.body, "on-it") {
			t.Errorf("%s in English: %s", day, page.body)
		}
		b.submit("/account", "/account/look", "zone", "Asia/Tehran", "language", "fa")
	}
}

func TestAdminOfUsers(t *testing.T) {
	e := newEnv(t)
	b := e.signedIn("root")
	for name, want := range map[string]int{"dan": 303, "ann": 409, evil: 400, "": 400} {
		if got := b.submit("/admin/users", "/admin/users", "username", name, "password", password); got.StatusCode != want {
			t.Errorf("adding %q: %s", name, got.Status)
		}
	}
	const dan = "/admin/users/dan"
	user := func() catalog.User {
		t.Helper()
		u, err := e.store.User(t.Context(), "dan")
		e.must(err)
		return u
	}
	his := e.signedIn("dan")
	for _, change := range []string{"promote", "demote", "disable", "enable"} {
		if got := b.submit(dan, dan+"/change", "change", change); got.StatusCode != http.StatusSeeOther {
			t.Errorf("%s: %s", change, got.Status)
		}
		if u := user(); u.Admin != (change == "promote") || u.Disabled() != (change == "disable") {
			t.Errorf("after %s: %+v", change, u)
		}
		if got := his.get("/"); (got.StatusCode == http.StatusOK) != (change != "disable") {
			t.Errorf("a session after %s: %s", change, got.Status)
		}
	}
	if got := b.submit(dan, dan+"/revoke"); got.StatusCode != http.StatusSeeOther || his.get("/").StatusCode != http.StatusSeeOther {
		t.Errorf("revoked: %s", got.Status)
	}
	if got := b.submit(dan, dan+"/password", "password", "short"); got.StatusCode != http.StatusBadRequest {
		t.Errorf("a weak password: %s", got.Status)
	}
	if got := b.submit(dan, dan+"/password", "password", "a long new password"); got.StatusCode != http.StatusSeeOther {
		t.Errorf("a new password: %s", got.Status)
	}
	if got := e.browser().signIn("dan", "a long new password", "/"); got.StatusCode != http.StatusSeeOther {
		t.Errorf("the new password: %s", got.Status)
	}
	// No administrator shuts themselves out, by a form that the page does not even have.
	for _, change := range []string{"demote", "disable"} {
		if got := b.submit("/admin/users/root", "/admin/users/root/change", "change", change); got.StatusCode != http.StatusConflict {
			t.Errorf("%s oneself: %s", change, got.Status)
		}
	}
	if got := b.submit(dan, "/admin/users/root/delete", "confirm", "root"); got.StatusCode != http.StatusConflict {
		t.Errorf("delete oneself: %s", got.Status)
	}
	if got := b.submit(dan, dan+"/delete", "confirm", "ann"); got.StatusCode != http.StatusBadRequest {
		t.Errorf("another name: %s", got.Status)
	}
	if got := b.submit(dan, dan+"/delete", "confirm", "dan"); got.StatusCode != http.StatusSeeOther || e.remover.asked != 1 {
		t.Errorf("deleted: %s", got.Status)
	}
}

func TestAdminPagesOfUsers(t *testing.T) {
	e := newEnv(t)
	for n := range 31 {
		_, err := e.store.CreateUser(t.Context(), catalog.NewUser{Name: "user-" + strconv.Itoa(100+n)})
		e.must(err)
	}
	b := e.signedIn("root")
	first := b.get("/admin/users").body
	if !strings.Contains(first, `href="/admin/users/ann"`) || strings.Contains(first, "user-130") || !strings.Contains(first, "?after=user-125") {
		t.Errorf("the first page: %s", first)
	}
	if second := b.get("/admin/users?after=user-125").body; strings.Contains(second, `href="/admin/users/ann"`) || !strings.Contains(second, "user-130") {
		t.Errorf("the second page: %s", second)
	}
}

func TestAdminOfNamespaces(t *testing.T) {
	e := newEnv(t)
	b := e.signedIn("root")
	const page = "/admin/namespaces/ann"
	if got := b.submit(page, page+"/limits", "memory", "2GiB", "timeout", "30m", "cpus", "1.5", "running", "2", "quota_bytes", "none", "quota_images", "7"); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("limits: %s\n%s", got.Status, got.body)
	}
	want := catalog.NamespaceLimits{Build: catalog.BuildLimits{Memory: 2 << 30, Timeout: 30 * time.Minute, CPUs: 1.5}, Running: 2, Quota: catalog.Quota{Bytes: catalog.NoQuota, Images: 7}}
	if got, err := e.store.NamespaceLimits(t.Context(), "ann"); err != nil || got != want {
		t.Errorf("limits: %+v, %v", got, err)
	}
	body := b.get(page).body
	for _, shown := range []string{`name="memory" dir="ltr" autocomplete="off" maxlength="40" value="2GiB"`, `value="30m0s"`, `value="1.5"`, `value="none"`} {
		if !strings.Contains(body, shown) {
			t.Errorf("the page has no %s", shown)
		}
	}
	for field, text := range map[string]string{"memory": evil, "cpus": "-1", "timeout": "soon", "quota_images": "-5", "running": "1e9"} {
		got := b.submit(page, page+"/limits", field, text)
		if got.StatusCode != http.StatusBadRequest {
			t.Errorf("%s %q: %s", field, text, got.Status)
		}
		checkPage(t, page+" with a wrong "+field, "en", got)
	}
	_, err := e.store.CreateNamespace(t.Context(), "team", e.users["ann"].ID)
	e.must(err)
	for _, typed := range []string{"", "ann", "team"} {
		got := b.submit("/account", "/admin/namespaces/team/delete", "confirm", typed)
		if deleted := typed == "team"; deleted && got.StatusCode != http.StatusSeeOther || !deleted && got.StatusCode != http.StatusBadRequest {
			t.Errorf("%q: %s", typed, got.Status)
		}
	}
}

func TestAdminOfTheQueue(t *testing.T) {
	e := newEnv(t)
	b := e.signedIn("root")
	if got := b.submit("/admin/queue", "/admin/queue/pause", "reason", strings.Repeat("x", 501)); got.StatusCode != http.StatusBadRequest {
		t.Errorf("a long reason: %s", got.Status)
	}
	if got := b.submit("/admin/queue", "/admin/queue/pause", "reason", evil); got.StatusCode != http.StatusSeeOther {
		t.Errorf("paused: %s", got.Status)
	}
	if pause, err := e.store.QueuePause(t.Context()); err != nil || pause.By != "root" || pause.Reason != evil {
		t.Errorf("pause: %+v, %v", pause, err)
	}
	if body := b.get("/admin/queue").body; !strings.Contains(body, "No build runs") {
		t.Error("the page does not say that the queue is drained")
	}
	if got := b.submit("/admin/queue", "/admin/queue/resume"); got.StatusCode != http.StatusSeeOther {
		t.Errorf("resumed: %s", got.Status)
	}
	if pause, err := e.store.QueuePause(t.Context()); err != nil || pause.Paused() {
		t.Errorf("pause: %+v, %v", pause, err)
	}
	if got := b.submit("/admin/disk", "/admin/disk/collect", "dry_run", "1"); got.StatusCode != http.StatusSeeOther || !e.operator.collected.DryRun {
		t.Errorf("a dry run: %s, %+v", got.Status, e.operator.collected)
	}
	if got := b.submit("/admin/disk", "/admin/disk/collect"); got.StatusCode != http.StatusConflict {
		t.Errorf("while it is at it: %s", got.Status)
	}
}
