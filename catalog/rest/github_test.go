package rest_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/rest"
	"github.com/fandoghpaas/fandogh/hooks/github"
	"github.com/fandoghpaas/fandogh/hooks/notify"
	"github.com/fandoghpaas/fandogh/hooks/secrets"
)

// connectGitHub gives the API the real services, which don't run.
func (w *world) connectGitHub(c *rest.Config) {
	w.t.Helper()
	box, err := secrets.Open(filepath.Join(w.t.TempDir(), "key"))
	w.must(err)
	c.GitHub, err = github.New(github.Config{
		Store: w.store, Secrets: box, Owner: "test", WebhookURL: func() string { return "https://fandogh.test/webhooks/github" },
	})
	w.must(err)
	c.Webhooks = notify.New(notify.Config{Store: w.store, Secrets: box, Owner: "test"})
}

type wireGitHub struct {
	Repository, Secret, Access, Tags, Branches string
	WebhookURL                                 string `json:"webhook_url"`
}

func TestGitHub(t *testing.T) {
	w := newWorld(t)
	w.do("alice", "POST", "/api/images", map[string]string{"name": "app"}).expect(http.StatusOK)
	const path = "/api/images/app/github"
	w.do("alice", "GET", path, nil).expect(http.StatusNotFound)
	w.do("alice", "POST", path+"/sync", nil).expect(http.StatusNotFound)
	made := into[wireGitHub](w.do("alice", "PUT", path, map[string]any{"repository": "https://github.com/acme/app", "token": "ghp_1", "branches": "main"}).expect(http.StatusOK))
	if made.Secret == "" || made.Repository != "acme/app" || made.Access != "token" || made.Tags != "v*" || made.Branches != "main" || made.WebhookURL == "" {
		t.Errorf("got %+v", made)
	}
	shown := w.do("alice", "GET", path, nil).expect(http.StatusOK)
	if text := string(shown.body); strings.Contains(text, made.Secret) || strings.Contains(text, "ghp_1") || into[wireGitHub](shown).Access != "token" {
		t.Errorf("got %s", text)
	}
	w.do("alice", "POST", path+"/sync", nil).expect(http.StatusOK)
	changed := into[wireGitHub](w.do("alice", "PUT", path, map[string]any{"repository": "acme/app", "branches": nil, "token": ""}).expect(http.StatusOK))
	if changed.Secret != "" || changed.Branches != "main" || changed.Access != "public" {
		t.Errorf("got %+v", changed)
	}
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
	w := newWorld(t)
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
	ID                           int64
	Event, Image, Version, State string
}

func TestEvents(t *testing.T) {
	w := newWorld(t)
	w.version("app", "1.0", catalog.OutcomeBuilt)
	all := into[[]wireEvent](w.do("alice", "GET", "/api/events", nil).expect(http.StatusOK))
	if len(all) != 4 || all[3].Event != "build.finished" || all[3].Image != "app" || all[3].Version != "1.0" || all[3].State != "BUILT" {
		t.Fatalf("got %+v", all)
	}
	first := w.do("alice", "GET", "/api/events?limit=1", nil).expect(http.StatusOK)
	if link := first.header.Get("Link"); !strings.Contains(link, "after="+itoa(all[0].ID)) {
		t.Errorf("Link: %s", link)
	}
	if rest := into[[]wireEvent](w.do("alice", "GET", "/api/events?after="+itoa(all[0].ID), nil)); len(rest) != 3 {
		t.Errorf("got %+v", rest)
	}
	if others := into[[]wireEvent](w.do("bob", "GET", "/api/events", nil).expect(http.StatusOK)); len(others) != 0 {
		t.Errorf("bob sees %+v", others)
	}

	// A stream that resumes gives what was missed, then what comes.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/api/events", nil)
	w.must(err)
	req.Header.Set("Authorization", "JWT "+w.tokens["alice"])
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Last-Event-ID", itoa(all[2].ID))
	resp, err := http.DefaultClient.Do(req)
	w.must(err)
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	next := func() (event string) {
		for lines.Scan() {
			if text, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				return text
			}
		}
		return ""
	}
	if got := next(); got != "build.finished" {
		t.Errorf("resumed with %q", got)
	}
	w.version("app", "1.1", catalog.OutcomeBuilt)
	if got := next(); got != "version.created" {
		t.Errorf("then came %q", got)
	}
}
