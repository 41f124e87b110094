package gitserver

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/repository"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

func TestPushAndClone(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	first := c.commit("a.txt", lines(500, "line"))
	c.git("tag", "v1.0")
	c.git("push", "origin", "main", "v1.0")
	push := h.receiver.last(t)
	testkit.Same(t, "image", push.Image.Ref.String(), "alice/app")
	testkit.Same(t, "updates", push.Updates, []catalog.RefUpdate{
		{Name: "refs/heads/main", New: first, Commit: first}, {Name: "refs/tags/v1.0", New: first, Commit: first},
	})
	c.commit("a.txt", lines(500, "line")+"one more\n")
	c.git("tag", "-a", "-m", "annotated", "v1.1")
	c.git("push", "origin", "main", "v1.1")
	h.fsck()

	d := h.newClone("alice", "alice/app.git")
	d.git("clone", "-q", h.url("app"), "copy")
	d.dir += "/copy"
	if got, want := d.git("rev-parse", "HEAD"), c.git("rev-parse", "HEAD"); got != want {
		t.Errorf("cloned %s, want %s", got, want)
	}
	if got := d.git("tag"); got != "v1.0\nv1.1" {
		t.Errorf("cloned tags %q", got)
	}
	d.git("fsck", "--full", "--strict")
}

// A small change of a large file is sent as a small change.
func TestThinPush(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	random := make([]byte, 1<<20)
	_, _ = rand.Read(random)
	large := hex.EncodeToString(random)
	c.commit("large", large)
	c.git("push", "-q", "origin", "main")
	c.commit("large", large[:1<<20]+"a change"+large[1<<20:])
	out := c.git("push", "--progress", "origin", "main")
	if !regexp.MustCompile(`Writing objects: 100% \(3/3\), \d+ bytes`).MatchString(out) {
		t.Errorf("git sent more than the change:\n%s", out)
	}
	h.fsck()
	d := h.newClone("alice", "app")
	d.git("clone", "-q", h.url("app"), "copy")
	if got := d.git("-C", "copy", "rev-parse", "HEAD:large"); got != c.git("rev-parse", "HEAD:large") {
		t.Errorf("a clone has %s", got)
	}
}

// A chain of tags is followed, and one beyond all use refused alone.
func TestTagsOfTags(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	commit := c.commit("a", "1")
	c.git("tag", "-a", "-m", "t", "n1")
	for i := 2; i <= 120; i++ {
		c.git("tag", "-a", "-m", "t", fmt.Sprintf("n%d", i), fmt.Sprintf("n%d", i-1))
	}
	c.git("push", "-q", "origin", "main", "n12")
	if u := h.receiver.last(t).Updates; len(u) != 2 || u[1].Commit != commit {
		t.Errorf("got %+v", u)
	}
	c.fails([]string{"push", "origin", "n120", "main:other"}, "n120 is a chain of too many nested tags", "main -> other")
	if out := c.git("ls-remote", "origin"); !strings.Contains(out, commit+"\trefs/tags/n12^{}") {
		t.Errorf("ls-remote says\n%s", out)
	}
	// One that git set on the server hides no other.
	if out, err := h.stock("alice/app", "fetch", "-q", "--no-tags", c.dir, "refs/tags/n120:refs/tags/n120").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	ref := catalog.ImageRef{Namespace: "alice", Name: "app"}
	if tags, err := h.repos.Tags(t.Context(), ref); err != nil || len(tags) != 1 || tags[0].Name != "n12" || tags[0].Commit != commit {
		t.Errorf("the tags are %+v, %v", tags, err)
	}
	if err := h.repos.WithdrawTag(t.Context(), ref, "n120", commit); err != nil {
		t.Errorf("withdraw it: %v", err)
	}
	h.says("alice", "default-branch", "app", "none")
	c.git("push", "-q", "origin", ":main", ":other")
	c.fails([]string{"clone", h.url("app"), "whole"}, "is a chain of too many nested tags")
	c.git("clone", "-q", "--no-tags", h.url("app"), "copy")
	if got := c.git("-C", "copy", "rev-parse", "HEAD"); got != commit {
		t.Errorf("a clone checks out %s", got)
	}
}

func TestPushAgainWhileBuildingAttaches(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	commit := c.commit("a.txt", "1")
	c.git("tag", "-a", "-m", "note", "v1")
	c.git("push", "origin", "v1")
	before := h.serverRefs()
	h.receiver.set(func(r *receiver) { r.unbuilt = map[string]string{"v1": commit} })
	out := c.git("push", "origin", "v1")
	if strings.Contains(out, "up-to-date") {
		t.Fatalf("git did not send the tag again:\n%s", out)
	}
	push := h.receiver.last(t)
	testkit.Same(t, "pushes", h.receiver.count(), 2)
	testkit.Same(t, "the second push", push.Updates, []catalog.RefUpdate{{Name: "refs/tags/v1", New: c.git("rev-parse", "v1"), Commit: commit}})
	// The same commit under another tag object attaches too, the ref stays.
	c.git("tag", "-f", "-a", "-m", "another note", "v1")
	c.git("push", "origin", "v1")
	if after := h.serverRefs(); after != before {
		t.Errorf("the ref moved:\n%s\nwas:\n%s", after, before)
	}
	testkit.Same(t, "the third push", h.receiver.last(t).Updates, push.Updates)
	// Another commit is for PreReceive to refuse.
	c.commit("a.txt", "2")
	c.git("tag", "-f", "v1")
	h.receiver.set(func(r *receiver) {
		r.refuse = map[string]error{"refs/tags/v1": catalog.Errorf(catalog.Conflict, "version v1 is being built from another commit")}
	})
	c.fails([]string{"push", "origin", "v1"}, "being built from another commit")
	if after := h.serverRefs(); after != before {
		t.Errorf("the ref moved:\n%s", after)
	}
	h.fsck()
}

func TestProgressIsLiveAndQuietKeepsIt(t *testing.T) {
	h := newEnv(t, func(c *Config) { c.KeepAlive = 20 * time.Millisecond })
	c := h.newClone("alice", "app")
	c.commit("a.txt", "1")
	step := make(chan struct{})
	h.receiver.set(func(r *receiver) {
		r.post = func(ctx context.Context, push catalog.Push) catalog.PostReceiveResult {
			fmt.Fprintln(push.Progress, "first line")
			<-step
			fmt.Fprintln(push.Progress, "last line")
			return catalog.PostReceiveResult{}
		}
	})
	cmd := c.command("push", "-q", "origin", "main")
	var out testkit.Buffer
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the first line", func() bool { return strings.Contains(out.String(), "remote: first line") })
	h.quarantinesEmpty() // a build may take long
	if strings.Contains(out.String(), "last line") {
		t.Error("the last line came before its time")
	}
	close(step)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("push: %v\n%s", err, out.String())
	}
	if !strings.Contains(out.String(), "remote: last line") {
		t.Errorf("the last line is missing:\n%s", out.String())
	}
}

func TestKilledClientIsNoticed(t *testing.T) {
	for name, kill := range map[string]func(pid int) error{
		"ctrl-c":  func(pid int) error { return syscall.Kill(-pid, syscall.SIGINT) },
		"kill -9": func(pid int) error { return syscall.Kill(-pid, syscall.SIGKILL) },
	} {
		t.Run(name, func(t *testing.T) {
			h := newEnv(t, func(c *Config) { c.KeepAlive = 20 * time.Millisecond })
			c := h.newClone("alice", "app")
			c.commit("a.txt", "1")
			c.git("tag", "v1")
			began, ended := make(chan struct{}), make(chan error, 1)
			h.receiver.set(func(r *receiver) {
				r.post = func(ctx context.Context, push catalog.Push) catalog.PostReceiveResult {
					fmt.Fprintln(push.Progress, "building")
					close(began)
					select {
					case <-push.Gone:
						ended <- ctx.Err()
					case <-time.After(time.Minute):
						ended <- fmt.Errorf("Gone was not closed")
					}
					fmt.Fprintln(push.Progress, "into the void")
					return catalog.PostReceiveResult{}
				}
			})
			cmd := c.command("push", "origin", "v1")
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			<-began
			if err := kill(cmd.Process.Pid); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; err != nil {
				t.Errorf("PostReceive ended with %v; its context is not the connection's", err)
			}
			_ = cmd.Wait()
			if !strings.Contains(h.serverRefs(), "refs/tags/v1") {
				t.Error("the tag went with the client")
			}
		})
	}
}

func TestShutdownWaitsForAPush(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	c.commit("a.txt", "1")
	began, finish := make(chan struct{}), make(chan struct{})
	h.receiver.set(func(r *receiver) {
		r.post = func(context.Context, catalog.Push) catalog.PostReceiveResult {
			close(began)
			<-finish
			return catalog.PostReceiveResult{}
		}
	})
	cmd := c.command("push", "origin", "main")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-began
	stopped := make(chan struct{})
	go func() { h.stop(); close(stopped) }()
	testkit.Eventually(t, "new connections to be refused", func() bool {
		_, status := h.ssh("alice", "images")
		return status == 255
	})
	close(finish)
	if err := cmd.Wait(); err != nil {
		t.Errorf("the push that ran at shutdown failed: %v", err)
	}
	<-stopped
}

func TestLeftoversOfACrashAreRemoved(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	c.commit("a.txt", "1")
	c.git("push", "origin", "main")
	repo := h.repoDir("alice/app")
	for _, path := range []string{
		repo + "/refs/heads/main.lock", repo + "/packed-refs.lock",
		h.dir + "/repos/.incoming/push-1/incoming.pack",
	} {
		if err := os.MkdirAll(path[:strings.LastIndex(path, "/")], 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := repository.Open(h.dir+"/repos", objects.NewBudget(), nil); err != nil {
		t.Fatal(err)
	}
	h.quarantinesEmpty()
	c.commit("a.txt", "2")
	c.git("push", "origin", "main")
}

func TestPackedRefs(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	commit := c.commit("a.txt", "1")
	c.git("tag", "-a", "-m", "note", "v1")
	c.git("tag", "v2")
	c.git("push", "origin", "main", "v1", "v2")
	server := &clone{env: h, dir: h.repoDir("alice/app"), user: "alice"}
	h.maintained()
	server.git("pack-refs", "--all")
	server.git("gc", "-q")
	if out := c.git("ls-remote", "origin"); strings.Count(out, commit) != 4 || !strings.Contains(out, "refs/tags/v1^{}") {
		t.Errorf("ls-remote after pack-refs:\n%s", out)
	}
	second := c.commit("a.txt", "2")
	c.git("push", "origin", "main")
	ref := catalog.ImageRef{Namespace: "alice", Name: "APP"}
	if err := h.repos.WithdrawTag(t.Context(), ref, "v1", second); err != nil {
		t.Fatal(err)
	}
	tags, err := h.repos.Tags(t.Context(), ref)
	if err != nil || len(tags) != 2 || tags[0].Commit != commit || tags[0].Object == commit {
		t.Fatalf("tags %+v, %v", tags, err)
	}
	if err := h.repos.WithdrawTag(t.Context(), ref, "v1", commit); err != nil {
		t.Fatal(err)
	}
	if refs := h.serverRefs(); strings.Contains(refs, "v1") || !strings.Contains(refs, second) {
		t.Errorf("v1 should be gone and main moved:\n%s", refs)
	}
	h.fsck()
	if err := h.repos.Delete(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	if left, err := h.repos.Repositories(t.Context()); err != nil || len(left) != 0 {
		t.Errorf("left after Delete: %v, %v", left, err)
	}
}

func TestFetchNegotiation(t *testing.T) {
	h := newEnv(t, nil)
	a := h.newClone("alice", "app")
	for i := range 30 {
		a.commit(fmt.Sprintf("f%d.txt", i), fmt.Sprint(i))
	}
	a.git("tag", "-a", "-m", "x", "v1")
	a.git("push", "origin", "main", "v1")
	b := h.newClone("alice", "app")
	b.git("fetch", "origin")
	b.git("checkout", "-q", "-b", "main", "origin/main")
	if b.git("tag") != "v1" {
		t.Error("the annotated tag of a fetched commit did not come along")
	}
	a.commit("new.txt", "new")
	a.git("push", "origin", "main")
	b.commit("own.txt", "own") // the server has no such commit
	// One commit, one tree, one blob: nothing that b has is sent again.
	if out := b.git("fetch", "--progress", "origin"); !strings.Contains(out, "Enumerating objects: 3, done.") {
		t.Errorf("fetch said:\n%s", out)
	}
	b.git("merge", "-q", "-m", "merge", "origin/main")
	b.git("push", "origin", "main")
	a.git("pull", "-q", "--ff-only", "origin", "main")
	a.git("fsck", "--full", "--strict")
	h.fsck()
	// A second look finds nothing new.
	a.git("fetch", "origin")
	// Deepening step by step.
	s := h.newClone("alice", "app")
	s.git("fetch", "-q", "--depth", "2", "origin", "main")
	s.git("fetch", "-q", "--depth", "5", "origin", "main")
	if n := s.git("rev-list", "--count", "FETCH_HEAD"); n != "6" { // first parents and the merged one
		t.Errorf("depth 5 gave %s commits", n)
	}
	s.git("fsck", "--full")
}

// Every push leaves a pack; they must not pile up. While nothing may be removed they do.
func TestPacksAreMerged(t *testing.T) {
	h := newEnv(t, nil)
	var held atomic.Bool
	held.Store(true)
	h.repos.AskBeforeRemoving(func() (func(), error) {
		if held.Load() {
			return nil, catalog.Errorf(catalog.Unavailable, "a backup is running")
		}
		return func() {}, nil
	})
	c := h.newClone("alice", "app")
	packs := func() (n int) {
		files, err := os.ReadDir(filepath.Join(h.repoDir("alice/app"), "objects", "pack"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if filepath.Ext(f.Name()) == ".pack" {
				n++
			}
		}
		return n
	}
	for i := range 60 {
		if i == 55 {
			h.maintained()
			if n := packs(); n != 55 {
				t.Errorf("after %d pushes there are %d packs", i, n)
			}
			held.Store(false)
		}
		c.commit("a.txt", lines(50, fmt.Sprint("line ", i)))
		c.git("push", "-q", "origin", "main")
	}
	testkit.Eventually(t, "packs are merged", func() bool { return packs() <= 50 })
	h.fsck()
	c.git("clone", "-q", h.url("app"), "copy")
	c.dir += "/copy"
	if got := c.git("rev-list", "--count", "HEAD"); got != "60" {
		t.Errorf("cloned %s commits", got)
	}
	c.git("fsck", "--full", "--strict")
}

func TestDiskFull(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	c.commit("a.txt", "fits")
	c.git("push", "origin", "main")
	dir := filepath.Join(h.dir, "repos", quarantines)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, 300_000)
	_, _ = rand.Read(noise)
	c.commit("noise", string(noise))
	before := h.serverRefs()
	c.fails([]string{"push", "origin", "main"}, "try later", "disk is full", "push again later")
	if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
		t.Error(err)
	}
	if after := h.serverRefs(); after != before {
		t.Errorf("refs were %s, are %s", before, after)
	}
	c.git("push", "origin", "main")
	h.fsck()
}
