package gitserver

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// A push takes effect only if its user may push then, however long ago it began.
func TestRevokedWhilePushing(t *testing.T) {
	for _, what := range []string{"key", "role", "account"} {
		t.Run(what, func(t *testing.T) {
			h := newEnv(t, nil)
			bob := h.addUser("bob")
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			must(h.store.SetMember(t.Context(), "alice", bob.ID, catalog.RoleWrite))
			owner := h.newClone("alice", "app")
			owner.commit("a", "1")
			owner.git("push", "-q", "origin", "main")
			c := h.newClone("bob", "alice/app")
			c.commit("b", "1")
			// Git runs this when it has seen what the server has, and before it sends anything.
			hook := filepath.Join(c.dir, ".git", "hooks", "pre-push")
			must(os.MkdirAll(filepath.Dir(hook), 0o755))
			script := fmt.Sprintf("#!/bin/sh\ncat >/dev/null\ntouch %[1]s/seen\nuntil [ -e %[1]s/go ]; do sleep 0.02; done\n", h.dir)
			must(os.WriteFile(hook, []byte(script), 0o755)) //nolint:gosec // a program
			said := make(chan string)
			go func() {
				out, err := c.try("push", "origin", "main:refs/heads/evil")
				said <- fmt.Sprint(err, out)
			}()
			testkit.Eventually(t, "git runs its hook", func() bool {
				_, err := os.Stat(filepath.Join(h.dir, "seen"))
				return err == nil
			})
			switch what {
			case "key":
				keys, err := h.store.ListKeys(t.Context(), bob.ID)
				must(err)
				for _, k := range keys {
					must(h.store.DeleteKey(t.Context(), bob.ID, k.ID))
				}
			case "role":
				must(h.store.SetMember(t.Context(), "alice", bob.ID, catalog.RoleNone))
			default:
				h.disable(bob)
			}
			must(os.WriteFile(filepath.Join(h.dir, "go"), nil, 0o600))
			if out := <-said; !strings.Contains(out, "remote rejected") {
				t.Errorf("git said %s", out)
			}
			if refs := h.serverRefs(); strings.Contains(refs, "evil") {
				t.Errorf("the ref was made: %s", refs)
			}
		})
	}
}

// When the refs have moved the push has happened, whatever fails then.
func TestWhatFailsAfterTheRefsMoved(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	c.commit("a", "1")
	c.git("push", "-q", "origin", "main:first")
	lock := filepath.Join(h.repoDir("alice/app"), "HEAD.lock") // HEAD can't be pointed at main
	if err := os.WriteFile(lock, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c.git("tag", "v1")
	c.git("push", "origin", "main", "v1")
	if u := h.receiver.last(t).Updates; len(u) != 2 {
		t.Errorf("told of %+v", u)
	}
	if refs := h.serverRefs(); !strings.Contains(refs, "refs/tags/v1") || !strings.Contains(refs, "refs/heads/main") {
		t.Errorf("there are %s", refs)
	}
}

func TestRefusedPushMakesNoImage(t *testing.T) {
	h := newEnv(t, nil)
	h.receiver.set(func(r *receiver) {
		r.refuse = map[string]error{"refs/tags/v1": catalog.Errorf(catalog.Invalid, "no")}
	})
	c := h.newClone("alice", "typo")
	c.commit("a", "1")
	c.git("tag", "v1")
	c.fails([]string{"push", "origin", "v1"}, "no")
	if _, err := h.store.Image(t.Context(), catalog.ImageRef{Namespace: "alice", Name: "typo"}); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("the image: %v", err)
	}
}

// As git's own server has it: a warning, and the rest of the push goes on.
func TestDeletingWhatIsNotThere(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	c.commit("a", "1")
	c.git("push", "-q", "origin", "main")
	for _, arguments := range [][]string{{}, {"--atomic"}} {
		name := fmt.Sprintf("main:other%d", len(arguments))
		out := c.git(append(append([]string{"push"}, arguments...), "origin", ":refs/heads/none", name)...)
		if !strings.Contains(out, "nothing to delete") || !strings.Contains(h.serverRefs(), "other") {
			t.Errorf("git said %s", out)
		}
		if u := h.receiver.last(t).Updates; len(u) != 1 {
			t.Errorf("told of %+v", u)
		}
	}
}

// HEAD is main when there is one, and of versions alone the newest.
func TestWhatACloneChecksOut(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	c.commit("a", "1")
	c.git("tag", "v1")
	second := c.commit("a", "2")
	c.git("tag", "-a", "-m", "t", "v2")
	checkedOut := func() string {
		t.Helper()
		d := h.newClone("alice", "app")
		d.git("clone", "-q", h.url("app"), "copy")
		return d.git("-C", "copy", "rev-parse", "HEAD", "--abbrev-ref", "HEAD")
	}
	c.git("push", "-q", "origin", "v1", "v2")
	if got := checkedOut(); got != second+"\nHEAD" {
		t.Errorf("of tags alone: %s", got)
	}
	c.git("push", "-q", "origin", "v1^{}:refs/heads/feature")
	if got := checkedOut(); !strings.HasSuffix(got, "\nfeature") {
		t.Errorf("of the one branch: %s", got)
	}
	c.git("push", "-q", "origin", "main")
	if got := checkedOut(); got != second+"\nmain" {
		t.Errorf("with main: %s", got)
	}
	c.git("push", "-q", "origin", "main:more")
	if got := checkedOut(); got != second+"\nmain" {
		t.Errorf("with one more: %s", got)
	}
}

// What a shallow push left out, a later push brings, and clones have it.
func TestHistoryBehindAShallowPushArrives(t *testing.T) {
	h := newEnv(t, nil)
	full := h.newClone("alice", "app")
	for i := range 4 {
		full.commit("a", fmt.Sprint(i))
	}
	shallow := h.newClone("alice", "app")
	shallow.git("clone", "-q", "--depth", "1", "--branch", "main", "file://"+full.dir, "ci")
	shallow.dir += "/ci"
	shallow.git("remote", "set-url", "origin", h.url("app"))
	shallow.git("push", "-q", "origin", "main")
	early := h.newClone("alice", "app")
	early.git("clone", "-q", h.url("app"), "copy")
	early.dir += "/copy"
	full.env.says("alice", "default-branch", "app", "other")
	full.git("push", "-q", "origin", ":main")
	full.git("push", "-q", "origin", "main")
	late := h.newClone("alice", "app")
	late.git("clone", "-q", h.url("app"), "copy")
	if n := late.git("-C", "copy", "rev-list", "--count", "origin/main"); n != "4" {
		t.Errorf("a clone has %s commits", n)
	}
	early.git("fetch", "-q", "--unshallow")
	if n := early.git("rev-list", "--count", "origin/main"); n != "4" {
		t.Errorf("an earlier clone has %s commits", n)
	}
	h.fsck()
}

// Whatever operation on files fails in a push: what git is told, the refs, what the hooks are told
// and the audit log agree, and the same push can be sent again.
func TestEachFileOperationFails(t *testing.T) {
	var audit testkit.Buffer
	h := newEnv(t, func(c *Config) {
		c.Logger = hclog.New(&hclog.LoggerOptions{Output: &audit, JSONFormat: true})
	})
	for _, after := range []bool{false, true} {
		for _, kind := range []string{"first", "later"} {
			n, moved := 1, 0
			for ; ; n++ {
				image := fmt.Sprintf("app-%s-%v-%d", kind, after, n)
				c := h.newClone("alice", image)
				c.commit("a", "1")
				push := []string{"push", "--porcelain", "origin", "main", "v1"}
				if kind == "later" {
					c.git("push", "-q", "origin", "main", "main:gone", "main:feature")
					push = append(push, ":gone", "main:n/m")
					c.commit("a", "2")
				}
				c.git("tag", "v1")
				h.receiver.set(func(r *receiver) { r.pushes = nil })
				before := audit.String()
				h.disk.FailAt(n, after)
				out, _ := c.try(push...)
				done := h.disk.FailAt(0, false)

				told := map[string]bool{}
				for line := range strings.Lines(out) {
					if flag, rest, ok := strings.Cut(line, "\t"); ok && strings.Contains("!*-+ ", flag) {
						_, name, _ := strings.Cut(strings.Fields(rest)[0], ":")
						told[name] = flag != "!"
					}
				}
				refs, _ := h.stock("alice/"+image, "for-each-ref", "--format=%(objectname) %(refname)").Output()
				h.receiver.mu.Lock()
				pushes := fmt.Sprint(h.receiver.pushes)
				h.receiver.mu.Unlock()
				audited := strings.TrimPrefix(audit.String(), before)
				for name, ok := range told {
					is := strings.Contains(string(refs), c.git("rev-parse", "main")+" "+name+"\n")
					if name == "refs/heads/gone" {
						is = len(refs) > 0 && !strings.Contains(string(refs), name)
					}
					heard, logged := strings.Contains(pushes, "{"+name+" "), strings.Contains(audited, `"ref":"`+name+`"`)
					if is != ok || heard != ok || logged != ok {
						t.Errorf("operation %d (%v): %s: told %v, is %v, hooks %v, audit %v\n%s\n%s", n, done, name, ok, is, heard, logged, out, refs)
					}
					if ok {
						moved++
					}
				}
				if len(told) != len(push)-3 {
					t.Errorf("operation %d: git said\n%s", n, out)
				}
				if len(done) < n {
					break
				}
				if again, err := c.try(push...); err != nil && !strings.Contains(again, "remote ref does not exist") {
					t.Errorf("operation %d (%v): again: %s", n, done, again)
				}
			}
			if n < 5 || moved == 0 {
				t.Errorf("%s: %d operations, %d refs moved", kind, n, moved)
			}
		}
	}
}

// Git leaves out what is behind the refs that it is shown, though a shallow clone has pushed those. Who pushes
// an older tag is told how it goes all the same.
func TestOlderTagBehindAShallowPush(t *testing.T) {
	h := newEnv(t, nil)
	full := h.newClone("alice", "app")
	for i := range 4 {
		full.commit("a", fmt.Sprint(i))
		full.git("tag", fmt.Sprintf("v%d", i))
	}
	shallow := h.newClone("alice", "app")
	shallow.git("clone", "-q", "--depth", "1", "--branch", "main", "file://"+full.dir, "ci")
	shallow.dir += "/ci"
	shallow.git("remote", "set-url", "origin", h.url("app"))
	shallow.git("push", "-q", "origin", "main")
	full.fails([]string{"push", "origin", "v1"}, "a shallow clone", "git clone --single-branch --branch v1")
	full.git("clone", "-q", "--no-local", "--single-branch", "--branch", "v1", ".", "old")
	full.git("-C", "old", "push", "-q", h.url("app"), "v1")
	full.git("clone", "-q", "--no-local", "--single-branch", "--branch", "v2", ".", "newer")
	full.git("-C", "newer", "push", "-q", h.url("app"), "v2")
	late := h.newClone("alice", "app")
	late.git("clone", "-q", h.url("app"), "copy")
	if n := late.git("-C", "copy", "rev-list", "--count", "origin/main"); n != "4" {
		t.Errorf("a clone has %s commits", n)
	}
	h.fsck()
}
