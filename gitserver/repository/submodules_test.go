package repository

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
)

// remoteGit serves repositories as git's own HTTP server does.
type remoteGit struct {
	t   *testing.T
	dir string
	*httptest.Server
}

func newRemoteGit(t *testing.T) *remoteGit {
	t.Helper()
	path, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	g := &remoteGit{t: t, dir: t.TempDir()}
	g.Server = httptest.NewServer(&cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(path)), "git-http-backend"), Stderr: io.Discard,
		Env: []string{"GIT_PROJECT_ROOT=" + g.dir, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1", "HOME=" + g.dir},
	})
	t.Cleanup(g.Close)
	return g
}

// work makes a repository there, and a work tree that is pushed by publish.
func (g *remoteGit) work(name string, repos *Repositories) *workTree {
	g.t.Helper()
	c := &workTree{g.t, g.t.TempDir(), repos}
	c.git("init", "-q", "-b", "main")
	c.git("init", "-q", "--bare", "-b", "main", filepath.Join(g.dir, name))
	c.git("remote", "add", "origin", filepath.Join(g.dir, name))
	return c
}

func (w *workTree) publish() string {
	w.t.Helper()
	w.git("push", "-q", "--force", "origin", "HEAD:refs/heads/main")
	return w.git("rev-parse", "HEAD")
}

// addModule puts a submodule into the index as it is, without looking at it.
func (w *workTree) addModule(path, commit string) {
	w.t.Helper()
	w.git("update-index", "--add", "--cacheinfo", "160000,"+commit+","+path)
}

// access finds submodules there, and tells of what it was asked.
func (g *remoteGit) access(asked *[]string) catalog.SubmoduleAccess {
	var mu sync.Mutex
	return catalog.SubmoduleAccess{
		Find: func(_ context.Context, base, text string) (catalog.SubmoduleSource, error) {
			if base == "" {
				base = g.URL + "/acme/app.git"
			}
			u, err := catalog.ResolveGitURL(base, text)
			if err != nil {
				return catalog.SubmoduleSource{}, err
			}
			mu.Lock()
			defer mu.Unlock()
			*asked = append(*asked, strings.TrimPrefix(u.String(), g.URL))
			return catalog.SubmoduleSource{URL: u.String(), Fetch: catalog.FetchRequest{
				From: catalog.Remote{URL: u.String(), HTTP: http.DefaultClient}, MaxPackBytes: 1 << 20, MaxObjectBytes: 1 << 20, MaxObjects: 1000,
			}}, nil
		},
		Say: func(string) {},
	}
}

// listing is what a directory holds, but for what git keeps beside files.
func listing(t *testing.T, files fs.FS) string {
	t.Helper()
	var b strings.Builder
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.Name() == ".git" && entry.IsDir():
			return fs.SkipDir
		case entry.Name() == ".git":
			return nil
		case entry.IsDir():
			b.WriteString(name + "/\n")
			return nil
		}
		data, err := fs.ReadFile(files, name)
		b.WriteString(name + " " + string(data) + "\n")
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return b.String()
}

func TestSubmodulesAreWhatGitClones(t *testing.T) {
	g := newRemoteGit(t)
	repos, _ := importRepositories(t)
	deep := g.work("acme/deep.git", repos)
	deep.commit("deep.txt", "deep")
	old := deep.publish()
	deep.commit("deep.txt", "newer") // the tip, which nobody wants
	deep.publish()
	lib := g.work("acme/lib.git", repos)
	lib.write(".gitmodules", "[submodule \"deep\"]\n\tpath = third party/deep\n\turl = ../deep.git\n")
	lib.write("lib.txt", "lib")
	lib.git("add", "-A")
	lib.addModule("third party/deep", old)
	lib.git("commit", "-q", "-m", "lib")
	libCommit := lib.publish()
	app := g.work("acme/app.git", repos)
	app.write(".gitmodules", "[submodule \"lib\"]\n\tpath = vendor/lib\n\turl = "+g.URL+"/acme/lib.git\n"+
		"[submodule \"again\"]\n\tpath = again\n\turl = ../lib.git\n\tshallow = true\n"+
		"[submodule \"never\"]\n\tpath = never\n\turl = ../nowhere.git\n\tupdate = none\n")
	app.write("app.txt", "app")
	app.git("add", "-A")
	for path, commit := range map[string]string{"vendor/lib": libCommit, "again": libCommit, "never": old, "unnamed": old} {
		app.addModule(path, commit)
	}
	app.git("commit", "-q", "-m", "app")
	app.publish()

	clone := filepath.Join(t.TempDir(), "clone")
	app.git("clone", "-q", "--recurse-submodules", g.URL+"/acme/app.git", clone)
	tree, err := app.tree()
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	tree.OpenSubmodules(t.Context(), g.access(&asked))
	if len(asked) > 0 {
		t.Errorf("asked for %q before anything was read", asked)
	}
	if got, want := listing(t, tree), listing(t, os.DirFS(clone)); got != want {
		t.Errorf("the tree has\n%s\ngit cloned\n%s", got, want)
	}
	if data, err := fs.ReadFile(tree, "vendor/lib/third party/deep/deep.txt"); string(data) != "deep" || err != nil {
		t.Errorf("read %q, %v", data, err)
	}
	if err := tree.Close(); err != nil {
		t.Error(err)
	}
	// What was fetched is there for the next build.
	if err := os.RemoveAll(g.dir); err != nil {
		t.Fatal(err)
	}
	again, err := repos.Tree(t.Context(), imageRef, app.git("rev-parse", "HEAD"))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close() //nolint:errcheck // only read
	again.OpenSubmodules(t.Context(), g.access(&asked))
	if got, want := listing(t, again), listing(t, os.DirFS(clone)); got != want {
		t.Errorf("without the remote the tree has\n%s\nwant\n%s", got, want)
	}
	// The image's own repository has none of it.
	repo, err := repos.Open(imageRef)
	if err != nil {
		t.Fatal(err)
	}
	defer repo.Close() //nolint:errcheck // only read
	if _, err := repo.Commit(plumbing.NewHash(libCommit)); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("the submodule's commit: %v", err)
	}
	if ends, err := repo.Shallow(); len(ends) > 0 || err != nil {
		t.Errorf("shallow %v, %v", ends, err)
	}
	if err := repos.Delete(t.Context(), imageRef); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(repos.modules.path(imageRef)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after the image's deletion its submodules: %v", err)
	}
}

func TestSubmodulesThatCantBeHad(t *testing.T) {
	g := newRemoteGit(t)
	repos, _ := importRepositories(t)
	lib := g.work("acme/lib.git", repos)
	lib.commit("lib.txt", "lib")
	there := lib.publish()
	const missing = "1111111111111111111111111111111111111111"
	for _, c := range []struct {
		name, modules, commit string
		code                  catalog.Code
		says                  string
	}{
		{"no such repository", "path = sub\n url = ../nowhere.git", there, catalog.Invalid, "submodule sub can't be fetched: the remote repository does not exist"},
		{"no such commit", "path = sub\n url = ../lib.git", missing, catalog.Invalid, "submodule sub can't be fetched: "},
		{"an option", "path = sub\n url = -u./payload", there, catalog.Invalid, "begins with -"},
		{"a program", "path = sub\n url = \"ext::sh -c touch% /tmp/x\"", there, catalog.Invalid, "submodule sub can't be fetched"},
		{"a file", "path = sub\n url = file:///etc", there, catalog.Invalid, "scheme file"},
		{"no URL", "path = sub", there, catalog.Invalid, "its URL is empty"},
		{"a command", "path = sub\n url = ../lib.git\n update = !touch /tmp/x", there, catalog.Invalid, "command"},
		{"out of the host", "path = sub\n url = ../../../x", there, catalog.Invalid, "leads out of the host"},
		{"not a configuration", "path = sub\n[\n", there, catalog.Invalid, ".gitmodules is not a valid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			app := &workTree{t, t.TempDir(), repos}
			app.git("init", "-q", "-b", "main")
			app.write(".gitmodules", "[submodule \"sub\"]\n "+c.modules+"\n")
			app.git("add", "-A")
			app.addModule("sub", c.commit)
			app.git("commit", "-q", "-m", c.name)
			tree, err := app.tree()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := fs.Stat(tree, "sub"); catalog.CodeOf(err) != catalog.Invalid || !strings.Contains(catalog.MessageOf(err), "sub is a git submodule") {
				t.Errorf("without access: %v", err)
			}
			var asked []string
			tree.OpenSubmodules(t.Context(), g.access(&asked))
			if _, err := fs.Stat(tree, ".gitmodules"); err != nil {
				t.Error(err)
			}
			_, err = tree.Lstat("sub")
			if catalog.CodeOf(err) != c.code || !strings.Contains(catalog.MessageOf(err), c.says) {
				t.Errorf("%v, want %s with %q", err, c.code, c.says)
			}
			// A walk may pass by.
			if list, err := fs.ReadDir(tree, "sub"); len(list) > 0 || err != nil {
				t.Errorf("its files: %v, %v", list, err)
			}
			if _, err := fs.Stat(tree, "sub/file"); catalog.CodeOf(err) != c.code {
				t.Errorf("one of its files: %v", err)
			}
		})
	}
}

// TestSuspiciousModulesArePassedOver has what git passes over, too.
func TestSuspiciousModulesArePassedOver(t *testing.T) {
	for text, want := range map[string]string{
		"[submodule \"../../hooks\"]\n path = sub\n url = x\n":                                 "", // CVE-2018-11235: a name that leads into .git
		"[submodule \"a/..\"]\n path = sub\n url = x\n":                                        "",
		"[submodule \"a\"]\n path = -sub\n url = x\n":                                          "", // CVE-2018-17456
		"[submodule \"a\"]\n path = ../sub\n url = x\n":                                        "",
		"[submodule \"a\"]\n path = a/../../sub\n url = x\n":                                   "",
		"[submodule \"a\"]\n url = x\n":                                                        "",
		"[submodule]\n path = sub\n url = x\n":                                                 "",
		"[other \"a\"]\n path = sub\n url = x\n":                                               "",
		"[submodule \"a\"]\n path = sub\n url = x\n":                                           "sub=x",
		"[SubModule \"a\"]\n\tPATH = sub/\n\tURL = x # y\n":                                    "sub=x",
		"[submodule \"a\"]\n path = sub\n url = x\n url = y\n":                                 "sub=y",
		"[submodule \"a\"]\n path = sub\n url = x\n[submodule \"b\"]\n path = sub\n url = y\n": "sub=y",
	} {
		modules, err := parseModules([]byte(text))
		got := ""
		for path, m := range modules {
			got += path + "=" + m.url
		}
		if got != want || err != nil {
			t.Errorf("%q is %q, %v; want %q", text, got, err, want)
		}
	}
}

func FuzzModules(f *testing.F) {
	f.Add([]byte("[submodule \"a\"]\n path = sub\n url = x\n"))
	f.Add([]byte("[submodule \"a\\\"b\"]\r\n\tpath = \"a b\" ; c\n\turl\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		modules, err := parseModules(data)
		if err != nil && catalog.CodeOf(err) != catalog.Invalid {
			t.Errorf("a user's file is blamed on us: %v", err)
		}
		for path := range modules {
			if path == "" || strings.HasPrefix(path, "-") || strings.Contains("/"+path+"/", "/../") {
				t.Errorf("%q names the path %q", data, path)
			}
		}
	})
}

// What no build asked for lately goes, and is fetched again; what one did ask for stays, as does the image.
func TestUnusedSubmodulesGo(t *testing.T) {
	g := newRemoteGit(t)
	repos, _ := importRepositories(t)
	lib := g.work("acme/lib.git", repos)
	lib.commit("lib.txt", "lib")
	commit := lib.publish()
	app := g.work("acme/app.git", repos)
	app.write(".gitmodules", "[submodule \"lib\"]\n\tpath = lib\n\turl = ../lib.git\n")
	app.git("add", "-A")
	app.addModule("lib", commit)
	app.git("commit", "-q", "-m", "app")
	build := func() {
		t.Helper()
		tree, err := app.tree()
		if err != nil {
			t.Fatal(err)
		}
		defer tree.Close() //nolint:errcheck // only read
		tree.OpenSubmodules(t.Context(), g.access(new([]string)))
		if data, err := fs.ReadFile(tree, "lib/lib.txt"); string(data) != "lib" || err != nil {
			t.Errorf("read %q, %v", data, err)
		}
	}
	dir := repos.modules.path(imageRef)
	age := func() {
		t.Helper()
		old := time.Now().Add(-48 * time.Hour)
		if err := os.Chtimes(dir, old, old); err != nil {
			t.Fatal(err)
		}
	}
	prune := func() (isThere bool) {
		t.Helper()
		if err := repos.PruneModules(time.Now().Add(-24 * time.Hour)); err != nil {
			t.Fatal(err)
		}
		_, err := os.Stat(dir)
		return !errors.Is(err, fs.ErrNotExist)
	}
	build()
	age()
	build()
	if !prune() {
		t.Error("what a build asked for just now is gone")
	}
	age()
	if prune() {
		t.Error("what no build asked for is there")
	}
	build()
	if _, err := os.Stat(repos.path(imageRef)); err != nil {
		t.Errorf("the image's own repository: %v", err)
	}
}
