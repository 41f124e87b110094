package web_test

import (
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/web"
)

func newServer(t *testing.T) (server *web.Server) {
	t.Helper()
	newEnv(t, func(c *web.Config) {
		var err error
		if server, err = web.New(*c); err != nil {
			t.Fatal(err)
		}
	})
	return server
}

// who says what each kind of page answers to each user.
var who = map[string]map[string]int{
	"own":     {"anonymous": 303, "owner": 303, "reader": 303, "stranger": 303}, // on what is the user's own
	"none":    {"anonymous": 303, "owner": 404, "reader": 404, "stranger": 404}, // what is not there, of the user's own
	"open":    {"anonymous": 200, "owner": 200, "reader": 200, "stranger": 200},
	"self":    {"anonymous": 303, "owner": 200, "reader": 200, "stranger": 200},
	"read":    {"anonymous": 303, "owner": 200, "reader": 200, "stranger": 404},
	"manage":  {"anonymous": 303, "owner": 200, "reader": 403, "stranger": 404},
	"managed": {"anonymous": 303, "owner": 303, "reader": 403, "stranger": 404}, // a change
	"nothing": {"anonymous": 303, "owner": 404, "reader": 403, "stranger": 404}, // a change of what is not there
	"admin":   {"anonymous": 303, "owner": 403, "reader": 403, "stranger": 403, "admin": 200},
	"changed": {"anonymous": 303, "owner": 403, "reader": 403, "stranger": 403, "admin": 303}, // by an administrator
	"write":   {"anonymous": 303, "owner": 303, "reader": 403, "stranger": 404},
}

// fields are what the forms of changes have beside their token.
var fields = map[string]url.Values{
	"POST /admin/users":                                          {"username": {"dan"}, "password": {password}},
	"POST /admin/users/{user}/change":                            {"change": {"disable"}},
	"POST /admin/users/{user}/password":                          {"password": {"another " + password}},
	"POST /admin/users/{user}/delete":                            {"confirm": {"gone"}},
	"POST /admin/namespaces/{shared}/delete":                     {"confirm": {"team"}},
	"POST /account/look":                                         {"language": {"en"}, "zone": {"UTC"}},
	"POST /namespaces/{namespace}/members":                       {"user": {"eve"}, "role": {"read"}},
	"POST /namespaces/{namespace}/members/remove":                {"user": {"bob"}},
	"POST /settings/{namespace}/{image}/signed-tags":             {"signed_tags": {"off"}},
	"POST /settings/{namespace}/{image}/webhooks":                {"url": {"https://ci.test/"}},
	"POST /settings/{namespace}/{image}/webhooks/{id}/redeliver": {"delivery": {"1"}},
	"POST /namespaces/{namespace}/webhooks":                      {"url": {"https://ci.test/"}},
	"POST /namespaces/{namespace}/webhooks/{id}/redeliver":       {"delivery": {"1"}},
	"POST /namespaces/{namespace}/retention":                     {"kind": {"versions"}, "keep_last": {"3"}},
	"POST /namespaces/{namespace}/retention/delete":              {"kind": {"versions"}},
	"POST /settings/{namespace}/{image}/github":                  {"repository": {"a/b"}},
	"POST /settings/{namespace}/{image}/retention":               {"kind": {"versions"}, "keep_last": {"3"}},
	"POST /settings/{namespace}/{image}/retention/delete":        {"kind": {"versions"}},
}

// access has a row for every page. Signing in, out and the language have tests of their own.
var access = map[string]string{
	"GET /namespaces/{namespace}/members": "read", "POST /namespaces/{namespace}/members": "managed", "POST /namespaces/{namespace}/members/remove": "managed",
	"GET /namespaces/{namespace}/usage": "read", "GET /settings/{namespace}/{image}": "manage", "POST /settings/{namespace}/{image}/signed-tags": "managed",
	"POST /settings/{namespace}/{image}/delete": "", "GET /settings/{namespace}/{image}/webhooks": "manage", "POST /settings/{namespace}/{image}/webhooks": "manage",
	"GET /settings/{namespace}/{image}/webhooks/{id}": "nothing", "POST /settings/{namespace}/{image}/webhooks/{id}/delete": "nothing",
	"POST /settings/{namespace}/{image}/webhooks/{id}/redeliver": "nothing",
	"GET /namespaces/{namespace}/webhooks":                       "manage", "POST /namespaces/{namespace}/webhooks": "manage", "GET /namespaces/{namespace}/webhooks/{id}": "nothing",
	"POST /namespaces/{namespace}/webhooks/{id}/delete": "nothing", "POST /namespaces/{namespace}/webhooks/{id}/redeliver": "nothing",
	"GET /namespaces/{namespace}/retention": "read", "GET /namespaces/{namespace}/retention/preview": "read",
	"POST /namespaces/{namespace}/retention": "managed", "POST /namespaces/{namespace}/retention/delete": "managed",
	"GET /settings/{namespace}/{image}/github": "read", "POST /settings/{namespace}/{image}/github": "manage", "POST /settings/{namespace}/{image}/github/disconnect": "managed",
	"POST /settings/{namespace}/{image}/github/sync": "nothing", "GET /settings/{namespace}/{image}/retention": "read", "GET /settings/{namespace}/{image}/retention/preview": "read",
	"POST /settings/{namespace}/{image}/retention": "managed", "POST /settings/{namespace}/{image}/retention/delete": "managed",
	"GET /admin": "changed", "GET /admin/users": "admin", "POST /admin/users": "changed", "GET /admin/users/{user}": "admin", "POST /admin/users/{user}/change": "changed",
	"POST /admin/users/{user}/password": "changed", "POST /admin/users/{user}/revoke": "changed", "POST /admin/users/{user}/delete": "changed",
	"GET /admin/namespaces": "admin", "GET /admin/namespaces/{shared}": "admin", "POST /admin/namespaces/{shared}/limits": "changed", "POST /admin/namespaces/{shared}/delete": "changed",
	"GET /admin/queue": "admin", "GET /admin/queue/events": "admin", "POST /admin/queue/pause": "changed", "POST /admin/queue/resume": "changed", "GET /admin/disk": "admin", "POST /admin/disk/collect": "changed",
	"GET /admin/audit": "admin", "GET /admin/doctor": "admin",
	"GET /account": "self", "POST /account/look": "own", "POST /account/tokens": "", "POST /account/tokens/{id}/revoke": "none", "POST /account/sessions/end": "own",
	"POST /account/keys": "", "POST /account/keys/{id}/delete": "none", "POST /account/password": "",
	"GET /{$}": "self", "GET /events": "self", "GET /search": "self", "GET /signin": "", "POST /signin": "", "POST /signout": "", "POST /language": "",
	"GET /static/{file}": "open", "GET /images/{namespace}": "read", "GET /images/{namespace}/{image}": "read", "GET /images/{namespace}/{image}/{version}": "read",
	"POST /images/{namespace}/{image}/{version}/cancel": "write", "POST /images/{namespace}/{image}/{version}/rebuild": "write",
	"GET /images/{namespace}/{image}/{version}/{build}": "read", "GET /images/{namespace}/{image}/{version}/{build}/log": "read",
	"GET /images/{namespace}/{image}/{version}/{build}/events": "read", "GET /images/{namespace}/{image}/{version}/{build}/lines": "read",
	"GET /images/{namespace}/{image}/{version}/files": "read", "GET /images/{namespace}/{image}/{version}/changes": "read",
	"GET /images/{namespace}/{image}/{version}/{build}/outline": "read", "GET /images/{namespace}/{image}/{version}/{build}/find": "read",
}

// queries are what some paths need, by their last part.
var queries = map[string]string{"lines": "?from=1", "find": "?q=line"}

func TestWhoSeesWhat(t *testing.T) {
	e := newEnv(t)
	browsers := map[string]*browser{"anonymous": e.browser(), "owner": e.signedIn("ann"), "reader": e.signedIn("eve"), "stranger": e.signedIn("bob"), "admin": e.signedIn("root")}
	_, err := e.accounts.CreateUser(t.Context(), "gone", password, false)
	e.must(err)
	_, err = e.store.CreateNamespace(t.Context(), "team", e.users["root"].ID)
	e.must(err)
	forms := map[string]url.Values{}
	for name, b := range browsers {
		page := "/"
		if name == "anonymous" {
			page = "/signin"
		}
		forms[name] = url.Values{"form": {b.formToken(page)}}
	}
	for _, route := range web.Routes() {
		kind, known := access[route]
		if !known {
			t.Errorf("%s has no row that says who may use it", route)
		}
		method, path, _ := strings.Cut(route, " ")
		path = strings.NewReplacer("{$}", "", "{file}", "style.css", "{namespace}", "ann", "{image}", "app", "{version}", "v3", "{build}", "1", "{id}", "999", "{user}", "gone", "{shared}", "team").Replace(path)
		if strings.HasSuffix(path, "/files") || strings.HasSuffix(path, "/changes") { // of what is built
			path = strings.Replace(path, "v3", "v1", 1)
		}
		if strings.HasSuffix(path, "/events") {
			path += "?after=0"
		}
		if query, ok := queries[route[strings.LastIndex(route, "/")+1:]]; ok {
			path += query
		}
		for name, want := range who[kind] {
			form := maps.Clone(forms[name])
			maps.Copy(form, fields[route])
			if method == "GET" {
				form = nil
			}
			if got := browsers[name].do(method, path, form); got.StatusCode != want {
				t.Errorf("%s %s by %s: %s, want %d", method, path, name, got.Status, want)
			} else if name == "anonymous" && want == http.StatusSeeOther && !strings.HasPrefix(got.Header.Get("Location"), "/signin") {
				t.Errorf("%s %s by %s leads to %q", method, path, name, got.Header.Get("Location"))
			}
		}
	}
	// What is another's and what does not exist look alike.
	if other, none := browsers["stranger"].get("/images/ann/app"), browsers["stranger"].get("/images/abc/app"); strings.ReplaceAll(withoutTokens(other.body), "ann", "abc") != withoutTokens(none.body) {
		t.Error("a stranger can tell what exists")
	}
	if body := browsers["stranger"].get("/").body; strings.Contains(body, "ann/app") || strings.Contains(browsers["stranger"].get("/search?q=ann/app").body, "/images/ann") {
		t.Error("a stranger is shown another's image")
	}
	if body := browsers["reader"].get("/images/ann/app/v3").body; strings.Contains(body, "/cancel") {
		t.Error("a reader is offered to cancel")
	}
}

// Who could see an image no longer can when it is of another namespace, not on the first page either.
func TestHomeForgetsWhatWasTransferred(t *testing.T) {
	e := newEnv(t)
	owner, reader := e.signedIn("ann"), e.signedIn("eve")
	if !strings.Contains(reader.get("/").body, "/images/ann/app/v1") {
		t.Fatal("the reader does not see the builds")
	}
	_, err := e.store.CreateNamespace(t.Context(), "team", e.users["ann"].ID)
	e.must(err)
	build, err := e.store.ClaimBuild(t.Context(), "me", 100, time.Now(), time.Now().Add(time.Hour))
	e.must(err)
	e.must(e.store.FinishBuild(t.Context(), build.ID, "me", catalog.BuildResult{Outcome: catalog.OutcomeUserError, EndedAt: time.Now()}))
	_, err = e.store.TransferImage(t.Context(), e.image, "team")
	e.must(err)
	if body := reader.get("/").body; strings.Contains(body, "team") {
		t.Error("the reader of the former namespace is shown builds of the new one")
	}
	if body := owner.get("/").body; !strings.Contains(body, "/images/team/app/v1") {
		t.Error("who belongs to both is not shown its builds")
	}
}

// Whom another admin has removed from the namespace of their own name sees nothing of it.
func TestHomeOfWhoWasRemoved(t *testing.T) {
	e := newEnv(t)
	b := e.signedIn("ann")
	e.must(e.store.SetMember(t.Context(), "ann", e.users["bob"].ID, catalog.RoleAdmin))
	e.must(e.store.SetMember(t.Context(), "ann", e.users["ann"].ID, catalog.RoleNone))
	if got := b.get("/"); got.StatusCode != http.StatusOK || strings.Contains(got.body, "/images/ann") {
		t.Errorf("%s, with images or builds of a namespace that the user does not belong to", got.Status)
	}
}

// withoutTokens is a page without what differs each time.
func withoutTokens(body string) string {
	return regexp.MustCompile(`name="form" value="[^"]*"`).ReplaceAllString(body, "")
}

// A change needs a form of a page of ours, for this session.
func TestForms(t *testing.T) {
	e := newEnv(t)
	b, other := e.signedIn("ann"), e.signedIn("eve")
	const cancel = "/images/ann/app/v3/cancel"
	token := b.formToken("/")
	if token == b.formToken("/") {
		t.Error("two pages have one token, whose bits the size of a compressed page could tell")
	}
	for name, c := range map[string]struct {
		form   string
		header []string
		want   int
	}{
		"of the page":            {token, nil, http.StatusSeeOther},
		"of our page, as told":   {token, []string{"Sec-Fetch-Site", "same-origin"}, http.StatusSeeOther},
		"without a token":        {"", nil, http.StatusForbidden},
		"with another's token":   {other.formToken("/"), nil, http.StatusForbidden},
		"from another site":      {token, []string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		"from a neighbour":       {token, []string{"Sec-Fetch-Site", "same-site"}, http.StatusForbidden},
		"from another origin":    {token, []string{"Origin", "http://evil.test"}, http.StatusForbidden},
		"from nowhere, as a tab": {token, []string{"Origin", "null"}, http.StatusForbidden},
	} {
		e.control.cancelled = nil
		got := b.post(cancel, url.Values{"form": {c.form}}, c.header...)
		if got.StatusCode != c.want || (len(e.control.cancelled) == 1) != (c.want == http.StatusSeeOther) {
			t.Errorf("%s: %s, cancelled %v", name, got.Status, e.control.cancelled)
		}
	}
	if got := b.get(cancel); got.StatusCode != http.StatusNotFound { // the number of a build would stand there
		t.Errorf("GET of a change: %s", got.Status)
	}
	if got := b.post("/images/ann/app/v2/rebuild", url.Values{"form": {token}}); got.Header.Get("Location") != "/images/ann/app/v2/1" || len(e.control.rebuilt) != 1 {
		t.Errorf("rebuild: %s, %v", got.Status, e.control.rebuilt)
	}
	if got := e.browser().post("/signin", url.Values{"username": {"ann"}, "password": {password}}); got.StatusCode != http.StatusForbidden {
		t.Errorf("a sign-in without a form of ours: %s", got.Status)
	}
	if got := b.post("/language", url.Values{"form": {token}, "language": {strings.Repeat("x", 200<<10)}}); got.StatusCode != http.StatusBadRequest {
		t.Errorf("a large form: %s", got.Status)
	}
}

func TestSignIn(t *testing.T) {
	e := newEnv(t)
	b := e.browser()
	if got := b.get("/images/ann/app?state=BUILT"); got.Header.Get("Location") != "/signin?next=%2Fimages%2Fann%2Fapp%3Fstate%3DBUILT" {
		t.Errorf("asked to sign in at %q", got.Header.Get("Location"))
	}
	for next, want := range map[string]string{"/images/ann/app?state=BUILT": "/images/ann/app?state=BUILT", "//evil.test/": "/", "https://evil.test": "/", `/\evil.test`: "/", "javascript:alert(1)": "/", "": "/", "/%2f/evil": "/"} {
		if got := e.browser().signIn("ann", password, next); got.Header.Get("Location") != want {
			t.Errorf("after the sign-in from %q: %q", next, got.Header.Get("Location"))
		}
	}
	for range 5 {
		if got := b.signIn("ann", "wrong", "/"); got.StatusCode != http.StatusUnauthorized {
			t.Fatalf("a wrong password: %s", got.Status)
		}
	}
	b.signIn(evil, evil, "/").elements(t, func(*html.Node) {})
	var last *answer
	for range 60 { // as often as any login may be guessed at
		if last = b.signIn("bob", "wrong", "/"); last.StatusCode == http.StatusTooManyRequests {
			break
		}
	}
	if last.StatusCode != http.StatusTooManyRequests || last.Header.Get("Retry-After") == "" {
		t.Errorf("after many wrong passwords: %s", last.Status)
	}
	if !strings.Contains(e.log.String(), "login failed") {
		t.Error("failed logins are not in the audit log")
	}
}

func TestSession(t *testing.T) {
	e := newEnv(t)
	b := e.browser()
	signedIn := b.signIn("ann", password, "/")
	var session *http.Cookie
	for _, c := range signedIn.Cookies() {
		if c.Name == "fandogh" {
			session = c
		}
	}
	if session == nil || !session.HttpOnly || session.SameSite != http.SameSiteLaxMode || session.Path != "/" || session.Domain != "" || session.MaxAge <= 0 || session.Secure {
		t.Fatalf("session: %+v", session)
	}
	tokens, err := e.store.ListTokens(t.Context(), e.users["ann"].ID)
	e.must(err)
	if len(tokens) != 1 || tokens[0].Name != "browser session" || tokens[0].ExpiresAt.IsZero() {
		t.Fatalf("tokens: %+v", tokens)
	}
	// The session ends with its token.
	e.must(e.store.DeleteTokens(t.Context(), e.users["ann"].ID))
	if got := b.get("/"); got.Header.Get("Location") != "/signin" {
		t.Errorf("after the token's end: %s", got.Status)
	}
	b.signIn("ann", password, "/")
	secret := b.client.Jar.Cookies(mustURL(b.url))
	if got := b.post("/signout", url.Values{"form": {b.formToken("/")}}); got.Header.Get("Location") != "/signin" {
		t.Errorf("sign-out: %s", got.Status)
	}
	if tokens, err = e.store.ListTokens(t.Context(), e.users["ann"].ID); err != nil || len(tokens) != 0 {
		t.Errorf("after the sign-out: %v, %v", tokens, err)
	}
	b.client.Jar.SetCookies(mustURL(b.url), secret)
	if got := b.get("/"); got.StatusCode != http.StatusSeeOther {
		t.Errorf("an old cookie: %s", got.Status)
	}

	// A token may stand in the password's place, and no session outlives it.
	token, made, err := e.accounts.CreateToken(t.Context(), catalog.NewToken{UserID: e.users["bob"].ID, Name: "test", Scope: catalog.ScopeWrite})
	e.must(err)
	b = e.browser()
	b.signIn("bob", token, "/")
	if got := b.get("/"); got.StatusCode != http.StatusOK {
		t.Errorf("signed in by a token: %s", got.Status)
	}
	e.must(e.store.DeleteToken(t.Context(), e.users["bob"].ID, made.ID))
	if got := b.get("/"); got.StatusCode != http.StatusSeeOther {
		t.Errorf("after the token's end: %s", got.Status)
	}
	read, _, err := e.accounts.CreateToken(t.Context(), catalog.NewToken{UserID: e.users["bob"].ID, Name: "read", Scope: catalog.ScopeRead})
	e.must(err)
	if got := e.browser().signIn("bob", read, "/"); got.StatusCode != http.StatusForbidden {
		t.Errorf("signed in by a token that may only read: %s", got.Status)
	}
}

func mustURL(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil {
		panic(err)
	}
	return u
}

func TestCookiesUnderTLS(t *testing.T) {
	e := newEnv(t, func(c *web.Config) { c.PublicURL = "https://fandogh.test" })
	for _, c := range e.browser().get("/signin").Cookies() {
		if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.Path != "/" {
			t.Errorf("cookie: %+v", c)
		}
	}
}

func TestLanguage(t *testing.T) {
	e := newEnv(t)
	b := e.browser()
	for accept, want := range map[string]string{"fa-IR,fa;q=0.9,en;q=0.5": "fa", "en-US,en": "en", "de": "en", "": "en", "de,fa;q=0.3": "fa", ";;;": "en"} {
		b.language = accept
		if got := b.get("/signin").Header.Get("Content-Language"); got != want {
			t.Errorf("%q: %s, want %s", accept, got, want)
		}
	}
	b.language = "en"
	form := url.Values{"form": {b.formToken("/signin")}, "language": {"fa"}, "next": {"/signin"}}
	if got := b.post("/language", form); got.Header.Get("Location") != "/signin" {
		t.Errorf("chosen: %s", got.Status)
	}
	if page := b.get("/signin"); page.Header.Get("Content-Language") != "fa" || !strings.Contains(page.body, "گذرواژه") {
		t.Errorf("the choice is not kept: %s", page.body)
	}
}
