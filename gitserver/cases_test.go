package gitserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// quarantines is where the repositories' directory has them.
const quarantines = ".incoming"

// quarantinesEmpty checks that no quarantine is left.
func (e *env) quarantinesEmpty() {
	e.t.Helper()
	testkit.Eventually(e.t, "quarantines go", func() bool {
		left, err := os.ReadDir(filepath.Join(e.dir, "repos", quarantines))
		return err == nil && len(left) == 0
	})
}

func TestThinPackOfASecondPush(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	c.commit("big.txt", lines(20000, "the same line again"))
	c.git("push", "--thin", "origin", "main")
	c.commit("big.txt", lines(20000, "the same line again")+"!")
	c.git("push", "--thin", "origin", "main")
	h.fsck()
}

func TestFiveTagsAtOnce(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	for i := range 5 {
		c.commit("a.txt", fmt.Sprint(i))
		if i%2 == 0 {
			c.git("tag", fmt.Sprintf("v%d", i))
		} else {
			c.git("tag", "-a", "-m", "note", fmt.Sprintf("v%d", i))
		}
	}
	c.git("push", "--tags", "origin")
	push := h.receiver.last(t)
	if len(push.Updates) != 5 {
		t.Fatalf("%d updates, want 5", len(push.Updates))
	}
	for _, u := range push.Updates {
		tag, _ := u.Tag()
		if want := c.git("rev-parse", tag+"^{commit}"); u.Commit != want {
			t.Errorf("%s peels to %s, want %s", tag, u.Commit, want)
		}
		if want := c.git("rev-parse", tag); u.New != want {
			t.Errorf("%s is %s, want %s", tag, u.New, want)
		}
	}
	h.fsck()
}

func TestAtomicIsAllOrNothing(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	c.commit("a.txt", "1")
	c.git("push", "origin", "main")
	before := h.serverRefs()
	c.commit("a.txt", "2")
	c.git("tag", "good")
	c.git("tag", "bad")
	h.receiver.set(func(r *receiver) {
		r.refuse = map[string]error{"refs/tags/bad": catalog.Errorf(catalog.Conflict, "no bad tags")}
	})
	c.fails([]string{"push", "--atomic", "origin", "main", "good", "bad"}, "no bad tags", "atomic")
	if after := h.serverRefs(); after != before {
		t.Errorf("an atomic push that was refused changed refs:\n%s\nwas:\n%s", after, before)
	}
	h.quarantinesEmpty()

	c.fails([]string{"push", "origin", "main", "good", "bad"}, "no bad tags")
	after := h.serverRefs()
	if !strings.Contains(after, "refs/tags/good") || strings.Contains(after, "refs/tags/bad") {
		t.Errorf("a push that is not atomic should set all but the refused ref:\n%s", after)
	}
	h.fsck()
}

func TestForceOntoARefusedTag(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	first := c.commit("a.txt", "1")
	c.git("tag", "v1")
	c.git("push", "origin", "v1")
	c.commit("a.txt", "2")
	c.git("tag", "-f", "v1")
	h.receiver.set(func(r *receiver) {
		r.refuse = map[string]error{"refs/tags/v1": catalog.Errorf(catalog.Conflict, "version v1 is already built and never changes")}
	})
	c.fails([]string{"push", "--force", "origin", "v1"}, "version v1 is already built and never changes")
	if refs := h.serverRefs(); !strings.Contains(refs, first) {
		t.Errorf("the tag moved:\n%s", refs)
	}
}

func TestShallowCloneOfOursPushesATag(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	for i := range 5 {
		c.commit("a.txt", fmt.Sprint(i))
	}
	c.git("push", "origin", "main")
	ci := h.newClone("alice", "app")
	ci.git("clone", "-q", "--depth", "1", h.url("app"), "ci")
	ci.dir += "/ci"
	if n := ci.git("rev-list", "--count", "HEAD"); n != "1" {
		t.Fatalf("depth 1 gave %s commits", n)
	}
	ci.commit("b.txt", "from CI")
	ci.git("tag", "v1")
	ci.git("push", "origin", "main", "v1")
	h.fsck()
	if _, err := os.Stat(filepath.Join(h.repoDir("alice/app"), "shallow")); err == nil {
		t.Error("the server's repository became shallow though it has all commits")
	}
	ci.git("fetch", "--unshallow")
	if n := ci.git("rev-list", "--count", "HEAD"); n != "6" {
		t.Errorf("after --unshallow there are %s commits, want 6", n)
	}
	ci.git("fsck", "--full", "--strict")
}

func TestShallowCloneOfAnotherRepository(t *testing.T) {
	h := newEnv(t, nil)
	elsewhere := h.newClone("alice", "unused")
	for i := range 4 {
		elsewhere.commit("a.txt", fmt.Sprint(i))
	}
	ci := h.newClone("alice", "app")
	ci.git("clone", "-q", "--depth", "2", "file://"+elsewhere.dir, "ci")
	ci.dir += "/ci"
	ci.git("remote", "set-url", "origin", h.url("app"))
	ci.git("tag", "v1")
	ci.git("push", "origin", "main", "v1")
	h.fsck()
	c := h.newClone("alice", "app")
	c.git("clone", "-q", h.url("app"), "copy")
	c.dir += "/copy"
	if n := c.git("rev-list", "--count", "HEAD"); n != "2" {
		t.Errorf("the clone has %s commits, want the 2 that were pushed", n)
	}
	c.commit("c.txt", "more")
	c.git("push", "origin", "main")
	h.fsck()
}

func TestDeleteOnlyPush(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	commit := c.commit("a.txt", "1")
	c.git("push", "origin", "main", "main:refs/heads/a/b", "main:other")
	c.git("push", "origin", "--delete", "a/b", "other")
	if refs := h.serverRefs(); strings.Count(refs, "\n") != 1 {
		t.Errorf("only main should be left:\n%s", refs)
	}
	testkit.Same(t, "updates", h.receiver.last(t).Updates, []catalog.RefUpdate{{Name: "refs/heads/a/b", Old: commit}, {Name: "refs/heads/other", Old: commit}})
	c.git("push", "origin", "main:refs/heads/a") // where the directory a/ was
	c.fails([]string{"push", "origin", "main:refs/heads/a/b"}, "can't exist beside")
}

func TestEmptyPackForKnownObjects(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	c.commit("a.txt", "1")
	c.git("push", "origin", "main")
	c.git("push", "origin", "main:refs/tags/v1")
	if !strings.Contains(h.serverRefs(), "refs/tags/v1") {
		t.Error("the tag is not there")
	}
}

func TestRacingClientsOneWins(t *testing.T) {
	h := newEnv(t, nil)
	const n = 4
	clones := make([]*clone, n)
	for i := range clones {
		clones[i] = h.newClone("alice", "app")
		clones[i].commit("a.txt", fmt.Sprint("from client ", i))
		clones[i].git("tag", "v1")
	}
	var wg sync.WaitGroup
	results := make([]error, n)
	outputs := make([]string, n)
	for i, c := range clones {
		wg.Go(func() { outputs[i], results[i] = c.try("push", "origin", "v1") })
	}
	wg.Wait()
	won := 0
	for _, err := range results {
		if err == nil {
			won++
		}
	}
	if won != 1 || h.receiver.count() != 1 {
		t.Errorf("%d clients won, %d pushes came through, want one\n%s", won, h.receiver.count(), strings.Join(outputs, "\n"))
	}
	h.fsck()
}

func TestFiveThousandFiles(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	for i := range 5000 {
		c.write(fmt.Sprintf("d%d/f%d.txt", i%50, i), fmt.Sprint("content ", i))
	}
	c.commit("last.txt", "x")
	c.git("tag", "v1")
	c.git("push", "origin", "v1")
	h.fsck()
}

func TestLimitsStopEarly(t *testing.T) {
	random := func(n int) string {
		b := make([]byte, n)
		f, err := os.Open("/dev/urandom")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		if _, err := f.Read(b); err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for name, test := range map[string]struct {
		config func(*Config)
		want   string
	}{
		"pack":    {func(c *Config) { c.MaxPackBytes = 1 << 20 }, "limit of 1 MiB"},
		"object":  {func(c *Config) { c.MaxObjectBytes = 1 << 20 }, "a file larger than the limit of 1 MiB"},
		"objects": {func(c *Config) { c.MaxObjects = 2 }, "more than 2 objects"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newEnv(t, test.config)
			c := h.newClone("alice", "app")
			c.commit("big.bin", random(8<<20))
			c.git("tag", "v1")
			c.fails([]string{"push", "origin", "v1"}, test.want)
			h.quarantinesEmpty()
			if h.receiver.count() != 0 {
				t.Error("the push came through")
			}
			if _, err := h.store.Image(t.Context(), catalog.ImageRef{Namespace: "alice", Name: "app"}); catalog.CodeOf(err) != catalog.NotFound {
				t.Errorf("a refused first push left an image: %v", err)
			}
			if _, err := os.Stat(h.repoDir("alice/app")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a refused first push left a repository: %v", err)
			}
		})
	}
}

func TestPushOptions(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	c.commit("a.txt", "1")
	c.fails([]string{"push", "-o", "nonsense", "origin", "main"}, "unknown push option", "no-cache")
	h.quarantinesEmpty()
	c.git("push", "-o", "no-cache", "-o", "build-arg=A=1 2", "origin", "main")
	push := h.receiver.last(t)
	if !push.Options.Build.NoCache || push.Options.Build.Args["A"] != "1 2" {
		t.Errorf("options %+v", push.Options)
	}
}

func TestHiddenRefs(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	commit := c.commit("a.txt", "1")
	c.git("push", "origin", "main")
	if err := h.repos.Keep(t.Context(), catalog.ImageRef{Namespace: "alice", Name: "app"}, commit); err != nil {
		t.Fatal(err)
	}
	c.fails([]string{"push", "origin", "main:refs/fandogh/keep/x"}, "reserved for the server")
	c.fails([]string{"push", "origin", ":refs/fandogh/keep/" + commit}, "")
	if out := c.git("ls-remote", "origin"); strings.Contains(out, "fandogh") {
		t.Errorf("hidden refs are shown:\n%s", out)
	}
	if !strings.Contains(h.serverRefs(), "refs/fandogh/keep/"+commit) {
		t.Error("the hidden ref is gone")
	}
}

func TestUndoAndFailed(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	c.commit("a.txt", "1")
	c.git("tag", "v1")
	c.git("tag", "v2")
	h.receiver.set(func(r *receiver) {
		r.post = func(_ context.Context, push catalog.Push) catalog.PostReceiveResult {
			fmt.Fprintln(push.Progress, "step one\nstep two")
			return catalog.PostReceiveResult{
				Failed: map[string]error{"refs/tags/v1": catalog.Errorf(catalog.Unavailable, "the queue is\nfull"), "refs/tags/v2": catalog.Errorf(catalog.Conflict, "RUN make failed")},
				Undo:   []string{"refs/tags/v1"},
			}
		}
	})
	c.fails([]string{"push", "-q", "origin", "v1", "v2"}, "remote: step one", "remote: step two", "try later: the queue is full", "RUN make failed")
	refs := h.serverRefs()
	if strings.Contains(refs, "v1") || !strings.Contains(refs, "v2") {
		t.Errorf("v1 should be put back and v2 left for the hooks:\n%s", refs)
	}
}

// What is put back is as it was, however it was changed, unless another client has changed it since.
func TestPutBack(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	first := c.commit("a.txt", "1")
	c.git("push", "-q", "origin", "main", "main:gone", "main:raced")
	second := c.commit("a.txt", "2")
	before := h.serverRefs()
	h.receiver.set(func(r *receiver) {
		r.post = func(_ context.Context, push catalog.Push) catalog.PostReceiveResult {
			result := catalog.PostReceiveResult{Failed: map[string]error{}}
			for _, u := range push.Updates {
				result.Failed[u.Name] = catalog.Errorf(catalog.Conflict, "put back")
				result.Undo = append(result.Undo, u.Name)
			}
			if !push.Atomic {
				result.Failed["refs/x"] = errors.New("it was atomic")
			}
			if out, err := exec.Command("git", "-C", h.repoDir("alice/app"), "update-ref", "refs/heads/raced", first, second).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			return result
		}
	})
	c.fails([]string{"push", "--atomic", "origin", "main", ":gone", "main:new", "main:raced"}, "put back")
	if after := h.serverRefs(); after != before {
		t.Errorf("refs were\n%s\nare\n%s", before, after)
	}
}

func TestAThousandTagsAndNames(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	c.commit("a.txt", "1")
	specs := make([]string, 0, 1000)
	for i := range 1000 {
		specs = append(specs, fmt.Sprintf("main:refs/tags/t%d/x", i))
	}
	c.git(append([]string{"push", "-q", "--atomic", "origin"}, specs...)...)
	if n := strings.Count(h.serverRefs(), "\n"); n != 1000 {
		t.Errorf("%d refs, want 1000", n)
	}
	c.fails([]string{"push", "origin", "main:refs/tags/t1"}, "can't exist beside")
	c.fails([]string{"push", "origin", "main:refs/tags/t1/x/y"}, "can't exist beside")
	// In one atomic push, too, and nothing of it stays.
	c.fails([]string{"push", "--atomic", "origin", "main:refs/heads/n/m", "main:refs/heads/n"}, "n")
	if refs := h.serverRefs(); strings.Contains(refs, "refs/heads/n") {
		t.Errorf("an atomic push with names in each other's way left something:\n%s", refs)
	}
	c.git("push", "origin", "main:refs/heads/n")
}

// What is put back is there, however short the time after which what no ref leads to is removed.
func TestPutBackAfterPruning(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	noise := make([]byte, 200_000)
	_, _ = rand.Read(noise)
	c.commit("a.txt", string(noise))
	c.git("push", "-q", "origin", "main")
	before := h.serverRefs()
	c.git("checkout", "-q", "--orphan", "other")
	_, _ = rand.Read(noise)
	c.commit("a.txt", string(noise))
	ref := catalog.ImageRef{Namespace: "alice", Name: "app"}
	h.receiver.set(func(r *receiver) {
		r.post = func(_ context.Context, push catalog.Push) catalog.PostReceiveResult {
			if done, err := h.repos.Prune(t.Context(), ref, time.Now(), 0); done.Objects > 0 || catalog.CodeOf(err) != catalog.Unavailable {
				t.Errorf("%+v went: %v", done, err)
			}
			return catalog.PostReceiveResult{Undo: []string{"refs/heads/main", "refs/heads/new"}, Failed: map[string]error{"refs/heads/main": errors.New("put back")}}
		}
	})
	c.fails([]string{"push", "--force", "--atomic", "origin", "other:main", "other:new"}, "rejected")
	if after := h.serverRefs(); after != before {
		t.Errorf("refs were\n%s\nare\n%s", before, after)
	}
	h.fsck()
	if done, err := h.repos.Prune(t.Context(), ref, time.Now(), 0); done.Objects == 0 || err != nil {
		t.Errorf("of the push that was put back %+v went: %v", done, err)
	}
	h.fsck()
}
