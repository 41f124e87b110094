package gitserver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
)

// TestPackedAsGitPacks compares with what git writes for the same refs.
func TestPackedAsGitPacks(t *testing.T) {
	f := newRefsFixture(t, maxLooseRefs+10)
	f.pack()
	if n := f.looseFiles(); n != 0 {
		t.Errorf("%d refs have still files of their own", n)
	}
	ours := f.packedText()
	f.git("", "update-ref", "refs/heads/more", f.commits[0])
	f.git("", "pack-refs", "--all", "--prune")
	f.git("", "update-ref", "-d", "refs/heads/more")
	if theirs := f.packedText(); ours != theirs {
		t.Errorf("packed-refs is\n%s\ngit writes\n%s", ours, theirs)
	}
	f.git("", "fsck", "--full", "--strict")
	for _, sub := range []string{"refs/heads", "refs/tags"} {
		if _, err := os.Stat(filepath.Join(f.dir, sub)); err != nil {
			t.Errorf("git needs %s: %v", sub, err)
		}
	}
}

func TestFewRefsAreNotPacked(t *testing.T) {
	f := newRefsFixture(t, maxLooseRefs/2)
	f.pack()
	if _, err := os.Stat(filepath.Join(f.dir, "packed-refs")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("packed-refs was written for a few refs: %v", err)
	}
}

// TestPackingWhileRefsChange packs as fast as it can while some write and
// others read.
func TestPackingWhileRefsChange(t *testing.T) {
	f := newRefsFixture(t, maxLooseRefs+10)
	const writers, rounds = 3, 40
	for i := range 3000 { // keeps a reader busy before it comes to the tags
		if err := os.MkdirAll(filepath.Join(f.dir, "refs", "heads", "empty", fmt.Sprint(i)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	made := f.read("refs/tags/") // they stay
	done := make(chan struct{})
	var writing, others sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			var old plumbing.Hash
			for i := range rounds {
				h := plumbing.NewHash(f.commits[i%3])
				if i%7 == 6 {
					h = plumbing.ZeroHash
				}
				name := fmt.Sprintf("refs/heads/w%d/x", w)
				if err := f.update(refChange{name, old, h}); err != nil {
					t.Errorf("%s, round %d: %v", name, i, err)
				}
				if now, _, err := f.open().readRef(name); now != h || err != nil {
					t.Errorf("%s is %s, %v, want %s", name, now, err, h)
				}
				old = h
				tag := fmt.Sprintf("refs/tags/w%d-%d", w, i)
				if err := f.update(refChange{tag, plumbing.ZeroHash, plumbing.NewHash(f.commits[0])}); err != nil {
					t.Error(err)
				}
				mu.Lock()
				made = append(made, f.commits[0]+" "+tag)
				mu.Unlock()
			}
		})
	}
	until := func(do func()) {
		others.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					do()
				}
			}
		})
	}
	until(func() {
		unlock := f.repos.lock(f.ref)
		repo := f.open()
		place, err := os.Stat(f.dir)
		packed, packErr := repo.packRefs()
		unlock()
		if err := errors.Join(err, packErr, f.repos.dropLoose(repo, place, packed)); err != nil {
			t.Error(err)
		}
	})
	until(func() {
		mu.Lock()
		want := slices.Clone(made)
		mu.Unlock()
		now := map[string]bool{}
		for _, line := range f.read("refs/") {
			now[line] = true
		}
		for _, line := range want {
			if !now[line] {
				t.Errorf("%q is not seen", line)
			}
		}
	})
	writing.Wait()
	close(done)
	others.Wait()
	f.check()
	f.git("", "fsck", "--full", "--strict")
}

// TestRefMadeAgainIsNotDropped has a ref deleted and made again, as it was, between
// the packing and the removal of its file: packed-refs no longer has it.
func TestRefMadeAgainIsNotDropped(t *testing.T) {
	f := newRefsFixture(t, maxLooseRefs+10)
	repo := f.open()
	place, err := os.Stat(f.dir)
	packed, packErr := repo.packRefs()
	if err := errors.Join(err, packErr); err != nil {
		t.Fatal(err)
	}
	const name = "refs/heads/again"
	commit := plumbing.NewHash(f.commits[0])
	f.mustUpdate(refChange{name, plumbing.ZeroHash, commit})
	again, packErr := repo.packRefs()
	if packErr != nil {
		t.Fatal(packErr)
	}
	f.mustUpdate(refChange{name, commit, plumbing.ZeroHash})
	f.mustUpdate(refChange{name, plumbing.ZeroHash, commit})
	for _, refs := range [][]gitRef{packed, again} {
		if err := f.repos.dropLoose(repo, place, refs); err != nil {
			t.Fatal(err)
		}
	}
	if now, ok, err := repo.readRef(name); now != commit || !ok || err != nil {
		t.Errorf("%s is %s, %v, %v, want %s", name, now, ok, err, commit)
	}
	if n := f.looseFiles(); n != 1 {
		t.Errorf("%d refs have files of their own, want 1", n)
	}
	f.check()
}

// TestGitChangesRefsWhileWePack has stock git as the other writer.
func TestGitChangesRefsWhileWePack(t *testing.T) {
	f := newRefsFixture(t, 20)
	done := make(chan struct{})
	var packing sync.WaitGroup
	packing.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			unlock := f.repos.lock(f.ref)
			repo := f.open()
			place, err := os.Stat(f.dir)
			packed, packErr := repo.packRefs()
			unlock()
			if err := errors.Join(err, packErr, f.repos.dropLoose(repo, place, packed)); err != nil {
				t.Error(err)
			}
		}
	})
	git := func(args ...string) {
		// It waits for packed-refs, but not for a ref's own lock.
		for {
			cmd := exec.Command("git", append([]string{"-C", f.dir}, args...)...)
			out, err := cmd.CombinedOutput()
			if err == nil {
				return
			}
			if !strings.Contains(string(out), "Unable to create") && !strings.Contains(string(out), "cannot lock ref") {
				t.Errorf("git %v: %v\n%s", args, err, out)
				return
			}
		}
	}
	for i := range 10 {
		git("update-ref", "refs/heads/g", f.commits[i%3])
		if h := f.mustRead("refs/heads/g"); h.String() != f.commits[i%3] {
			t.Errorf("round %d: refs/heads/g is %s", i, h)
		}
		if i%5 == 4 {
			git("update-ref", "-d", "refs/heads/g")
			if h, ok, err := f.open().readRef("refs/heads/g"); ok || err != nil {
				t.Errorf("round %d: refs/heads/g came back as %s, %v", i, h, err)
			}
		}
	}
	close(done)
	packing.Wait()
	f.check()
}

// TestCrashWhilePacking starts from what each point of packing leaves on disk.
func TestCrashWhilePacking(t *testing.T) {
	for name, crash := range map[string]func(f *refsFixture, packed string){
		"half written": func(f *refsFixture, packed string) {
			f.leave("packed-refs.lock", "")
			f.leave("packed-refs.new", packed[:len(packed)/2])
		},
		"before the rename": func(f *refsFixture, packed string) {
			f.leave("packed-refs.lock", "")
			f.leave("packed-refs.new", packed)
		},
		"before files are removed": func(f *refsFixture, packed string) {
			f.leave("packed-refs.lock", "")
			f.writePacked(packed)
		},
		"among the files": func(f *refsFixture, packed string) {
			f.writePacked(packed)
			for i := range 50 {
				if err := os.Remove(filepath.Join(f.dir, "refs", "tags", fmt.Sprintf("v%d.0", i))); err != nil {
					f.t.Fatal(err)
				}
			}
			f.leave("refs/tags/v50.0.lock", "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newRefsFixture(t, maxLooseRefs+10)
			before := f.listed("refs/")
			other := newRefsFixture(t, 0)
			if err := os.CopyFS(filepath.Join(other.dir, "copy"), os.DirFS(f.dir)); err != nil {
				t.Fatal(err)
			}
			other.dir = filepath.Join(other.dir, "copy")
			other.git("", "pack-refs", "--all")
			crash(f, other.packedText())
			if now := f.read("refs/"); !slices.Equal(now, before) {
				t.Errorf("before a start refs read\n%s", strings.Join(now, "\n"))
			}
			var err error
			if f.repos, err = OpenRepositories(f.repos.dir, nil); err != nil {
				t.Fatal(err)
			}
			f.check()
			f.mustUpdate(refChange{"refs/tags/v50.0", f.mustRead("refs/tags/v50.0"), plumbing.ZeroHash})
			f.git("", "update-ref", "refs/tags/v50.0", f.commits[2])
			f.mustUpdate(refChange{"refs/tags/v50.0", plumbing.NewHash(f.commits[2]), plumbing.ZeroHash})
			f.git("", "tag", "v50.0", f.commits[2])
			if now := f.listed("refs/"); !slices.Equal(now, before) {
				t.Errorf("git reads\n%s", strings.Join(now, "\n"))
			}
			for i := range maxLooseRefs + 1 {
				f.git("", "update-ref", fmt.Sprintf("refs/heads/again%d", i), f.commits[0])
			}
			f.pack()
			if n := f.looseFiles(); n != 0 {
				t.Errorf("%d files are left after packing again", n)
			}
			f.check()
		})
	}
}

// leave writes a file as a crash leaves it.
func (f *refsFixture) leave(name, text string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, filepath.FromSlash(name)), []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

// TestPackedRefsHeldByAnother has another program write packed-refs for longer
// than we wait: nothing is changed, and it works afterwards.
func TestPackedRefsHeldByAnother(t *testing.T) {
	f := newRefsFixture(t, maxLooseRefs+10)
	f.pack()
	f.leave("packed-refs.lock", "")
	before := f.listed("refs/")
	gone := refChange{"refs/tags/v1.0", plumbing.NewHash(f.commits[1]), plumbing.ZeroHash}
	if err := f.update(gone); catalog.CodeOf(err) != catalog.Conflict || !slices.Equal(f.listed("refs/"), before) {
		t.Errorf("deleted under another's lock: %v", err)
	}
	f.mustUpdate(refChange{"refs/tags/new", plumbing.ZeroHash, plumbing.NewHash(f.commits[1])}) // needs no packed-refs
	if err := os.Remove(filepath.Join(f.dir, "packed-refs.lock")); err != nil {
		t.Fatal(err)
	}
	f.mustUpdate(gone)
	f.check()
}

func TestDamagedPackedRefs(t *testing.T) {
	f := newRefsFixture(t, maxLooseRefs+10)
	f.pack()
	good := f.packedText()
	for name, text := range map[string]string{
		"cut off":  good[:len(good)-5],
		"no hash":  good + "xyz refs/tags/zzz\n",
		"no name":  good + f.commits[0] + "\n",
		"bad peel": good + f.commits[0] + " refs/tags/zzz\n^123\n",
	} {
		f.writePacked(text)
		if err := f.open().eachRef("refs/", func(gitRef) error { return nil }); err == nil {
			t.Errorf("%s: packed-refs was read without an error", name)
		}
	}
}

// TestManyTagsArePackedAfterAPush goes through the server.
func TestManyTagsArePackedAfterAPush(t *testing.T) {
	h := newHost(t, nil)
	c := h.newClone("alice", "app")
	c.commit("a.txt", "1")
	c.git("tag", "-a", "-m", "note", "annotated")
	specs := []string{"push", "-q", "origin", "main", "annotated"}
	for i := range maxLooseRefs {
		specs = append(specs, fmt.Sprintf("main:refs/tags/t%d", i))
	}
	c.git(specs...)
	tags := filepath.Join(h.repoDir("alice/app"), "refs", "tags")
	eventually(t, "refs are packed", func() bool {
		left, err := os.ReadDir(tags)
		return err == nil && len(left) == 0
	})
	want := exec.Command("git", "ls-remote", h.repoDir("alice/app"))
	out, err := want.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := c.git("ls-remote", "origin"); got != strings.TrimSpace(string(out)) {
		t.Errorf("ls-remote shows\n%s\ngit itself\n%s", got, out)
	}
	c.git("push", "-q", "origin", "--delete", "t7", "annotated")
	c.commit("a.txt", "2")
	c.git("push", "-q", "-f", "origin", "main", "main:refs/tags/t8")
	refs := h.serverRefs()
	if strings.Contains(refs, "refs/tags/t7\n") || strings.Contains(refs, "annotated") || strings.Count(refs, c.git("rev-parse", "HEAD")) != 2 {
		t.Errorf("after a deletion and a move there are\n%s", refs)
	}
	c.git("push", "-q", "origin", "main:refs/tags/t7")
	h.fsck()
}
