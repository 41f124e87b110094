package rest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
)

// published is how a published client asks: it knows nothing of our own errors.
var published = header("Accept", "*/*")

func asForm(values url.Values) (string, option) {
	return values.Encode(), header("Content-Type", "application/x-www-form-urlencoded")
}

// fields reads a failure as those clients do, who print every key and all of its values.
func (r reply) fields(status int) map[string][]string {
	r.t.Helper()
	return into[map[string][]string](r.expect(status))
}

// What is wrong with a request is a 400 for the published clients, whose every key holds texts.
func TestPublishedClientsKnow400Alone(t *testing.T) {
	w := newEnv(t)
	w.version("app", "1.0", catalog.OutcomeBuilt)
	w.version("busy", "1.0", "")
	for what, test := range map[string]struct {
		reply reply
		field string
	}{
		"an image that exists":    {w.do("alice", "POST", "/api/images", map[string]string{"name": "app"}, published), "name"},
		"a name that can't be":    {w.do("alice", "POST", "/api/images", map[string]string{"name": "a b"}, published), "name"},
		"a wrong media type":      {w.do("alice", "POST", "/api/images", "name=x", published, header("Content-Type", "text/plain")), "Content-Type"},
		"deleted while it builds": {w.do("alice", "DELETE", "/api/images/busy", nil, published), "detail"},
		"a wrong password":        {w.do("", "POST", "/api/tokens", map[string]string{"username": "alice", "password": "wrong"}, published), "password"},
	} {
		got := test.reply.fields(http.StatusBadRequest)
		if len(got) != 1 || len(got[test.field]) != 1 || got[test.field][0] == "" {
			t.Errorf("%s: %s", what, test.reply.body)
		}
	}
	// Where they read the message, it is there.
	gone := into[api.Error](w.do("alice", "GET", "/api/images/none/versions", nil, published).expect(http.StatusNotFound))
	if gone.Message == "" || gone.Contents.Message != gone.Message {
		t.Errorf("got %+v", gone)
	}
	own := into[api.Error](w.do("alice", "POST", "/api/images", map[string]string{"name": "app"}).expect(http.StatusConflict))
	if own.Code != "conflict" || own.Message == "" {
		t.Errorf("who asks for errors as they are gets %+v", own)
	}
}

func TestPublishedLogin(t *testing.T) {
	w := newEnv(t)
	w.must(w.store.SetMember(t.Context(), "bob", w.users["alice"].ID, catalog.RoleRead))
	w.must(w.accounts.SetPassword(t.Context(), w.users["alice"].ID, password))
	body, urlencoded := asForm(url.Values{"username": {"alice"}, "password": {password}})
	for _, reply := range []reply{
		w.do("", "POST", "/api/tokens", body, published, urlencoded),
		w.do("", "POST", "/fa/api/tokens", map[string]string{"username": "alice", "password": password}, published),
	} {
		token := into[api.NewToken](reply.expect(http.StatusOK))
		if token.Secret == "" || token.Username != "alice" || !slices.Equal(token.Namespaces, []string{"alice", "bob"}) {
			t.Errorf("got %s", reply.body)
		}
	}
	name, urlencoded := asForm(url.Values{"name": {"by-form"}})
	w.do("alice", "POST", "/api/images", name, published, urlencoded).expect(http.StatusOK)
	w.do("alice", "GET", "/api/images/by-form/versions", nil).expect(http.StatusOK)
}

func TestPublishedNamespaces(t *testing.T) {
	w := newEnv(t)
	w.must(w.store.SetMember(t.Context(), "bob", w.users["alice"].ID, catalog.RoleRead))
	for _, prefix := range []string{"/api", "/fa/api", "/api/api"} {
		list := into[[]api.Namespace](w.do("alice", "GET", prefix+"/users/namespaces", nil, published).expect(http.StatusOK))
		if len(list) != 2 || list[0].Name != "alice" || list[1].Name != "bob" {
			t.Errorf("%s: %+v", prefix, list)
		}
		if one := into[api.Namespace](w.do("alice", "GET", prefix+"/users/namespaces/bob", nil, published).expect(http.StatusOK)); one.Name != "bob" || one.Role != "read" {
			t.Errorf("%s: %+v", prefix, one)
		}
		w.do("bob", "GET", prefix+"/users/namespaces/alice", nil, published).expect(http.StatusNotFound)
	}
	w.do("alice", "POST", "/api/images", map[string]string{"name": "mine"}, header("ACTIVE-NAMESPACE", "[object Object]")).expect(http.StatusOK)
	if list := into[[]api.Image](w.do("alice", "GET", "/api/images", nil)); len(list) != 1 || list[0].Namespace != "alice" {
		t.Errorf("without a namespace chosen: %+v", list)
	}
}

// A client doubles the prefix of some addresses. Those that it needs are there, and nothing else is to be had
// by a second way, past who keeps /api/admin/ to himself.
func TestDoubledPrefix(t *testing.T) {
	w := newEnv(t)
	for _, row := range []struct {
		path   string
		status int
	}{
		{"/api/api/users/namespaces", http.StatusOK},
		{"/api/api/users/namespaces/alice", http.StatusOK},
		{"/api//api/latest-version", http.StatusNotFound}, // asked by the way: any answer in JSON will do
		{"/api/api/latest-version", http.StatusNotFound},
		{"/api/latest-version", http.StatusNotFound},
		{"/api//api/users/namespaces", http.StatusNotFound},
		{"/api/api/users/namespaces-of-others", http.StatusNotFound},
		{"/api/api/api/users/namespaces", http.StatusNotFound},
		{"/fa/api/api/users/namespaces", http.StatusNotFound},
		{"/api/fa/api/users/namespaces", http.StatusNotFound},
		{"/api/api/users", http.StatusNotFound},
		{"/api/api/images", http.StatusNotFound},
		{"/api/api/accounts", http.StatusNotFound},
		{"/api/api/admin/users", http.StatusNotFound},
		{"/api/api/openapi.yaml", http.StatusNotFound},
	} {
		r := w.do("root", "GET", row.path, nil, published)
		if r.status != row.status || !strings.HasPrefix(r.header.Get("Content-Type"), "application/json") || r.header.Get("Location") != "" {
			t.Errorf("%s: %d %s %q", row.path, r.status, r.header.Get("Content-Type"), r.header.Get("Location"))
		}
	}
}

func TestPublishedOddities(t *testing.T) {
	w := newEnv(t)
	if a := into[api.Account](w.do("alice", "GET", "/api/accounts/alice", nil, published).expect(http.StatusOK)); a.Username != "alice" {
		t.Errorf("got %+v", a)
	}
	w.do("alice", "GET", "/api/accounts/bob", nil, published).expect(http.StatusNotFound)
	w.must(w.accounts.SetPassword(t.Context(), w.users["alice"].ID, password))
	change := map[string]string{"current_password": password, "password": "another-long-one"}
	w.do("alice", "PATCH", "/api/accounts/bob", change, published).expect(http.StatusNotFound)
	w.do("alice", "PATCH", "/api/accounts/alice", change, published).expect(http.StatusOK)
	if r := w.do("", "POST", "/api/errors", map[string]string{"trace": "…"}, published).expect(http.StatusOK); len(r.body) > 0 {
		t.Errorf("a crash report gets %q", r.body)
	}
	w.version("app", "1.0", catalog.OutcomeBuilt, "a line")
	log := into[api.BuildLog](w.do("alice", "GET", "/api/images/app/versions/1.0/builds?image_offset=0", nil, published).expect(http.StatusOK))
	if log.StartDate.IsZero() || log.EndDate.IsZero() || log.State != "BUILT" {
		t.Errorf("got %+v", log)
	}
}

// The contract knows no pages: a list is whole unless a page is asked for.
func TestListsAreWhole(t *testing.T) {
	w := newEnv(t)
	const n = 1203
	for i := range n {
		_, err := w.store.CreateImage(t.Context(), catalog.NewImage{Ref: catalog.ImageRef{Namespace: "alice", Name: fmt.Sprintf("i%d", i)}, OwnerID: w.users["alice"].ID})
		w.must(err)
	}
	r := w.do("alice", "GET", "/api/images", nil, published).expect(http.StatusOK)
	var list []api.Image
	if err := json.Unmarshal(r.body, &list); err != nil || len(list) != n || list[0].Name != "i1202" || list[n-1].Name != "i0" || r.header.Get("Link") != "" {
		t.Errorf("%d images, %v, next %q", len(list), err, r.header.Get("Link"))
	}
	page := w.do("alice", "GET", "/api/images?limit=10", nil, published).expect(http.StatusOK)
	if got := into[[]api.Image](page); len(got) != 10 || page.header.Get("Link") == "" {
		t.Errorf("a page of %d, next %q", len(got), page.header.Get("Link"))
	}
}

// A name is the stored one, however it was written.
func TestNamesAreResolvedOnce(t *testing.T) {
	w := newEnv(t)
	shouting := header("ACTIVE-NAMESPACE", "ALICE")
	w.do("alice", "POST", "/api/images", map[string]string{"name": "app"}, shouting).expect(http.StatusOK)
	r := w.do("alice", "GET", "/api/events", nil, shouting).expect(http.StatusOK)
	if !strings.Contains(string(r.body), "image.created") {
		t.Errorf("events of it: %s", r.body)
	}
}

// A token makes none that outlives it or may more.
func TestTokensOfTokens(t *testing.T) {
	w := newEnv(t)
	w.do("alice-ro", "POST", "/api/tokens", map[string]string{"name": "more"}).fault(http.StatusForbidden, "detail")
	soon := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	parent := into[api.NewToken](w.do("alice", "POST", "/api/tokens", map[string]any{"name": "ci", "expires_at": soon.Format(time.RFC3339)}).expect(http.StatusOK))
	w.tokens["ci"] = parent.Secret
	for _, body := range []map[string]any{{"name": "child"}, {"name": "child", "expires_at": soon.Add(time.Hour).Format(time.RFC3339)}} {
		child := into[api.NewToken](w.do("ci", "POST", "/api/tokens", body).expect(http.StatusOK))
		if child.ExpiresAt.After(soon) || child.ExpiresAt.IsZero() {
			t.Errorf("%v: it ends at %v, after %v", body, child.ExpiresAt, soon)
		}
		w.tokens["child"] = child.Secret
	}
	w.do("child", "GET", "/api/accounts", nil).expect(http.StatusOK)
	// A key would outlive it.
	w.do("ci", "POST", "/api/keys", map[string]string{"key": publicKey(t)}).fault(http.StatusForbidden, "detail")
	w.do("alice", "DELETE", fmt.Sprintf("/api/tokens/%d", parent.ID), nil).expect(http.StatusOK)
	w.do("child", "GET", "/api/accounts", nil).expect(http.StatusUnauthorized)
}
