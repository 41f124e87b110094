package rest_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog/api"
)

// What is set is listed without its value, and the value stands in no answer and no log.
func TestSecrets(t *testing.T) {
	w := newEnv(t)
	w.do("alice", "POST", "/api/images", map[string]string{"name": "app"}).expect(http.StatusOK)
	const path = "/api/namespaces/alice/secrets"
	said := ""
	post := func(in map[string]any, status int) reply {
		t.Helper()
		r := w.do("alice", "POST", path, in).expect(status)
		said += string(r.body)
		return r
	}
	made := into[api.Secret](post(map[string]any{"name": "token", "value": []byte("hunter2")}, http.StatusOK))
	if made.ID == 0 || made.Kind != "secret" || made.Image != "" || made.SetAt.IsZero() {
		t.Errorf("got %+v", made)
	}
	own := into[api.Secret](post(map[string]any{"name": "token", "image": "app", "tags": "v*, w*", "value": []byte("hunter2")}, http.StatusOK))
	if own.Image != "app" || own.Tags != "v* w*" {
		t.Errorf("got %+v", own)
	}
	if again := into[api.Secret](post(map[string]any{"name": "token", "value": []byte("hunter2-new")}, http.StatusOK)); again.ID != made.ID {
		t.Errorf("a new value is another secret: %+v", again)
	}
	for _, in := range []map[string]any{
		{"name": "token"}, {"name": "a/b", "value": []byte("hunter2")}, {"name": "a", "value": "hunter2!"},
		{"name": "a", "kind": "registry", "value": []byte("hunter2")}, {"name": "a", "kind": "ssh", "value": []byte("hunter2")},
	} {
		post(in, http.StatusBadRequest)
	}
	post(map[string]any{"name": "a", "image": "none", "value": []byte("hunter2")}, http.StatusNotFound)
	listed := w.do("alice", "GET", path, nil).expect(http.StatusOK)
	if got := into[[]api.Secret](listed); len(got) != 2 {
		t.Errorf("listed %+v", got)
	}
	w.do("alice", "DELETE", "/api/namespaces/alice/registries/"+strconv.FormatInt(made.ID, 10), nil).expect(http.StatusNotFound)
	w.do("bob", "DELETE", "/api/namespaces/bob/secrets/"+strconv.FormatInt(made.ID, 10), nil).expect(http.StatusNotFound)
	w.do("bob", "GET", path, nil).expect(http.StatusNotFound)
	w.do("alice", "DELETE", path+"/"+strconv.FormatInt(made.ID, 10), nil).expect(http.StatusOK)
	w.do("alice", "DELETE", path+"/"+strconv.FormatInt(made.ID, 10), nil).expect(http.StatusNotFound)
	for _, text := range []string{said, string(listed.body), w.log.String()} {
		if strings.Contains(text, "hunter2") || strings.Contains(text, "aHVudGVyMg") {
			t.Errorf("a value is told: %s", text)
		}
	}
	if !strings.Contains(w.log.String(), "audit: secret set") || !strings.Contains(w.log.String(), "audit: secret removed") {
		t.Errorf("the audit log: %s", w.log.String())
	}
}

func TestRegistries(t *testing.T) {
	w := newEnv(t)
	const path = "/api/namespaces/alice/registries"
	made := into[api.Registry](w.do("alice", "POST", path, map[string]any{"host": "https://index.docker.io/v1/", "username": "ali", "password": "hunter2"}).expect(http.StatusOK))
	if made.Host != "docker.io" || made.Username != "ali" || made.SetAt.IsZero() {
		t.Errorf("got %+v", made)
	}
	w.do("alice", "POST", path, map[string]any{"host": "docker.io", "username": "other", "password": "hunter2"}).expect(http.StatusOK)
	for _, in := range []map[string]any{
		{"host": "ghcr.io/x", "username": "ali", "password": "hunter2"}, {"host": "ghcr.io", "password": "hunter2"}, {"host": "ghcr.io", "username": "ali"},
	} {
		w.do("alice", "POST", path, in).expect(http.StatusBadRequest)
	}
	listed := w.do("alice", "GET", path, nil).expect(http.StatusOK)
	if got := into[[]api.Registry](listed); len(got) != 1 || got[0].Username != "other" {
		t.Errorf("listed %+v", got)
	}
	if text := string(listed.body) + w.log.String(); strings.Contains(text, "hunter2") || !strings.Contains(text, "audit: registry added") {
		t.Errorf("the password is told, or nothing of the account: %s", text)
	}
	w.do("alice", "DELETE", path+"/"+strconv.FormatInt(made.ID, 10), nil).expect(http.StatusOK)
	if got := into[[]api.Registry](w.do("alice", "GET", path, nil).expect(http.StatusOK)); len(got) != 0 {
		t.Errorf("after the deletion: %+v", got)
	}
}
