package github_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/hooks/github"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// memoryRemote is a remote without git, for payloads whose commits are in no repository.
type memoryRemote struct {
	refs    map[string]string
	fetched []string
	urls    []string
}

func (m *memoryRemote) RemoteRefs(_ context.Context, from catalog.Remote) ([]catalog.RemoteRef, error) {
	m.urls = append(m.urls, from.URL)
	var refs []catalog.RemoteRef
	for name, commit := range m.refs {
		refs = append(refs, catalog.RemoteRef{Name: name, Object: commit, Commit: commit})
	}
	return refs, nil
}

func (m *memoryRemote) Fetch(_ context.Context, _ catalog.ImageRef, r catalog.FetchRequest) (string, error) {
	m.fetched = append(m.fetched, r.Object)
	return r.Object, nil
}

func (m *memoryRemote) Changed(context.Context, catalog.ImageRef, string, string, func(string) bool) (bool, error) {
	return true, nil
}

// memoryTags is a catalog.Sources that takes every tag.
type memoryTags struct{ catalog.Sources }

func (memoryTags) SetTag(context.Context, catalog.ImageRef, string, string) error { return nil }

// example is one payload of GitHub's documentation.
type example struct {
	event      string
	payload    []byte
	repository string
}

func examples(t *testing.T) []example {
	t.Helper()
	const from = "testdata/node_modules/@octokit/webhooks-examples"
	sets, err := os.ReadDir(from)
	if err != nil {
		t.Fatalf("the examples of GitHub's deliveries are missing; `make test` fetches them: %v", err)
	}
	var all []example
	for _, set := range sets {
		file := filepath.Join(from, set.Name(), "index.json")
		text, err := os.ReadFile(file)
		if !set.IsDir() || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var events []struct {
			Name     string
			Examples []json.RawMessage
		}
		if err := json.Unmarshal(text, &events); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, e := range events {
			for _, payload := range e.Examples {
				var p struct {
					Repository struct {
						FullName string `json:"full_name"`
					}
				}
				if err := json.Unmarshal(payload, &p); err != nil {
					t.Fatal(err)
				}
				all = append(all, example{e.Name, ofOne(t, payload), p.Repository.FullName})
			}
		}
	}
	return all
}

// ofOne gives a payload's repository the number that most have: there, several have one name.
func ofOne(t *testing.T, payload []byte) []byte {
	t.Helper()
	var whole map[string]json.RawMessage
	var repository map[string]json.RawMessage
	if err := json.Unmarshal(payload, &whole); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(whole["repository"], &repository); err != nil || repository == nil {
		return payload
	}
	repository["id"] = json.RawMessage("186853002")
	var err error
	if whole["repository"], err = json.Marshal(repository); err == nil {
		payload, err = json.Marshal(whole)
	}
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

func TestExamplesOfGitHub(t *testing.T) {
	const connected, appSecret, commit = "Codertocat/Hello-World", "the App's own secret", "6113728f27ae82c7b1a177c8d03f9e96e0adf246"
	remote := &memoryRemote{refs: map[string]string{
		"refs/tags/simple-tag": commit, "refs/tags/0.0.1": strings.Repeat("5", 40), "refs/heads/master": commit, "refs/heads/other": strings.Repeat("6", 40),
	}}
	h := newEnv(t, newForge(t), func(c *github.Config) {
		c.Fetcher, c.Sources, c.MaxPayload = remote, memoryTags{}, 64<<10
		c.App = github.App{ID: 1, Key: []byte("not used"), WebhookSecret: appSecret}
	})
	image := h.connect("hello", connected, func(s *catalog.GitHubSettings) { s.Tags, s.Branches = ptr("*"), ptr("master") })
	all := examples(t)
	if len(all) < 500 {
		t.Fatalf("only %d examples", len(all))
	}
	stored := 0
	for i, e := range all {
		id := fmt.Sprintf("example-%d", i)
		with := secret
		if e.repository != connected {
			with = appSecret
		}
		valid := sign(e.payload, with)
		for what, headers := range map[string][]string{
			"missing": {"X-Hub-Signature-256", ""}, "invalid": {"X-Hub-Signature-256", sign(append([]byte(" "), e.payload...), with)},
			"another's": {"X-Hub-Signature-256", sign(e.payload, "another secret, long enough")},
			"SHA-1":     {"X-Hub-Signature-256", "", "X-Hub-Signature", "sha1=" + strings.Repeat("0", 40)},
			"empty key": {"X-Hub-Signature-256", sign(e.payload, "")},
		} {
			if a := h.post(e.event, id, e.payload, headers...); a.status != http.StatusUnauthorized || !strings.HasPrefix(a.Message, "the delivery does not match a connected repository") {
				t.Errorf("%s with a signature that is %s: %+v", e.event, what, a)
			}
		}
		large := append(bytes.Repeat([]byte(" "), 64<<10), e.payload...)
		if a := h.post(e.event, id, large, "X-Hub-Signature-256", sign(large, with)); a.status != http.StatusRequestEntityTooLarge {
			t.Errorf("%s, oversized: %+v", e.event, a)
		}
		want := wantedStatus(e, connected)
		first := h.post(e.event, id, e.payload, "X-Hub-Signature-256", valid)
		if first.status != want {
			t.Errorf("%s: got %+v, want %d", e.event, first, want)
		}
		again := h.post(e.event, id, e.payload, "X-Hub-Signature-256", valid)
		switch {
		case again.status != want:
			t.Errorf("%s, a second time: got %+v, want %d", e.event, again, want)
		case want == http.StatusOK && e.event != "ping":
			stored++
			if !strings.Contains(again.Message, "already received") {
				t.Errorf("%s, a second time: %s", e.event, again.Message)
			}
		}
	}
	h.start(h.service.Run)
	h.processed(image)
	testkit.Eventually(t, "all deliveries are worked off", func() bool {
		_, waiting, err := h.store.NextJob(t.Context(), []catalog.JobKind{github.KindDelivery})
		return err == nil && !waiting
	})
	h.processed(image)
	names := strings.Fields(h.versions(image))
	slices.Sort(names)
	if got := strings.Join(names, " "); got != "0.0.1 master-6113728 simple-tag" {
		t.Errorf("of %d deliveries came the versions %s", stored, got)
	}
	if v := h.version(image, "simple-tag"); v.Commit != commit {
		t.Errorf("simple-tag is of %s", v.Commit)
	}
	for _, u := range remote.urls {
		if !strings.HasPrefix(u, h.config.BaseURL) && u != h.config.BaseURL+"/"+connected+".git" {
			t.Fatalf("asked %s", u)
		}
	}
	jobs, err := h.store.ListJobs(t.Context(), github.KindDelivery, h.status(image).ID, catalog.Page{})
	if err != nil || len(jobs) != stored {
		t.Errorf("%d jobs of %d deliveries, %v", len(jobs), stored, err)
	}
	for _, j := range jobs {
		if j.State != catalog.JobDone {
			t.Errorf("%s: %s %s", j.Key, j.State, j.Answer)
		}
	}
}

// wantedStatus says by GitHub's own words which deliveries concern us.
func wantedStatus(e example, connected string) int {
	var p struct{ Action string }
	_ = json.Unmarshal(e.payload, &p)
	switch {
	case e.event == "ping":
		return http.StatusOK
	case e.repository != connected:
		return http.StatusAccepted
	case e.event == "push", e.event == "create", e.event == "delete", e.event == "release" && p.Action == "published":
		return http.StatusOK
	}
	return http.StatusAccepted
}

func TestEndpoint(t *testing.T) {
	f := newForge(t)
	h := newEnv(t, f)
	h.connect("app", "acme/app")
	other := h.connect("other", "acme/app", func(s *catalog.GitHubSettings) { s.Secret = ptr("another secret, long enough") })
	commit := strings.Repeat("a", 40)
	body, err := json.Marshal(pushed("acme/app", "refs/tags/v1", commit))
	if err != nil {
		t.Fatal(err)
	}
	form := []byte("payload=" + url.QueryEscape(string(body)))
	strange := []byte(`{"repository":{"full_name":"acme/elsewhere"},"ref":"refs/tags/v1","after":"` + commit + `"}`)
	for _, test := range []struct {
		what    string
		body    []byte
		headers []string
		status  int
		says    string
	}{
		{"as JSON", body, nil, 200, "checking refs/tags/v1 for ann/app"},
		{"as a form", form, []string{"Content-Type", "application/x-www-form-urlencoded", "X-GitHub-Delivery", "form"}, 200, "checking "},
		{"with the other secret", body, []string{"X-Hub-Signature-256", sign(body, "another secret, long enough")}, 200, "for ann/other"},
		{"with SHA-1", body, []string{"X-Hub-Signature-256", "sha1=" + mac(sha1.New, body)}, 401, "the delivery does not match a connected repository"},
		{"with SHA-512", body, []string{"X-Hub-Signature-256", "sha512=" + mac(sha512.New, body)}, 401, "the delivery does not match a connected repository"},
		{"unknown repository", strange, nil, 401, "the delivery does not match a connected repository"},
		{"no repository", []byte(`{}`), nil, 401, "the delivery does not match a connected repository"},
		{"no JSON", []byte(`hello`), nil, 401, "the delivery does not match a connected repository"},
		{"odd repository", []byte(`{"repository":{"full_name":"../../x"}}`), nil, 401, "the delivery does not match a connected repository"},
		{"another type", body, []string{"Content-Type", "text/plain"}, 400, "application/json"},
		{"no delivery ID", body, []string{"X-GitHub-Delivery", ""}, 400, "X-GitHub-Delivery"},
		{"no event", body, []string{"X-GitHub-Event", ""}, 400, "X-GitHub-Event"},
		{"unknown event", body, []string{"X-GitHub-Event", "star"}, 202, "star events are ignored"},
		{"ping", body, []string{"X-GitHub-Event", "ping"}, 200, "pong: ann/app"},
	} {
		headers := append([]string{"X-Hub-Signature-256", sign(test.body, secret)}, test.headers...)
		if a := h.post("push", "id", test.body, headers...); a.status != test.status || !strings.Contains(a.Message, test.says) {
			t.Errorf("%s: got %+v, want %d %q", test.what, a, test.status, test.says)
		}
	}
	for what, p := range map[string]map[string]any{
		"no ref":       of("acme/app", "after", commit),
		"no object":    of("acme/app", "ref", "refs/tags/v1"),
		"odd object":   pushed("acme/app", "refs/tags/v1", "zzz"),
		"odd ref":      pushed("acme/app", "refs/pull/1/head", commit),
		"newlines":     pushed("acme/app", "refs/tags/v1\nx", commit),
		"a wrong type": of("acme/app", "ref", 7, "after", commit),
	} {
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if a := h.post("push", "bad", text); a.status != http.StatusBadRequest {
			t.Errorf("%s: %+v", what, a)
		}
	}
	response, err := http.Get(h.server.URL)
	if err != nil || response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %v, %v", response.Status, err)
	}
	_ = response.Body.Close()
	if n := len(h.status(other).Deliveries); n != 1 {
		t.Errorf("the other connection has %d deliveries", n)
	}
}

// mac is the right one by another hash.
func mac(by func() hash.Hash, body []byte) string {
	m := hmac.New(by, []byte(secret))
	m.Write(body)
	return hex.EncodeToString(m.Sum(nil))
}

func FuzzReceive(f *testing.F) {
	f.Add("push", []byte(`{"repository":{"full_name":"acme/app"},"ref":"refs/tags/v1","after":"6113728f27ae82c7b1a177c8d03f9e96e0adf246"}`))
	f.Add("create", []byte(`{"repository":{"full_name":"acme/app"},"ref":"v1","ref_type":"tag"}`))
	f.Add("release", []byte(`{"repository":{"full_name":"acme/app"},"action":"published","release":{"tag_name":null}}`))
	f.Add("delete", []byte(`{"repository":null}`))
	f.Add("repository", []byte(`{"action":"renamed","repository":{"id":4711,"full_name":"acme/store"}}`))
	f.Fuzz(func(t *testing.T, event string, payload []byte) {
		ref, reason, err := github.ReadEvent(event, payload)
		github.RepositoryOf(payload)
		if err != nil && catalog.CodeOf(err) != catalog.Invalid {
			t.Errorf("%v", err)
		}
		if err == nil && reason == "" && event != "repository" && !strings.HasPrefix(ref, "refs/tags/") && !strings.HasPrefix(ref, "refs/heads/") {
			t.Errorf("%s: ref %q", event, ref)
		}
	})
}
