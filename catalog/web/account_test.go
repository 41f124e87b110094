package web_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

// submit sends a form of a page.
func (b *browser) submit(page, path string, fields ...string) *answer {
	b.t.Helper()
	form := url.Values{"form": {b.formToken(page)}}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return b.post(path, form, "Referer", b.url+page)
}

// key1 is a public key.
const key1 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPndJUtlCHqHtG65JgvuLgXhMsmNbYL9XFpJ0rPbuYQ3"

func TestOwnKeys(t *testing.T) {
	e := newEnv(t)
	b := e.signedIn("ann")
	if got := b.submit("/account", "/account/keys", "key", "nonsense"+evil, "name", evil); got.StatusCode != http.StatusBadRequest || !strings.Contains(got.body, "nonsense") {
		t.Errorf("nonsense: %s", got.Status)
	} else {
		checkPage(t, "/account with a refused key", "en", got)
	}
	const hint = `<a href="/account#keys">`
	if !strings.Contains(b.get("/").body, hint) {
		t.Error("who has no key is not told so on the first page")
	}
	added := b.submit("/account", "/account/keys", "key", key1, "name", evil[:100])
	if added.StatusCode != http.StatusSeeOther {
		t.Fatalf("a key: %s\n%s", added.Status, added.body)
	}
	keys, err := e.store.ListKeys(t.Context(), e.users["ann"].ID)
	e.must(err)
	if len(keys) != 1 || keys[0].Name != evil[:100] {
		t.Fatalf("keys: %+v", keys)
	}
	link, _, _ := strings.Cut(added.Header.Get("Location"), "#")
	page := b.get(link)
	checkPage(t, "/account with a key", "en", page)
	const says = `class="done"`
	if !strings.Contains(page.body, says) {
		t.Errorf("%s does not say that a key was added", link)
	}
	for what, got := range map[string]*answer{
		"made up": b.get("/account?done=password"), "of another change": b.get(strings.Replace(link, "key_added", "password", 1)), "of another session": e.signedIn("ann").get(link),
	} {
		if strings.Contains(got.body, says) {
			t.Errorf("a link that is %s has the page say that something was done", what)
		}
	}
	if strings.Contains(b.get("/").body, hint) {
		t.Error("who has a key is told otherwise")
	}
	path := "/account/keys/" + strconv.FormatInt(keys[0].ID, 10) + "/delete"
	if got := e.signedIn("eve").submit("/account", path); got.StatusCode != http.StatusNotFound {
		t.Errorf("another's key: %s", got.Status)
	}
	if got := b.submit("/account", path); got.StatusCode != http.StatusSeeOther {
		t.Errorf("deleted: %s", got.Status)
	}
	if keys, err = e.store.ListKeys(t.Context(), e.users["ann"].ID); err != nil || len(keys) != 0 {
		t.Errorf("keys: %+v, %v", keys, err)
	}
}

// A token is shown once, has the scope and the time that were chosen, and outlives the session.
func TestOwnTokens(t *testing.T) {
	e := newEnv(t)
	b := e.signedIn("ann")
	for name, c := range map[string]struct{ days, scope, password string }{
		"a wrong password": {"30", "read", "wrong"}, "no scope": {"30", "all", password}, "too long": {"3650", "read", password}, "no time": {"", "read", password},
	} {
		if got := b.submit("/account", "/account/tokens", "name", "x", "days", c.days, "scope", c.scope, "password", c.password); got.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", name, got.Status)
		}
	}
	made := b.submit("/account", "/account/tokens", "name", evil[:100], "days", "7", "scope", "read", "password", password)
	checkPage(t, "a new token", "en", made)
	secret := regexp.MustCompile(`<pre tabindex="0">([^<]+)</pre>`).FindStringSubmatch(made.body)
	if made.StatusCode != http.StatusOK || secret == nil {
		t.Fatalf("a token: %s\n%s", made.Status, made.body)
	}
	if again := b.get("/account"); strings.Contains(again.body, secret[1]) {
		t.Error("the token is shown again")
	} else {
		checkPage(t, "/account with a token", "en", again)
	}
	b.submit("/account", "/signout")
	id, err := e.accounts.ByToken(t.Context(), secret[1])
	if err != nil || id.Scope != catalog.ScopeRead || id.Token.ParentID != 0 || id.Token.ExpiresAt.Sub(id.Token.CreatedAt).Hours() > 7*24+1 {
		t.Errorf("the token: %+v, %v", id.Token, err)
	}
}

// A session ends from another, and no other user's does.
func TestSessionsAreRevoked(t *testing.T) {
	e := newEnv(t)
	lost, here := e.signedIn("ann"), e.signedIn("ann")
	tokens, err := e.store.ListTokens(t.Context(), e.users["ann"].ID)
	e.must(err)
	first := "/account/tokens/" + strconv.FormatInt(tokens[len(tokens)-1].ID, 10) + "/revoke"
	if got := e.signedIn("eve").submit("/account", first); got.StatusCode != http.StatusNotFound {
		t.Errorf("another's session: %s", got.Status)
	}
	if got := here.submit("/account", first); got.StatusCode != http.StatusSeeOther || lost.get("/").StatusCode != http.StatusSeeOther || here.get("/").StatusCode != http.StatusOK {
		t.Errorf("revoked: %s", got.Status)
	}
	if got := here.submit("/account", "/account/tokens/"+strconv.FormatInt(tokens[0].ID, 10)+"/revoke"); got.Header.Get("Location") != "/signin" {
		t.Errorf("the own session: %s", got.Status)
	}
}

// All other sessions of a user end at once; tokens and what others have stay.
func TestOtherSessionsEnd(t *testing.T) {
	e := newEnv(t)
	lost, older, here, other := e.signedIn("ann"), e.signedIn("ann"), e.signedIn("ann"), e.signedIn("eve")
	_, token, err := e.accounts.CreateToken(t.Context(), catalog.NewToken{UserID: e.users["ann"].ID, Name: "ci", Scope: catalog.ScopeWrite})
	e.must(err)
	if page := here.get("/account"); !strings.Contains(page.body, `action="/account/sessions/end"`) {
		t.Error("there is no form for it")
	}
	if got := here.submit("/account", "/account/sessions/end"); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("ended: %s", got.Status)
	}
	for name, b := range map[string]*browser{"the lost one": lost, "the older one": older} {
		if got := b.get("/account"); got.StatusCode != http.StatusSeeOther {
			t.Errorf("%s goes on: %s", name, got.Status)
		}
	}
	for name, b := range map[string]*browser{"this one": here, "another user's": other} {
		if got := b.get("/account"); got.StatusCode != http.StatusOK {
			t.Errorf("%s ended: %s", name, got.Status)
		}
	}
	left, err := e.store.ListTokens(t.Context(), e.users["ann"].ID)
	if err != nil || len(left) != 2 || !slices.ContainsFunc(left, func(t catalog.Token) bool { return t.ID == token.ID }) {
		t.Errorf("left: %+v, %v", left, err)
	}
	if page := here.get("/account"); strings.Contains(page.body, "sessions/end") {
		t.Error("there is nothing to end, and a form for it")
	}
}

func TestOwnPassword(t *testing.T) {
	e := newEnv(t)
	b := e.signedIn("ann")
	token, _, err := e.accounts.CreateToken(t.Context(), catalog.NewToken{UserID: e.users["ann"].ID, Name: "test", Scope: catalog.ScopeWrite})
	e.must(err)
	const next = "another good password"
	for name, c := range map[string][3]string{
		"a wrong one": {"wrong", next, next}, "a token": {token, next, next}, "none": {"", next, next}, "two": {password, next, next + "x"}, "a weak one": {password, "x", "x"},
	} {
		if got := b.submit("/account", "/account/password", "current", c[0], "new", c[1], "again", c[2]); got.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", name, got.Status)
		}
	}
	if got := b.submit("/account", "/account/password", "current", password, "new", next, "again", next); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("changed: %s\n%s", got.Status, got.body)
	}
	if got := e.browser().signIn("ann", next, "/"); got.StatusCode != http.StatusSeeOther {
		t.Errorf("the new password: %s", got.Status)
	}
}

// Language and zone are the browser's, and times follow.
func TestLook(t *testing.T) {
	e := newEnv(t)
	b := e.signedIn("ann")
	for zone, want := range map[string]int{"": 400, "Local": 400, "../../etc/passwd": 400, evil: 400, "Asia//Tehran": 400, "Asia/./Tehran": 400, "Asia/Tehran": 303} {
		if got := b.submit("/account", "/account/look", "language", "fa", "zone", zone); got.StatusCode != want {
			t.Errorf("%q: %s", zone, got.Status)
		}
	}
	page := b.get("/account?done=look")
	checkPage(t, "/account", "fa", page)
	if !strings.Contains(page.body, "Asia/Tehran") || !regexp.MustCompile(`[۰-۹]+ (فروردین|اردیبهشت|خرداد|تیر|مرداد|شهریور|مهر|آبان|آذر|دی|بهمن|اسفند) ۱۴`).MatchString(page.body) {
		t.Errorf("no Jalali date in %s", page.body)
	}
}
