package github_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/hooks/github"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// numbered adds the repository's number to a payload, as GitHub always does.
func numbered(id int64, payload map[string]any) map[string]any {
	payload["repository"].(map[string]any)["id"] = id
	return payload
}

// answered waits for a delivery to be worked off and returns what came of it.
func (e *env) answered(image catalog.Image, id string) string {
	e.t.Helper()
	var answer string
	testkit.Eventually(e.t, "delivery "+id, func() bool {
		for _, d := range e.status(image).Deliveries {
			if strings.HasPrefix(d.Key, id+"/") {
				answer = d.Answer
				return d.State == catalog.JobDone || d.State == catalog.JobFailed
			}
		}
		return false
	})
	return answer
}

// tagged makes a commit, tags it and returns it.
func (w *work) tagged(tag string) string {
	w.t.Helper()
	commit := w.commit("Dockerfile", "FROM scratch\n# "+tag+"\n")
	w.git("tag", tag)
	w.push(tag)
	return commit
}

func TestRenamedRepository(t *testing.T) {
	f := newForge(t)
	var log bytes.Buffer
	var writing sync.Mutex
	h := newEnv(t, f, func(c *github.Config) { c.Logger = hclog.New(&hclog.LoggerOptions{Output: &log, Mutex: &writing}) })
	h.run()
	w := f.repository("acme/shop")
	f.set(func(f *forge) { f.ids = map[string]int64{"acme/shop": 4711} })
	image := h.connect("shop", "acme/shop")
	h.deliver("push", numbered(4711, pushed("acme/shop", "refs/tags/v1", w.tagged("v1"))))
	h.await(image, "v1", catalog.Built)
	if s := h.status(image); s.RepositoryID != 4711 || s.Former != "" {
		t.Fatalf("connected to %+v", s.Connection)
	}

	f.rename("acme/shop", "acme/store")
	w.git("remote", "set-url", "origin", f.dir+"/acme/store.git")
	h.deliver("push", numbered(4711, pushed("acme/store", "refs/tags/v2", w.tagged("v2"))))
	h.await(image, "v2", catalog.Built)
	s := h.status(image)
	if s.Repository != "acme/store" || s.Former != "acme/shop" || s.RepositoryID != 4711 || len(s.Refs) != 2 {
		t.Errorf("connected to %+v with %d refs", s.Connection, len(s.Refs))
	}

	// The event that tells of nothing else, where the webhook sends it.
	f.repository("umbrella/other")
	f.rename("acme/store", "umbrella/store")
	id := h.deliver("repository", numbered(4711, of("umbrella/store", "action", "transferred")))
	wantText(t, "the transfer", h.answered(image, id), "the repository is named umbrella/store")
	if s := h.status(image); s.Repository != "umbrella/store" || s.Former != "acme/store" {
		t.Errorf("connected to %+v", s.Connection)
	}
	writing.Lock()
	defer writing.Unlock()
	wantText(t, "the audit log", log.String(), "audit: repository renamed: via=github image=ann/shop repository=acme/store former=acme/shop number=4711")
}

// The next owner of the name of a repository that was renamed or deleted does not get its image.
func TestNameThatWasTakenOver(t *testing.T) {
	f := newForge(t)
	h := newEnv(t, f)
	h.run()
	w := f.repository("acme/shop")
	f.set(func(f *forge) { f.ids = map[string]int64{"acme/shop": 4711} })
	image := h.connect("shop", "acme/shop")
	h.deliver("push", numbered(4711, pushed("acme/shop", "refs/tags/v1", w.tagged("v1"))))
	h.await(image, "v1", catalog.Built)

	f.rename("acme/shop", "acme/store")
	other := f.repository("acme/shop")
	f.set(func(f *forge) { f.ids["acme/shop"] = 666 })
	body, err := json.Marshal(numbered(666, pushed("acme/shop", "refs/tags/v2", other.tagged("v2"))))
	if err != nil {
		t.Fatal(err)
	}
	for _, event := range []string{"push", "ping"} {
		a := h.post(event, event, body)
		if a.status != http.StatusForbidden || !strings.Contains(a.Message, "acme/shop is now another repository (ID 666)") || !strings.Contains(a.Message, "4711") {
			t.Errorf("%s: %+v", event, a)
		}
	}
	if a := h.post("push", "unsigned", body, "X-Hub-Signature-256", sign(body, "another secret, long enough")); a.status != http.StatusUnauthorized || strings.Contains(a.Message, "4711") {
		t.Errorf("with another secret: %+v", a)
	}
	// Neither does the comparison of tags take what is there.
	if err := h.service.Sync(t.Context(), image); err != nil {
		t.Fatal(err)
	}
	wantText(t, "the comparison", h.synced(image), "is now another repository")
	if got := h.versions(image); got != "v1" {
		t.Errorf("there are the versions %s", got)
	}
	// It is the other one when a user says so.
	if _, err := h.service.Connect(t.Context(), image, h.user.ID, catalog.GitHubSettings{Repository: "acme/shop"}); err != nil {
		t.Fatal(err)
	}
	h.deliver("push", numbered(666, pushed("acme/shop", "refs/tags/v2", other.tagged("v3"))))
	if err := h.service.Sync(t.Context(), image); err != nil {
		t.Fatal(err)
	}
	h.await(image, "v3", catalog.Built)
}

// synced waits for the newest comparison of tags and returns its answer.
func (e *env) synced(image catalog.Image) string {
	e.t.Helper()
	var answer string
	testkit.Eventually(e.t, "the comparison of tags", func() bool {
		found, err := e.store.ListJobs(e.t.Context(), github.KindSync, e.status(image).ID, catalog.Page{Limit: 1})
		if err != nil {
			e.t.Fatal(err)
		}
		if len(found) == 0 || found[0].State != catalog.JobDone {
			return false
		}
		answer = found[0].Answer
		return true
	})
	return answer
}

// Who knows the secret alone can't turn the connection, and its token, to another repository: neither by a name,
// nor by a number that is forged before the name is.
func TestForgedRename(t *testing.T) {
	for what, ids := range map[string]map[string]int64{
		"an API that shows both": {"acme/shop": 4711, "acme/private": 5000},
		"an API that shows none": {},
	} {
		for _, first := range []int64{4711, 5000} {
			f := newForge(t)
			h := newEnv(t, f)
			h.run()
			w, victim := f.repository("acme/shop"), f.repository("acme/private")
			f.set(func(f *forge) { f.ids, f.password = ids, "token-of-a-person" })
			image := h.connect("shop", "acme/shop", func(s *catalog.GitHubSettings) { s.Token = ptr("token-of-a-person") })
			h.answered(image, h.deliver("push", numbered(first, pushed("acme/shop", "refs/tags/v1", w.tagged("v1")))))
			elsewhere := victim.tagged("v2")
			for _, number := range []int64{4711, 5000} {
				body, err := json.Marshal(numbered(number, pushed("acme/private", "refs/tags/v2", elsewhere)))
				if err != nil {
					t.Fatal(err)
				}
				if a := h.post("push", fmt.Sprint("forged-", number), body); a.status == http.StatusOK {
					h.answered(image, fmt.Sprint("forged-", number))
				}
				if s := h.status(image); s.Repository != "acme/shop" || h.version(image, "v2").State != "" {
					t.Errorf("%s, first %d, then %d: connected to %+v with the versions %s", what, first, number, s.Connection, h.versions(image))
				}
			}
		}
	}
}

// What GitHub itself sends of a renamed and of a transferred repository.
func TestExamplesOfRenamedRepositories(t *testing.T) {
	const now = "Octocoders/Hello-World"
	f := newForge(t)
	h := newEnv(t, f)
	h.run()
	f.repository("Octocoders/Before")
	seen := 0
	for _, e := range examples(t) {
		var p struct{ Action string }
		if err := json.Unmarshal(e.payload, &p); err != nil {
			t.Fatal(err)
		}
		if e.event != "repository" || p.Action != "renamed" && p.Action != "transferred" || e.repository != now {
			continue
		}
		seen++
		f.set(func(f *forge) { f.ids = map[string]int64{"Octocoders/Before": 186853002} })
		image := h.connect("image"+strings.Repeat("x", seen), "Octocoders/Before")
		if err := h.service.Sync(t.Context(), image); err != nil { // by which the number is learned
			t.Fatal(err)
		}
		h.synced(image)
		f.set(func(f *forge) { f.ids = map[string]int64{now: 186853002} })
		id := "example-" + strings.Repeat("x", seen)
		if a := h.post(e.event, id, e.payload); a.status != http.StatusOK {
			t.Fatalf("%s: %+v", p.Action, a)
		}
		wantText(t, p.Action, h.answered(image, id), "the repository is named "+now)
		if s := h.status(image); s.Repository != now || s.Former != "Octocoders/Before" {
			t.Errorf("%s: connected to %+v", p.Action, s.Connection)
		}
	}
	if seen < 2 {
		t.Fatalf("only %d examples", seen)
	}
}
