package github_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/hooks/github"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

func TestConnect(t *testing.T) {
	f := newForge(t)
	h := newEnv(t, f)
	image := h.image("app")
	connect := func(s catalog.GitHubSettings) (catalog.GitHubStatus, error) {
		return h.service.Connect(t.Context(), image, h.user.ID, s)
	}
	made, err := connect(catalog.GitHubSettings{Repository: f.URL + "/acme/app.git"})
	if err != nil || len(made.Secret) < 20 {
		t.Fatalf("got %+v, %v", made, err)
	}
	want := catalog.GitHubStatus{
		Connection: catalog.Connection{
			ID: made.ID, NamespaceID: made.NamespaceID, Image: image.Ref, ImageID: image.ID, UserID: h.user.ID, Repository: "acme/app", Tags: "v*", CreatedAt: made.CreatedAt,
		},
		WebhookURL: "https://fandogh.example/webhooks/github", Secret: made.Secret, Access: "public",
	}
	testkit.Same(t, "connected", made, want)
	changed, err := connect(catalog.GitHubSettings{Repository: "ACME/app", Tags: ptr("v*,  release-*"), Token: ptr("ghp_x")})
	if err != nil {
		t.Fatal(err)
	}
	want.Repository, want.Secret, want.Tags, want.Access = "ACME/app", "", "v* release-*", "token"
	testkit.Same(t, "changed", changed, want)
	body := []byte(`{"repository":{"full_name":"acme/app"}}`)
	if a := h.post("ping", "1", body, "X-Hub-Signature-256", sign(body, made.Secret)); a.status != http.StatusOK {
		t.Errorf("the secret went with a change: %+v", a)
	}
	status := h.status(image)
	if text, err := json.Marshal(status); err != nil || strings.Contains(string(text), "ghp_x") || strings.Contains(string(text), made.Secret) || status.Secret != "" {
		t.Errorf("a secret is shown: %s, %v", text, err)
	}
	if plain, err := h.store.ConnectionOf(t.Context(), image.ID); err != nil || strings.Contains(string(plain.Sealed), "ghp_x") {
		t.Errorf("the token lies open in the store: %v", err)
	}
	moved, err := connect(catalog.GitHubSettings{Repository: "acme/else"})
	if err != nil || moved.Secret == "" || moved.Secret == made.Secret || moved.Access != "public" {
		t.Errorf("another repository keeps the secrets: %+v, %v", moved, err)
	}

	for field, s := range map[string]catalog.GitHubSettings{
		"secret":     {Repository: "a/b", Secret: ptr("")},
		"repository": {Repository: "https://evil.example/a/b"},
		"tags":       {Repository: "a/b", Tags: ptr("[")},
		"context":    {Repository: "a/b", Context: ptr("../up")},
		"deploy_key": {Repository: "a/b", DeployKey: ptr("nonsense")},
		"token":      {Repository: "a/b", Token: ptr("a\nb")},
		"paths":      {Repository: "a/b", Paths: ptr("[")},
	} {
		_, err := connect(s)
		if catalog.CodeOf(err) != catalog.Invalid || !strings.Contains(err.Error(), strings.ReplaceAll(field, "_", " ")) {
			t.Errorf("%s: %v", field, err)
		}
	}
	for _, name := range []string{"", "a", "a/b/c", "-a/b", "a/..", "a/b c", "git@evil.example:a/b", "ssh://evil.example/a/b", "a/b?x", "a%2fb/c"} {
		if _, err := connect(catalog.GitHubSettings{Repository: name}); catalog.CodeOf(err) != catalog.Invalid {
			t.Errorf("repository %q: %v", name, err)
		}
	}
	if _, err := connect(catalog.GitHubSettings{Repository: "a/b", Tags: ptr("")}); catalog.CodeOf(err) != catalog.Invalid {
		t.Errorf("neither tags nor branches: %v", err)
	}
	if err := h.service.Disconnect(t.Context(), image); err != nil {
		t.Fatal(err)
	}
	if _, err := h.service.Status(t.Context(), image); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("after the end: %v", err)
	}
	if a := h.post("ping", "1", body, "X-Hub-Signature-256", sign(body, made.Secret)); a.status != http.StatusUnauthorized {
		t.Errorf("after the end: %+v", a)
	}
}

func TestNames(t *testing.T) {
	commit := strings.Repeat("0123456789", 4)
	for _, branch := range []string{"main", "feature/a", "..", "./x", "ü", strings.Repeat("x", 300), "a..b", "-", "x.lock", "a b"} {
		version := catalog.BranchVersion(branch, commit)
		if err := catalog.ValidateVersion(version); err != nil || !strings.HasSuffix(version, "-0123456") {
			t.Errorf("branch %q: %q, %v", branch, version, err)
		}
	}
	names := []string{"v1.10", "v1.9", "v2", "v1", "v1.10-rc1", "a", "v10", "v99999999999999999999999"}
	slices.SortFunc(names, github.CompareNames)
	if got := strings.Join(names, " "); got != "a v1 v1.9 v1.10 v1.10-rc1 v2 v10 v99999999999999999999999" {
		t.Errorf("ordered %s", got)
	}
}

// The App reads what it is installed on, so it is for administrators alone.
func TestApp(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	f := newForge(t)
	f.password = "installation-token"
	issued := 0
	f.handle = func(w http.ResponseWriter, r *http.Request) bool {
		path, ok := strings.CutPrefix(r.URL.Path, "/api/v3/")
		if !ok || strings.Contains(path, "/statuses/") {
			return false
		}
		_, err := jwt.Parse(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), func(*jwt.Token) (any, error) { return key.Public(), nil },
			jwt.WithIssuer("42"), jwt.WithValidMethods([]string{"RS256"}))
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		switch path {
		case "repos/acme/app/installation":
			_, _ = io.WriteString(w, `{"id": 7}`)
		case "app/installations/7/access_tokens":
			asked, _ := io.ReadAll(r.Body)
			if !strings.Contains(string(asked), `"repositories":["app"]`) {
				t.Errorf("asked for %s", asked)
			}
			issued++
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"token":"installation-token","expires_at":"`+time.Now().Add(time.Hour).Format(time.RFC3339)+`"}`)
		default:
			t.Errorf("asked for %s", path)
		}
		return true
	}
	const appSecret = "the App's own secret"
	h := newEnv(t, f, func(c *github.Config) {
		c.App = github.App{ID: 42, WebhookSecret: appSecret, Key: pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})}
	})
	h.run()
	w := f.repository("acme/app")
	commit := w.commit("Dockerfile", "FROM scratch\n")
	w.git("tag", "v1")
	w.push("v1")
	mine := h.connect("mine", "acme/app")
	if access := h.status(mine).Access; access != "public" {
		t.Errorf("a user's connection reads by %s", access)
	}
	admin, err := h.store.CreateUser(t.Context(), catalog.NewUser{Name: "root", Admin: true})
	if err != nil {
		t.Fatal(err)
	}
	image := h.image("app")
	if s, err := h.service.Connect(t.Context(), image, admin.ID, catalog.GitHubSettings{Repository: "acme/app"}); err != nil || s.Access != "app" {
		t.Fatalf("%+v, %v", s, err)
	}
	body, err := json.Marshal(pushed("acme/app", "refs/tags/v1", commit))
	if err != nil {
		t.Fatal(err)
	}
	if a := h.post("push", "1", body, "X-Hub-Signature-256", sign(body, appSecret)); a.status != http.StatusOK || len(a.Images) != 1 {
		t.Errorf("%+v", a)
	}
	h.await(image, "v1", catalog.Built)
	testkit.Eventually(t, "the last status", func() bool { return strings.Contains(strings.Join(f.sent(), " "), "success") })
	if issued != 1 {
		t.Errorf("%d tokens were asked for", issued)
	}
	if h.versions(mine) != "" {
		t.Error("the App's delivery built a user's image")
	}
}

// A status that GitHub does not take fails no build, and is tried again.
func TestStatusTrouble(t *testing.T) {
	f := newForge(t)
	h := newEnv(t, f)
	h.run()
	f.answer = http.StatusBadGateway
	f.password = "t"
	w := f.repository("acme/app")
	commit := w.commit("Dockerfile", "FROM scratch\n")
	w.git("tag", "v1")
	w.push("v1")
	image := h.connect("app", "acme/app", func(s *catalog.GitHubSettings) { s.Token = ptr("t") })
	h.deliver("push", pushed("acme/app", "refs/tags/v1", commit))
	h.await(image, "v1", catalog.Built)
	states := func() string {
		jobs, err := h.store.ListJobs(t.Context(), github.KindStatus, h.status(image).ID, catalog.Page{})
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, j := range jobs {
			all = append(all, string(j.State))
		}
		return strings.Join(all, " ")
	}
	testkit.Eventually(t, "statuses are given up", func() bool { return states() == "failed failed failed" })
	if s := h.version(image, "v1").State; s != catalog.Built {
		t.Errorf("the version is %s", s)
	}
	f.set(func(f *forge) { f.answer = http.StatusUnauthorized })
	w.git("tag", "v2")
	w.push("v2")
	h.deliver("push", pushed("acme/app", "refs/tags/v2", commit))
	h.await(image, "v2", catalog.Built)
	if _, err := os.Stat(filepath.Join(h.dir, "key")); err != nil {
		t.Errorf("no key file: %v", err)
	}
}
