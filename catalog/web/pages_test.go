package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/web"
)

// pages are all that a user sees, by a path.
var pages = []string{
	"/namespaces/ann/members", "/namespaces/ann/usage", "/namespaces/ann/webhooks", "/namespaces/ann/retention", "/namespaces/ann/retention/preview", "/settings/ann/app", "/settings/ann/app/webhooks", "/settings/ann/app/github", "/settings/ann/app/retention",
	"/settings/ann/app/retention/preview", "/", "/account", "/account?done=look", "/account?done=" + url.QueryEscape(evil), "/search?q=" + url.QueryEscape(evil), "/search?q=nothing", "/search?q=a", "/images/ann", "/images/ann/app", "/images/ann/app?state=BUILT", "/images/ann/app?state=FAILED",
	"/images/ann/app/v1", "/images/ann/app/v2", "/images/ann/app/v3", "/images/ann/app/v1/1", "/images/ann/app/v2/1", "/images/ann/app/v2/1?from=1", "/images/ann/app/v3/1",
	"/images/ann/app/v2/1?times=1&q=" + url.QueryEscape(evil), "/images/ann/app/v2/1?q=nothing", "/images/ann/app/v2/1?q=line", "/images/ann/app/v2/1?step=4",
	"/images/ann/app/v1/files", "/images/ann/app/v1/files?path=%2Fetc%2F" + url.QueryEscape(evil) + "&layer=1&platform=x", "/images/ann/app/v1/files?path=/busy", "/images/ann/app/v1/files?path=/bomb",
	"/images/ann/app/v1/changes", "/images/ann/app/v1/changes?since=v1", "/images/ann/app/v1/changes?since=v1&platform=busy",
}

// Whatever users and builds say is text: a page has no element and no attribute but its own, in both languages.
func TestPagesAreTheirOwn(t *testing.T) {
	e := newEnv(t)
	b := e.signedIn("ann")
	for _, language := range []string{"en", "fa"} {
		b.language = language
		for _, path := range append([]string{"/images/ann/" + url.PathEscape(evil)}, pages...) {
			page := b.get(path)
			want := http.StatusOK
			if strings.Contains(path, "%") && !strings.Contains(path, "?") {
				want = http.StatusNotFound
			}
			if page.StatusCode != want {
				t.Fatalf("%s in %s: %s\n%s\n%s", path, language, page.Status, page.body, e.log)
			}
			checkPage(t, path, language, page)
		}
	}
	first := b.get("/")
	if len(first.body) > 100_000 {
		t.Errorf("the first page has %d bytes", len(first.body))
	}
}

func checkPage(t *testing.T, path, language string, page *answer) {
	t.Helper()
	if strings.Contains(page.body, "%!") || strings.Contains(page.body, "<no value>") || strings.Contains(page.body, "ZgotmplZ") {
		t.Errorf("%s in %s: something is missing:\n%s", path, language, page.body)
	}
	titles := 0
	page.elements(t, func(n *html.Node) {
		attributes := map[string]string{}
		for _, a := range n.Attr {
			attributes[a.Key] = a.Val
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || strings.Contains(a.Key, "<") {
				t.Errorf("%s: <%s %s=%q>", path, n.Data, a.Key, a.Val)
			}
		}
		for _, link := range []string{attributes["href"], attributes["src"], attributes["action"], attributes["data-follow"]} {
			u, err := url.Parse(link)
			if err != nil || u.Scheme != "" && (u.Scheme != "https" || n.Data != "a" || attributes["rel"] == "") {
				t.Errorf("%s: <%s> leads to %q", path, n.Data, link)
			}
		}
		switch n.Data {
		case "html":
			if want := map[string]string{"en": "ltr", "fa": "rtl"}[language]; attributes["lang"] != language || attributes["dir"] != want {
				t.Errorf("%s is in %q, %q", path, attributes["lang"], attributes["dir"])
			}
		case "title":
			titles++
		case "script":
			if n.FirstChild != nil || !strings.HasPrefix(attributes["src"], "/static/") {
				t.Errorf("%s has a script: %v", path, attributes)
			}
		case "img", "style", "iframe", "object", "base":
			t.Errorf("%s has <%s>", path, n.Data)
		}
	})
	if titles != 1 {
		t.Errorf("%s has %d titles", path, titles)
	}
}

// What a user says may not turn around or hide what stands beside it.
func TestNothingIsTurnedAround(t *testing.T) {
	e := newEnv(t)
	b := e.signedIn("ann")
	tricks := "a\u202etxt.exe\u2066\x01\u009b"
	b.post("/account/keys", url.Values{"form": {b.formToken("/account")}, "name": {tricks}, "key": {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti"}})
	for _, path := range []string{"/search?q=" + url.QueryEscape(tricks), "/account"} {
		got := b.get(path)
		if !strings.Contains(got.body, "a\uFFFDtxt.exe\uFFFD\uFFFD\uFFFD") || strings.ContainsAny(got.body, "\u202e\u2066\x01\u009b") {
			t.Errorf("%s: %s, or it is not as it was said", path, got.Status)
		}
	}
}

func TestHeaders(t *testing.T) {
	e := newEnv(t)
	b := e.signedIn("ann")
	for _, path := range append(pages, "/signin", "/static/live.js", "/static/nothing.js", "/images/ann/app/v1/1/log", "/images/bob") {
		h := b.get(path).Header
		policy := h.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%s: the policy has no %s: %s", path, part, policy)
			}
		}
		if strings.Contains(policy, "unsafe") || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "same-origin" || h.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: %v", path, h)
		}
		if !strings.HasPrefix(path, "/static/") && h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s may be stored: %s", path, h.Get("Cache-Control"))
		}
	}
}

// Everything that is linked to from our pages is there, assets with a lasting address too.
func TestLinksLeadSomewhere(t *testing.T) {
	e := newEnv(t)
	b := e.signedIn("ann")
	seen := map[string]bool{}
	for _, path := range pages {
		b.get(path).elements(t, func(n *html.Node) {
			for _, a := range n.Attr {
				if (a.Key == "href" || a.Key == "src") && strings.HasPrefix(a.Val, "/") {
					path, _, _ := strings.Cut(a.Val, "#")
					seen[path] = true
				}
			}
		})
	}
	for path := range seen {
		page := b.get(path)
		if page.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", path, page.Status)
		}
		if strings.HasPrefix(path, "/static/") && !strings.Contains(page.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s is asked for again and again", path)
		}
	}
}

func TestLogOnAPage(t *testing.T) {
	e := newEnv(t)
	b := e.signedIn("ann")
	end := b.get("/images/ann/app/v2/1").body
	if !strings.Contains(end, `id="L1203"`) || strings.Contains(end, `id="L203"`) || !strings.Contains(end, "?from=1#log\"") {
		t.Error("the page does not show the end of the log")
	}
	begin := b.get("/images/ann/app/v2/1?from=1").body
	for _, want := range []string{`<span class="b c1">red</span>`, `<a href="https://example.com/a?b=1" rel="noopener noreferrer nofollow">https://example.com/a?b=1</a>`, "?from=1001#log"} {
		if !strings.Contains(begin, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	raw := b.get("/images/ann/app/v2/1/log")
	if !strings.HasPrefix(raw.body, evil+"\n") || raw.Header.Get("Content-Type") != "text/plain; charset=utf-8" || !strings.HasPrefix(raw.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("%v: %.200s", raw.Header, raw.body)
	}
	stream := b.get("/images/ann/app/v3/1/events?after=1", "Accept", "text/event-stream")
	if !strings.Contains(stream.body, "id: 2\ndata: {\"o\":0,\"p\":[{\"t\":\"red\",\"c\":\"b c1\"},") || !strings.HasSuffix(stream.body, "event: end\ndata: {}\n\n") {
		t.Errorf("%s: %s", stream.Status, stream.body)
	}
}

func TestServes(t *testing.T) {
	server, err := web.New(web.Config{})
	if err == nil || server != nil {
		t.Error("a server was made of nothing")
	}
	server = newServer(t)
	for _, path := range []string{"/", "/signin", "/images/ann/app", "/static/style.css"} {
		if r, _ := http.NewRequestWithContext(t.Context(), "GET", path, nil); !server.Serves(r) {
			t.Errorf("%s is not served", path)
		}
	}
	for _, path := range []string{"/api/images", "/v2/", "/metrics", "/healthz", "/webhooks/github", "/fa/api/images", "/nothing"} {
		if r, _ := http.NewRequestWithContext(t.Context(), "GET", path, nil); server.Serves(r) {
			t.Errorf("%s is served as a page", path)
		}
	}
}

func TestSearch(t *testing.T) {
	e := newEnv(t)
	commit := strings.Repeat("c0ffee1", 5) + "00000"
	for version, commit := range map[string]string{"v9": commit, "v10": "dead" + commit[4:], "v11": "dead" + commit[4:]} {
		_, err := e.store.QueueBuilds(t.Context(), []catalog.NewBuild{{ImageID: e.image.ID, Version: version, Trigger: catalog.TriggerPush, Commit: commit, UserID: e.users["ann"].ID}})
		e.must(err)
	}
	owner, stranger := e.signedIn("ann"), e.signedIn("bob")
	for query, want := range map[string]string{
		"app": "/images/ann/app", "APP:v1": "/images/ann/app/v1", "ann/app": "/images/ann/app", "ann/app:v2": "/images/ann/app/v2",
		commit: "/images/ann/app/v9", " " + commit[:7]: "/images/ann/app/v9", "sha256:" + strings.Repeat("1", 64): "/images/ann/app/v1", "1111111": "/images/ann/app/v1",
		"ap": "", "c0ffee": "", "ann/ap": "", "nothing": "",
	} {
		if got := owner.get("/search?q=" + url.QueryEscape(query)); got.Header.Get("Location") != want {
			t.Errorf("%q leads to %q, want %q", query, got.Header.Get("Location"), want)
		}
		if got := stranger.get("/search?q=" + url.QueryEscape(query)); got.StatusCode != http.StatusOK || strings.Contains(got.body, "/images/ann") {
			t.Errorf("%q by a stranger: %s, %q", query, got.Status, got.Header.Get("Location"))
		}
	}
	if got := owner.get("/search?q=ap"); !strings.Contains(got.body, `href="/images/ann/app"`) {
		t.Error("the beginning of a name finds no image")
	}
	several := owner.get("/search?q=deadee1")
	if checkPage(t, "several versions", "en", several); !strings.Contains(several.body, `/images/ann/app/v10"`) || !strings.Contains(several.body, `/images/ann/app/v11"`) {
		t.Errorf("two versions of one commit: %s", several.body)
	}
}

// A browser that asks for what is not there gets a page; others are not for us.
func TestUnknownPaths(t *testing.T) {
	e := newEnv(t)
	for _, b := range []*browser{e.browser(), e.signedIn("ann")} {
		for _, language := range []string{"en", "fa"} {
			b.language = language
			for _, path := range []string{"/nothing", "/images", "/nothing/" + url.PathEscape(evil), "/images/ann/app/v1/1/2/3", "/signout"} {
				page := b.get(path)
				if page.StatusCode != http.StatusNotFound {
					t.Errorf("%s: %s", path, page.Status)
				}
				checkPage(t, path, language, page)
			}
		}
	}
	for accept, want := range map[string]bool{
		"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8": true, "application/json, text/html;q=0.5": true,
		"": false, "*/*": false, "application/json": false, "text/html;q=0": false, "text/*": false,
	} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "/nothing", nil)
		e.must(err)
		r.Header.Set("Accept", accept)
		if web.WantsPage(r) != want {
			t.Errorf("%q wants a page: %v", accept, !want)
		}
	}
	if r, _ := http.NewRequestWithContext(t.Context(), "POST", "/nothing", nil); web.WantsPage(r) {
		t.Error("a change wants a page")
	}
}
