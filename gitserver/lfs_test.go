package gitserver

import (
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/account"
	"github.com/fandoghpaas/fandogh/catalog/registry"
	"github.com/fandoghpaas/fandogh/gitserver/lfs"
)

const lfsPassword = "correct horse battery"

// lfsEnv is an env with Git LFS, over HTTP too, where alice and bob have a password.
type lfsEnv struct {
	*env
	registryDir string
	registry    *registry.Registry
	lfs         *lfs.Server
	http        string // http://host:port
}

func newLFSEnv(t *testing.T, most int64) *lfsEnv {
	t.Helper()
	h := &lfsEnv{registryDir: filepath.Join(t.TempDir(), "registry")}
	h.env = newEnv(t, func(c *Config) {
		accounts := account.New(account.Config{Users: c.Store})
		var err error
		if h.registry, err = registry.New(registry.Config{Dir: h.registryDir, Store: c.Store, Auth: accounts, Logger: hclog.NewNullLogger()}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = h.registry.Close() })
		h.lfs = lfs.New(lfs.Config{
			Store: c.Store, Contents: h.registry, Auth: accounts, Secret: []byte("a secret of tests"), URL: func() string { return h.http },
			EnsureRepository: c.Repositories.Ensure, MaxObjectBytes: most, Logger: c.Logger,
		})
		c.LFS, c.Repositories.LargeFiles = h.lfs, h.lfs
	})
	server := httptest.NewServer(h.lfs)
	t.Cleanup(server.Close)
	h.http = server.URL
	h.addUser("bob")
	accounts := account.New(account.Config{Users: h.store})
	for _, name := range []string{"alice", "bob"} {
		user, err := h.store.User(t.Context(), name)
		if err == nil {
			err = accounts.SetPassword(t.Context(), user.ID, lfsPassword)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// member gives a user a role in alice's namespace.
func (h *lfsEnv) member(name string, role catalog.Role) {
	h.t.Helper()
	user, err := h.store.User(h.t.Context(), name)
	if err == nil {
		err = h.store.SetMember(h.t.Context(), "alice", user.ID, role)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// transports are the ways that stock git-lfs goes, by what is set for them.
var transports = map[string]func(h *lfsEnv, c *clone){
	"ssh": func(*lfsEnv, *clone) {},
	// As where git-lfs-transfer is not allowed.
	"http": func(h *lfsEnv, c *clone) {
		c.ssh = filepath.Join(h.dir, "no-transfer")
		script := "#!/bin/sh\ncase \"$*\" in *git-lfs-transfer*) exit 127;; esac\nexec ssh \"$@\"\n"
		if err := os.WriteFile(c.ssh, []byte(script), 0o700); err != nil {
			h.t.Fatal(err)
		}
	},
	"password": func(h *lfsEnv, c *clone) {
		at := strings.Replace(h.http, "://", "://"+c.user+":"+strings.ReplaceAll(lfsPassword, " ", "%20")+"@", 1)
		c.git("config", "lfs.url", at+"/alice/app.git/info/lfs")
	},
}

// clone is a repository with git-lfs that goes one way, without what is on the server.
func (h *lfsEnv) clone(user, transport string) *clone {
	c := h.newClone(user, "alice/app")
	c.git("lfs", "install", "--local")
	transports[transport](h, c)
	c.git("config", "lfs.locksverify", "true")
	return c
}

// checkedOut is a clone of main with all its files.
func (h *lfsEnv) checkedOut(user, transport string) *clone {
	c := h.clone(user, transport)
	c.git("fetch", "-q", "origin")
	c.git("checkout", "-q", "main")
	return c
}

func (c *clone) read(name string) string {
	c.env.t.Helper()
	text, err := os.ReadFile(filepath.Join(c.dir, name))
	if err != nil {
		c.env.t.Fatal(err)
	}
	return string(text)
}

// noise is a content that does not compress.
func noise(size int) string {
	text := make([]byte, size)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(text) // never fails
	return string(text)
}

// The stock client, by each of its ways: what one pushes, another checks out.
func TestGitLFS(t *testing.T) {
	for transport := range transports {
		t.Run(transport, func(t *testing.T) {
			h := newLFSEnv(t, 0)
			c := h.clone("alice", transport)
			c.git("lfs", "track", "*.bin")
			files := map[string]string{"a.bin": "large", "dir/same.bin": "large", "empty.bin": "", "big.bin": noise(3<<20 + 1)}
			for i := range 20 {
				files[fmt.Sprintf("many/%d.bin", i)] = fmt.Sprint("number ", i)
			}
			for name, text := range files {
				c.write(name, text)
			}
			c.commit("plain.txt", "not large")
			c.git("push", "origin", "main") // creates the image
			if c.git("cat-file", "-p", "HEAD:a.bin") == "large" {
				t.Fatal("git-lfs did nothing")
			}
			c.commit("a.bin", "changed")
			c.git("push", "origin", "main")

			other := h.checkedOut("alice", transport)
			files["a.bin"], files["plain.txt"] = "changed", "not large"
			for name, want := range files {
				if got := other.read(name); got != want {
					t.Errorf("%s: %d bytes, want %d", name, len(got), len(want))
				}
			}
			other.git("lfs", "fetch", "--all", "origin")
			other.git("checkout", "-q", "HEAD^")
			if got := other.read("a.bin"); got != "large" {
				t.Errorf("of the commit before: %q", got)
			}
			other.git("lfs", "fsck")
			// Without the smudge, pulled then.
			bare := h.clone("alice", transport)
			bare.git("fetch", "-q", "origin")
			bare.git("config", "filter.lfs.process", "git-lfs filter-process --skip")
			bare.git("config", "filter.lfs.smudge", "git-lfs smudge --skip -- %f")
			bare.git("checkout", "-q", "main")
			if got := bare.read("a.bin"); !strings.HasPrefix(got, "version https") {
				t.Fatalf("checked out %q", got)
			}
			bare.git("lfs", "pull")
			if got := bare.read("big.bin"); got != files["big.bin"] {
				t.Errorf("pulled %d bytes", len(got))
			}
			c.git("lfs", "push", "--all", "origin")
		})
	}
}

// What was pushed without its objects is there, and says by name what is missing until they come.
func TestGitLFSPushWithoutObjects(t *testing.T) {
	for transport := range transports {
		t.Run(transport, func(t *testing.T) {
			h := newLFSEnv(t, 0)
			c := h.clone("alice", transport)
			c.git("lfs", "track", "*.bin")
			c.write("b.bin", "also large")
			c.commit("dir/a.bin", "large")
			push := c.command("push", "origin", "main")
			push.Env = append(push.Env, "GIT_LFS_SKIP_PUSH=1")
			if out, err := push.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			other := h.clone("alice", transport)
			other.git("fetch", "-q", "origin")
			other.git("config", "lfs.transfer.maxretries", "1")
			oid := strings.Fields(c.git("lfs", "ls-files", "--long"))[0]
			other.fails([]string{"lfs", "fetch", "origin", "origin/main"}, "alice/app does not have the Git LFS object "+oid, "git lfs push --all")
			other.fails([]string{"checkout", "main"}, "b.bin")
			c.git("lfs", "push", "--all", "origin")
			other.git("reset", "-q", "--hard", "origin/main")
			if got := other.read("dir/a.bin"); got != "large" {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestGitLFSLocks(t *testing.T) {
	for transport := range transports {
		t.Run(transport, func(t *testing.T) {
			h := newLFSEnv(t, 0)
			h.member("bob", catalog.RoleWrite)
			c := h.clone("alice", transport)
			c.git("lfs", "track", "--lockable", "*.bin")
			c.write("b.bin", "b")
			c.commit("a.bin", "a")
			c.git("push", "origin", "main")
			c.git("lfs", "lock", "a.bin")
			c.fails([]string{"lfs", "lock", "a.bin"}, "already locked by alice")
			if out := c.git("lfs", "locks"); !strings.Contains(out, "a.bin") || !strings.Contains(out, "alice") {
				t.Errorf("locks:\n%s", out)
			}
			if out := c.git("lfs", "locks", "--verify"); !strings.Contains(out, "O a.bin") {
				t.Errorf("locks that are verified:\n%s", out)
			}
			bob := h.checkedOut("bob", transport)
			bob.git("lfs", "lock", "b.bin")
			if out := bob.git("lfs", "locks"); !strings.Contains(out, "a.bin") || !strings.Contains(out, "b.bin") {
				t.Errorf("bob sees:\n%s", out)
			}
			if out := bob.git("lfs", "locks", "--path", "b.bin"); strings.Contains(out, "a.bin") {
				t.Errorf("locks of one path:\n%s", out)
			}
			bob.fails([]string{"lfs", "unlock", "a.bin"}, "a.bin")
			bob.fails([]string{"lfs", "unlock", "--force", "a.bin"}, "an admin of namespace")
			if err := os.Chmod(filepath.Join(bob.dir, "a.bin"), 0o644); err != nil {
				t.Fatal(err)
			}
			bob.commit("a.bin", "of bob")
			bob.fails([]string{"push", "origin", "main"}, "a.bin", "alice")
			c.git("lfs", "unlock", "a.bin")
			bob.git("push", "origin", "main")
			c.git("lfs", "unlock", "--force", "b.bin") // alice is an admin of her namespace
			if out := bob.git("lfs", "locks"); strings.Contains(out, ".bin") {
				t.Errorf("locks that are left:\n%s", out)
			}
		})
	}
}

// An object is a repository's own, though others may have it.
func TestGitLFSObjectsAreTheImages(t *testing.T) {
	for transport := range transports {
		if transport == "password" { // is of one image
			continue
		}
		t.Run(transport, func(t *testing.T) {
			h := newLFSEnv(t, 0)
			c := h.clone("alice", transport)
			c.git("lfs", "track", "*.bin")
			c.commit("secret.bin", "the secret of alice")
			c.git("push", "origin", "main")
			pointer := c.git("cat-file", "-p", "HEAD:secret.bin")

			bob := h.clone("bob", transport)
			bob.git("remote", "set-url", "origin", h.url("bob/mine"))
			bob.git("lfs", "track", "*.bin")
			bob.write("secret.bin", pointer+"\n") // which git-lfs takes for clean
			bob.git("add", "-A")
			bob.git("commit", "-q", "-m", "x")
			push := bob.command("push", "origin", "main")
			push.Env = append(push.Env, "GIT_LFS_SKIP_PUSH=1")
			if out, err := push.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			bob.git("config", "lfs.transfer.maxretries", "1")
			if out, err := bob.try("lfs", "pull"); err == nil && strings.Contains(bob.read("secret.bin"), "secret of") {
				t.Errorf("bob has it:\n%s", out)
			}
			bob.fails([]string{"lfs", "fetch", "--all", h.url("alice/app")}, "alice")
		})
	}
}

// What git-lfs removes here because the server has it, the server has.
func TestGitLFSPrune(t *testing.T) {
	for transport := range transports {
		t.Run(transport, func(t *testing.T) {
			h := newLFSEnv(t, 0)
			c := h.clone("alice", transport)
			c.git("lfs", "track", "*.bin")
			c.git("config", "lfs.fetchrecentrefsdays", "0")
			c.git("config", "lfs.pruneoffsetdays", "0")
			c.commit("kept.bin", "which the server has")
			c.git("push", "-q", "origin", "main")
			c.commit("a.bin", "which it has not")
			lost := strings.Fields(c.git("lfs", "ls-files", "--long", "--include", "a.bin"))[0]
			c.commit("kept.bin", "now another")
			c.commit("a.bin", "and this")
			push := c.command("push", "origin", "main")
			push.Env = append(push.Env, "GIT_LFS_SKIP_PUSH=1")
			if out, err := push.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			c.git("config", "lfs.transfer.maxretries", "1")
			c.fails([]string{"lfs", "prune", "--verify-remote"}, lost)
			if _, err := os.Stat(filepath.Join(c.dir, ".git/lfs/objects", lost[:2], lost[2:4], lost)); err != nil {
				t.Errorf("the only copy is gone: %v", err)
			}
			c.git("lfs", "push", "--all", "origin")
			c.git("lfs", "prune", "--verify-remote")
		})
	}
}
