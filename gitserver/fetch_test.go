package gitserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	gossh "golang.org/x/crypto/ssh"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

// forge is git's own HTTP server over bare repositories.
type forge struct {
	*httptest.Server
	dir      string
	password string // when set, a client must send it
	requests int
}

func newForge(t *testing.T) *forge {
	t.Helper()
	path, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	f := &forge{dir: t.TempDir()}
	backend := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(path)), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + f.dir, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1", "HOME=" + f.dir, "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
	}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.requests++
		if _, password, _ := r.BasicAuth(); password != f.password {
			w.Header().Set("WWW-Authenticate", "Basic")
			http.Error(w, "who are you", http.StatusUnauthorized)
			return
		}
		backend.ServeHTTP(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

// repository makes a bare repository on the forge and a work tree that pushes to it.
func (f *forge) repository(t *testing.T, h *env, name string) *clone {
	t.Helper()
	bare := filepath.Join(f.dir, name+".git")
	if out, err := exec.Command("git", "init", "-q", "--bare", "-b", "main", bare).CombinedOutput(); err != nil {
		t.Fatalf("git init: %v\n%s", err, out)
	}
	c := &clone{env: h, dir: t.TempDir(), user: "alice"}
	c.git("init", "-q", "-b", "main")
	c.git("remote", "add", "origin", bare)
	return c
}

func (f *forge) remote(name string) catalog.Remote {
	return catalog.Remote{URL: f.URL + "/" + name + ".git", Username: "x", Password: f.password, HTTP: f.Client()}
}

func fetchFrom(from catalog.Remote, object string) catalog.FetchRequest {
	return catalog.FetchRequest{From: from, Object: object}
}

var fetched = catalog.ImageRef{Namespace: "alice", Name: "App"}

func wantContent(t *testing.T, h *env, commit, want string) {
	t.Helper()
	tree, err := h.repos.Tree(t.Context(), fetched, commit)
	if err != nil {
		t.Fatal(err)
	}
	defer objects.Discard(tree)
	f, err := tree.Open("file")
	if err != nil {
		t.Fatal(err)
	}
	defer objects.Discard(f)
	buf := make([]byte, 100)
	n, _ := f.Read(buf)
	if string(buf[:n]) != want {
		t.Errorf("file: got %q, want %q", buf[:n], want)
	}
}

func TestFetch(t *testing.T) {
	h, f := newEnv(t, nil), newForge(t)
	c := f.repository(t, h, "acme/app")
	first := c.commit("file", "one")
	c.commit("big", lines(2000, "x"))
	second := c.commit("file", "two")
	c.git("tag", "v1", first)
	c.git("tag", "-a", "-m", "annotated", "v2")
	c.git("push", "-q", "origin", "main", "v1", "v2")

	refs, err := h.repos.RemoteRefs(t.Context(), f.remote("acme/app"))
	if err != nil || len(refs) != 3 {
		t.Fatalf("got %v, %v", refs, err)
	}
	annotated := refs[2]
	if refs[0] != (catalog.RemoteRef{Name: "refs/heads/main", Object: second, Commit: second}) || annotated.Commit != second || annotated.Object == second {
		t.Errorf("refs: %+v", refs)
	}

	// The newest, without its history; then an older one, then it is all there.
	commit, err := h.repos.Fetch(t.Context(), fetched, fetchFrom(f.remote("acme/app"), annotated.Object))
	if err != nil || commit != second {
		t.Fatalf("got %s, %v", commit, err)
	}
	wantContent(t, h, second, "two")
	if _, err := h.repos.Tree(t.Context(), fetched, first); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("history came along: %v", err)
	}
	if err := h.repos.SetTag(t.Context(), fetched, "v2", annotated.Object); err != nil {
		t.Fatal(err)
	}
	h.fsck()
	if commit, err := h.repos.Fetch(t.Context(), fetched, fetchFrom(f.remote("acme/app"), first)); err != nil || commit != first {
		t.Fatalf("got %s, %v", commit, err)
	}
	wantContent(t, h, first, "one")
	before := f.requests
	if _, err := h.repos.Fetch(t.Context(), fetched, fetchFrom(f.remote("acme/app"), second)); err != nil || f.requests != before {
		t.Errorf("asked for what is there: %v", err)
	}

	// A later commit brings only what is new.
	third := c.commit("file", "three")
	c.git("push", "-q", "origin", "main")
	request := fetchFrom(f.remote("acme/app"), third)
	request.MaxPackBytes = 4000 // "big" does not fit
	if commit, err := h.repos.Fetch(t.Context(), fetched, request); err != nil || commit != third {
		t.Fatalf("got %s, %v", commit, err)
	}
	wantContent(t, h, third, "three")
	if err := h.repos.SetTag(t.Context(), fetched, "v3", third); err != nil {
		t.Fatal(err)
	}
	h.fsck()
	other := h.newClone("alice", "alice/app")
	other.git("fetch", "-q", "--update-shallow", "--tags", "origin")
	if got := other.git("show", "v3:file"); got != "three" {
		t.Errorf("a client reads %q", got)
	}
}

func TestFetchRefused(t *testing.T) {
	h, f := newEnv(t, nil), newForge(t)
	c := f.repository(t, h, "acme/app")
	commit := c.commit("big", strings.Repeat("abc", 100_000)+lines(3000, "y"))
	c.git("push", "-q", "origin", "main")
	f.repository(t, h, "acme/empty")
	good := f.remote("acme/app")

	for what, test := range map[string]struct {
		request catalog.FetchRequest
		code    catalog.Code
	}{
		"too large a pack":   {catalog.FetchRequest{From: good, Object: commit, MaxPackBytes: 1000}, catalog.TooLarge},
		"too large a file":   {catalog.FetchRequest{From: good, Object: commit, MaxObjectBytes: 1000}, catalog.TooLarge},
		"too many objects":   {catalog.FetchRequest{From: good, Object: commit, MaxObjects: 2}, catalog.TooLarge},
		"not there":          {fetchFrom(good, strings.Repeat("1", 40)), catalog.Unavailable},
		"no such repository": {fetchFrom(f.remote("acme/none"), commit), catalog.NotFound},
		"empty repository":   {fetchFrom(f.remote("acme/empty"), commit), catalog.NotFound},
		"another scheme":     {fetchFrom(catalog.Remote{URL: "file://" + f.dir + "/acme/app.git"}, commit), catalog.Invalid},
		"no key":             {fetchFrom(catalog.Remote{URL: "ssh://git@127.0.0.1:1/acme/app.git"}, commit), catalog.Invalid},
		"no server there":    {fetchFrom(catalog.Remote{URL: "http://127.0.0.1:1/acme/app.git", HTTP: f.Client()}, commit), catalog.Unavailable},
	} {
		if _, err := h.repos.Fetch(t.Context(), fetched, test.request); catalog.CodeOf(err) != test.code {
			t.Errorf("%s: got %q (%v), want %q", what, catalog.CodeOf(err), err, test.code)
		}
	}
	refusal := catalog.Errorf(catalog.Forbidden, "it is too much")
	request := fetchFrom(good, commit)
	request.Arrived = func(_ context.Context, bytes int64) (func(), error) {
		if bytes < 500 || bytes > 100_000 {
			t.Errorf("a pack of %d bytes arrived", bytes)
		}
		return nil, refusal
	}
	if _, err := h.repos.Fetch(t.Context(), fetched, request); !errors.Is(err, refusal) {
		t.Errorf("too much of it: %v", err)
	}
	f.password = "sesame"
	for _, from := range []catalog.Remote{good, {URL: good.URL, Username: "x", Password: "wrong", HTTP: good.HTTP}} {
		if _, err := h.repos.RemoteRefs(t.Context(), from); catalog.CodeOf(err) != catalog.Unauthorized {
			t.Errorf("password %q: %v", from.Password, err)
		}
	}
	if _, err := h.repos.RemoteRefs(t.Context(), f.remote("acme/app")); err != nil {
		t.Errorf("with the password: %v", err)
	}
	if refs, err := h.repos.RemoteRefs(t.Context(), f.remote("acme/empty")); err != nil || len(refs) != 0 {
		t.Errorf("an empty repository: %v, %v", refs, err)
	}
	// Nothing of it all arrived.
	for _, dir := range []string{h.repoDir("alice/app") + "/objects/pack", filepath.Join(h.dir, "repos", quarantines)} {
		if left, err := os.ReadDir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}

func TestFetchOverSSH(t *testing.T) {
	remote := newEnv(t, nil)
	h := newEnv(t, func(c *Config) { c.HostKeyDir = t.TempDir() }) // with keys of its own
	c := remote.newClone("alice", "app")
	commit := c.commit("file", "one")
	c.git("push", "-q", "origin", "main")
	key, err := os.ReadFile(remote.key("alice"))
	if err != nil {
		t.Fatal(err)
	}
	known := filepath.Join(t.TempDir(), "known_hosts")
	from := catalog.Remote{URL: remote.url("alice/app"), PrivateKey: key, KnownHosts: known}
	if got, err := h.repos.Fetch(t.Context(), fetched, fetchFrom(from, commit)); err != nil || got != commit {
		t.Fatalf("got %s, %v", got, err)
	}
	wantContent(t, h, commit, "one")
	if _, err := h.repos.RemoteRefs(t.Context(), from); err != nil {
		t.Errorf("the second time: %v", err)
	}
	text, err := os.ReadFile(known)
	if err != nil || strings.Count(string(text), "\n") != 1 {
		t.Errorf("known hosts: %q, %v", text, err)
	}

	strange, err := os.ReadFile(h.key("alice"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.repos.RemoteRefs(t.Context(), catalog.Remote{URL: from.URL, PrivateKey: strange, KnownHosts: known}); catalog.CodeOf(err) != catalog.Unauthorized {
		t.Errorf("another key: %v", err)
	}
	// Another server at the same address is not trusted.
	line := strings.Fields(string(text))
	otherKey := strings.Fields(string(gossh.MarshalAuthorizedKey(h.server.HostKey())))
	if err := os.WriteFile(known, []byte(line[0]+" "+otherKey[0]+" "+otherKey[1]+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := h.repos.RemoteRefs(t.Context(), from); catalog.CodeOf(err) != catalog.Forbidden {
		t.Errorf("a changed host key: %v", err)
	}
}

// The same directory many times over, on many levels: ten billion paths in a few objects.
func TestChangedIsBounded(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "App")
	var commits []string
	for _, content := range []string{"one", "two"} {
		c.write("leaf", content)
		entry := "100644 blob " + c.git("hash-object", "-w", "leaf")
		for range 10 {
			var tree strings.Builder
			for i := range 10 {
				fmt.Fprintf(&tree, "%s\td%d\n", entry, i)
			}
			entry = "040000 tree " + c.gitWith(tree.String(), "mktree")
		}
		commit := c.git("commit-tree", "-m", content, strings.Fields(entry)[2])
		c.git("push", "-q", "origin", commit+":refs/heads/"+content)
		commits = append(commits, commit)
	}
	never := func(string) bool { return false }
	if differs, err := h.repos.Changed(t.Context(), fetched, commits[0], commits[1], never); err != nil || !differs {
		t.Errorf("too much to look at: %v, %v", differs, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.repos.Changed(ctx, fetched, commits[0], commits[1], never); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that ended: %v", err)
	}
}

func TestChanged(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "App")
	c.write("api/main.go", "1")
	c.write("api/sub/x", "1")
	first := c.commit("web/index", "1")
	second := c.commit("web/index", "2")
	c.git("rm", "-q", "-r", "api/sub")
	third := c.commit("web/new/deep", "3")
	c.git("push", "-q", "origin", "main")
	under := func(prefix string) func(string) bool {
		return func(path string) bool { return strings.HasPrefix(path, prefix) }
	}
	for _, test := range []struct {
		a, b, prefix string
		want         bool
	}{
		{first, first, "", false}, {first, second, "api/", false}, {first, second, "web/", true}, {first, second, "", true},
		{second, third, "api/", true}, {second, third, "api/main.go", false}, {second, third, "api/sub/x", true},
		{second, third, "web/new/deep", true}, {second, third, "web/index", false}, {third, second, "web/new/", true},
		{strings.Repeat("1", 40), first, "nothing", true},
	} {
		got, err := h.repos.Changed(t.Context(), fetched, test.a, test.b, under(test.prefix))
		if err != nil || got != test.want {
			t.Errorf("%.7s to %.7s under %q: got %v, %v", test.a, test.b, test.prefix, got, err)
		}
	}
	if _, err := h.repos.Changed(t.Context(), fetched, first, strings.Repeat("1", 40), under("")); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("a commit that is not there: %v", err)
	}
}
