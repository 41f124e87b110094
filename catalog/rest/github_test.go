package rest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/rest"
	"github.com/fandoghpaas/fandogh/hooks/github"
	"github.com/fandoghpaas/fandogh/hooks/notify"
	"github.com/fandoghpaas/fandogh/hooks/secrets"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// connectGitHub gives the API the real services, which don't run.
func (e *env) connectGitHub(c *rest.Config) {
	e.t.Helper()
	keyring, err := secrets.Open(filepath.Join(e.t.TempDir(), "key"))
	e.must(err)
	c.GitHub, err = github.New(github.Config{
		Store: e.store, Secrets: keyring, WorkerID: "test", WebhookURL: func() string { return "https://fandogh.test/webhooks/github" },
	})
	e.must(err)
	c.Secrets, err = secrets.New(e.t.Context(), secrets.Config{Store: e.store, Keyring: keyring})
	e.must(err)
	c.Webhooks = notify.New(notify.Config{Store: e.store, Secrets: keyring, WorkerID: "test"})
}

type wireGitHub struct {
	Repository, Secret, Access, Tags, Branches string
	WebhookURL                                 string `json:"webhook_url"`
}

func TestGitHub(t *testing.T) {
	w := newEnv(t)
	w.do("alice", "POST", "/api/images", map[string]string{"name": "app"}).expect(http.StatusOK)
	const path = "/api/images/app/github"
	w.do("alice", "GET", path, nil).expect(http.StatusNotFound)
	w.do("alice", "POST", path+"/sync", nil).expect(http.StatusNotFound)
	made := into[wireGitHub](w.do("alice", "PUT", path, map[string]any{"repository": "https://github.com/acme/app", "token": "ghp_1", "branches": "main"}).expect(http.StatusOK))
	if made.Secret == "" || made.WebhookURL == "" {
		t.Errorf("got %+v", made)
	}
	want := wireGitHub{Repository: "acme/app", Access: "token", Tags: "v*", Branches: "main", WebhookURL: made.WebhookURL, Secret: made.Secret}
	testkit.Same(t, "connected", made, want)
	shown := w.do("alice", "GET", path, nil).expect(http.StatusOK)
	if text := string(shown.body); strings.Contains(text, made.Secret) || strings.Contains(text, "ghp_1") || into[wireGitHub](shown).Access != "token" {
		t.Errorf("got %s", text)
	}
	w.do("alice", "POST", path+"/sync", nil).expect(http.StatusOK)
	changed := into[wireGitHub](w.do("alice", "PUT", path, map[string]any{"repository": "acme/app", "branches": nil, "token": ""}).expect(http.StatusOK))
	want.Access, want.Secret = "public", ""
	testkit.Same(t, "changed", changed, want)
	for field, body := range map[string]string{
		"repository": `{"repository": "nonsense"}`, "secret": `{"repository": "a/b", "secret": ""}`, "tags": `{"repository": "a/b", "tags": ["v*"]}`, "tag": `{"repository": "a/b", "tag": "v*"}`,
	} {
		w.do("alice", "PUT", path, body).fault(http.StatusBadRequest, field)
	}
	w.must(w.store.SetMember(t.Context(), "alice", w.users["bob"].ID, catalog.RoleWrite))
	inAlice := header("ACTIVE-NAMESPACE", "alice")
	w.do("bob", "PUT", path, map[string]any{"repository": "acme/app"}, inAlice).expect(http.StatusForbidden)
	w.do("bob", "POST", path+"/sync", nil, inAlice).expect(http.StatusOK)
	w.do("alice", "DELETE", path, nil).expect(http.StatusOK)
	w.do("alice", "DELETE", path, nil).expect(http.StatusNotFound)
}

type wireWebhook struct {
	ID                  int64
	URL, Events, Secret string
}

func TestWebhooks(t *testing.T) {
	w := newEnv(t)
	w.do("alice", "POST", "/api/images", map[string]string{"name": "app"}).expect(http.StatusOK)
	for _, path := range []string{"/api/images/app/webhooks", "/api/namespaces/alice/webhooks"} {
		made := into[wireWebhook](w.do("alice", "POST", path, map[string]any{"url": "https://example.org/hook"}).expect(http.StatusOK))
		if made.Secret == "" || !strings.Contains(made.Events, "build.finished") {
			t.Errorf("got %+v", made)
		}
		w.do("alice", "POST", path, map[string]any{"url": "https://example.org/hook"}).fault(http.StatusConflict, "url")
		w.do("alice", "POST", path, map[string]any{"url": "http://127.0.0.1/"}).fault(http.StatusBadRequest, "url")
		w.do("alice", "POST", path, map[string]any{"url": "https://example.org/2", "events": "x"}).fault(http.StatusBadRequest, "events")
		list := into[[]wireWebhook](w.do("alice", "GET", path, nil).expect(http.StatusOK))
		if len(list) != 1 || list[0].Secret != "" || list[0].URL != "https://example.org/hook" {
			t.Errorf("got %+v", list)
		}
		one := path + "/" + itoa(made.ID)
		w.do("alice", "GET", one+"/deliveries", nil).expect(http.StatusOK)
		w.do("alice", "GET", path+"/999/deliveries", nil).expect(http.StatusNotFound)
		w.do("alice", "DELETE", path+"/x", nil).expect(http.StatusNotFound)
		w.do("alice", "DELETE", one, nil).expect(http.StatusOK)
		w.do("alice", "DELETE", one, nil).expect(http.StatusNotFound)
	}
}

func itoa(id int64) string { text, _ := json.Marshal(id); return string(text) }

type wireEvent struct {
	ID                                                    int64
	Event, Namespace, Image, Version, State, Member, Role string
}

func (e *env) events(user, query string, options ...option) []wireEvent {
	e.t.Helper()
	return into[[]wireEvent](e.do(user, "GET", "/api/events"+query, nil, options...).expect(http.StatusOK))
}

func TestEvents(t *testing.T) {
	w := newEnv(t)
	w.version("app", "1.0", catalog.OutcomeBuilt)
	all := w.events("alice", "")
	testkit.Same(t, "events", all, []wireEvent{
		{Event: "member.changed", Namespace: "alice", Member: "alice", Role: "admin"},
		{Event: "image.created", Namespace: "alice", Image: "app"},
		{Event: "version.created", Namespace: "alice", Image: "app", Version: "1.0", State: "PENDING"},
		{Event: "build.queued", Namespace: "alice", Image: "app", Version: "1.0", State: "PENDING"},
		{Event: "build.started", Namespace: "alice", Image: "app", Version: "1.0", State: "BUILDING"},
		{Event: "build.finished", Namespace: "alice", Image: "app", Version: "1.0", State: "BUILT"},
	}, cmpopts.IgnoreFields(wireEvent{}, "ID"))
	first := w.do("alice", "GET", "/api/events?limit=1", nil).expect(http.StatusOK)
	if link := first.header.Get("Link"); !strings.Contains(link, "after="+itoa(all[0].ID)) {
		t.Errorf("Link: %s", link)
	}
	if rest := w.events("alice", "?after="+itoa(all[0].ID)); len(rest) != 5 {
		t.Errorf("got %+v", rest)
	}

	// A stream that resumes gives what was missed, then what comes.
	next := w.kinds("alice", header("Last-Event-ID", itoa(all[4].ID)))
	if got := next(); got != "build.finished" {
		t.Errorf("resumed with %q", got)
	}
	w.version("app", "1.1", catalog.OutcomeBuilt)
	if got := next(); got != "version.created" {
		t.Errorf("then came %q", got)
	}
}

// kinds streams a user's events and returns what reads the next one's kind, ""
// at the end of the stream.
func (e *env) kinds(user string, options ...option) func() string {
	e.t.Helper()
	next := e.stream("/api/events", append(options, header("Authorization", "JWT "+e.tokens[user]))...)
	return func() string {
		for {
			line := next()
			if kind, ok := strings.CutPrefix(line, "event: "); ok {
				return kind
			}
			if line == "EOF" {
				return ""
			}
		}
	}
}

// Without a namespace, events are those of all that a user may read at the time.
func TestEventsOfAllNamespaces(t *testing.T) {
	w := newEnv(t)
	ctx := t.Context()
	inAlice := header("ACTIVE-NAMESPACE", "alice")
	of := func(user string, options ...option) string {
		spaces := map[string]int{}
		for _, e := range w.events(user, "", options...) {
			spaces[e.Namespace]++
		}
		return fmt.Sprint(spaces)
	}
	expect := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %s, want %s", what, got, want)
		}
	}
	w.version("app", "1.0", catalog.OutcomeBuilt) // of alice's
	expect("bob, a stranger", of("bob"), "map[bob:1]")
	expect("root", of("root"), "map[alice:6 bob:1 root:1]")
	expect("root in one", of("root", inAlice), "map[alice:6]")
	w.do("bob", "GET", "/api/events", nil, inAlice).expect(http.StatusNotFound)

	stream := w.kinds("bob")
	w.must(w.store.SetMember(ctx, "alice", w.users["bob"].ID, catalog.RoleRead))
	expect("bob, a member", of("bob"), "map[alice:7 bob:1]")
	expect("bob in one", of("bob", header("ACTIVE-NAMESPACE", "bob")), "map[bob:1]")
	expect("bob's stream", stream(), "member.changed")
	w.do("alice", "POST", "/api/images", map[string]string{"name": "other"}).expect(http.StatusOK)
	expect("bob's stream", stream(), "image.created")

	// What the stream would tell next is not his to know any more, and what comes then is.
	w.must(w.store.SetMember(ctx, "alice", w.users["bob"].ID, catalog.RoleNone))
	w.do("alice", "DELETE", "/api/images/other", nil).expect(http.StatusOK)
	w.do("bob", "POST", "/api/images", map[string]string{"name": "own"}).expect(http.StatusOK)
	expect("bob's stream", stream(), "image.created")
	expect("bob, removed", of("bob"), "map[bob:2]")
	last := w.events("alice", "?limit=500")
	removed := last[len(last)-2]
	testkit.Same(t, "bob, removed", removed, wireEvent{ID: removed.ID, Event: "member.changed", Namespace: "alice", Member: "bob"})
}
