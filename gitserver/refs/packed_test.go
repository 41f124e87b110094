package refs_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/refs"
	"github.com/fandoghpaas/fandogh/gitserver/refs/refstest"
)

// TestPackedAsGitPacks compares with what git writes for the same refs.
func TestPackedAsGitPacks(t *testing.T) {
	f := newEnv(t, 200)
	f.pack()
	if n := f.looseFiles(); n != 0 {
		t.Errorf("%d refs have still files of their own", n)
	}
	f.mustUpdate(refs.Change{"refs/heads/second", plumbing.ZeroHash, plumbing.NewHash(f.commits[0])})
	ours := f.packedText()
	f.git("", "update-ref", "refs/heads/more", f.commits[0])
	f.git("", "pack-refs", "--all", "--prune")
	f.git("", "update-ref", "-d", "refs/heads/more")
	if theirs := f.packedText(); ours != theirs {
		t.Errorf("packed-refs is\n%s\ngit writes\n%s", ours, theirs)
	}
	f.git("", "fsck", "--full", "--strict")
	left, err := os.ReadDir(filepath.Join(f.dir, "refs"))
	if err != nil || len(left) != 2 {
		t.Errorf("of directories heads and tags are to be left, git needs them: %v, %v", left, err)
	}
}

// However many refs change, packed-refs is written once.
func TestRefsAreWrittenOnce(t *testing.T) {
	f := newEnv(t, 0)
	f.pack()
	counted := &refstest.FailingDisk{}
	f.disk = counted
	var changes []refs.Change
	for i := range 5000 {
		changes = append(changes, refs.Change{Name: fmt.Sprintf("refs/tags/%d/a/b", i), New: plumbing.NewHash(f.commits[0])})
	}
	f.mustUpdate(changes...)
	want := []string{"create packed-refs.lock", "create packed-refs.new", "rename packed-refs.new", "sync app.git"}
	if done := counted.FailAt(0, false); !slices.Equal(done, want) {
		t.Errorf("the disk saw %q", done)
	}
	if left, err := os.ReadDir(filepath.Join(f.dir, "refs", "tags")); err != nil || len(left) != 0 {
		t.Errorf("there are files in refs/tags: %v, %v", left, err)
	}
	f.git("", "fsck", "--full", "--strict")
}

// What an older version, or git, left in files goes into packed-refs at a start or with the next change.
func TestRefsWithFilesAreTakenIn(t *testing.T) {
	for name, act := range map[string]func(f *env){
		"start": func(f *env) {
			f.start()
		},
		"change": func(f *env) {
			f.mustUpdate(refs.Change{"refs/heads/main", plumbing.NewHash(f.commits[1]), plumbing.NewHash(f.commits[2])})
			f.mustUpdate(refs.Change{"refs/heads/main", plumbing.NewHash(f.commits[2]), plumbing.NewHash(f.commits[1])})
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newEnv(t, 20)
			if err := os.MkdirAll(filepath.Join(f.dir, "refs/heads/empty/x/y"), 0o755); err != nil {
				t.Fatal(err)
			}
			f.leave("refs/heads/link", "ref: refs/heads/main\n")
			f.git("", "pack-refs", "--all", "--prune")
			f.git("", "update-ref", "refs/tags/v3.0", f.commits[2]) // goes before the packed one
			f.git("", "update-ref", "refs/heads/new", f.commits[2])
			f.git("", "symbolic-ref", "-d", "refs/heads/link")
			before := f.listed("refs/")
			act(f)
			if n := f.looseFiles(); n != 0 {
				t.Errorf("%d refs have still files of their own", n)
			}
			if after := f.listed("refs/"); !slices.Equal(before, after) {
				t.Errorf("refs were\n%s\nare\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
			}
			f.check()
		})
	}
}

// A ref that only names another one can't be in packed-refs, and is left alone.
func TestSymbolicRefs(t *testing.T) {
	f := newEnv(t, 3)
	f.git("", "symbolic-ref", "refs/remotes/origin/HEAD", "refs/heads/main")
	f.pack()
	f.mustUpdate(refs.Change{"refs/heads/new", plumbing.ZeroHash, plumbing.NewHash(f.commits[0])})
	if got := f.git("", "rev-parse", "refs/remotes/origin/HEAD"); got != f.commits[1] {
		t.Errorf("it is %s", got)
	}
}

// Readers see each change whole, whatever is written meanwhile.
func TestReadingWhileRefsChange(t *testing.T) {
	f := newEnv(t, 200)
	const rounds = 60
	hash := func(i int) plumbing.Hash {
		if i < 0 {
			return plumbing.ZeroHash
		}
		return plumbing.NewHash(f.commits[i%3])
	}
	done := make(chan struct{})
	var reading sync.WaitGroup
	for range 2 {
		reading.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				seen := map[plumbing.Hash]int{}
				n := 0
				err := refs.Each(f.store(), "refs/tags/", func(r refs.Ref) error { n++; return nil })
				if err != nil || n < 200 {
					t.Errorf("%d tags were seen, %v", n, err)
				}
				err = refs.Each(f.store(), "refs/heads/pair", func(r refs.Ref) error { seen[r.Hash]++; return nil })
				if err != nil || len(seen) > 1 {
					t.Errorf("half of a change was seen: %v, %v", seen, err)
				}
			}
		})
	}
	for i := range rounds {
		f.mustUpdate(refs.Change{"refs/heads/pair1", hash(i - 1), hash(i)}, refs.Change{"refs/heads/pair2", hash(i - 1), hash(i)})
		if i%20 == 10 {
			f.git("", "update-ref", fmt.Sprintf("refs/tags/git%d", i), f.commits[0])
		}
	}
	close(done)
	reading.Wait()
	f.check()
	f.git("", "fsck", "--full", "--strict")
}

// TestGitChangesRefsWhileWeDo has stock git as the other writer.
func TestGitChangesRefsWhileWeDo(t *testing.T) {
	f := newEnv(t, 20)
	done := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		var old plumbing.Hash
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			next := plumbing.NewHash(f.commits[i%3])
			switch err := f.update(refs.Change{"refs/heads/ours", old, next}); {
			case err == nil:
				old = next
			case catalog.CodeOf(err) != catalog.Conflict:
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
			if h, ok, err := refs.Read(f.store(), "refs/heads/g"); ok || err != nil {
				t.Errorf("round %d: refs/heads/g came back as %s, %v", i, h, err)
			}
		}
	}
	close(done)
	writing.Wait()
	f.check()
}

// TestCrashWhileRefsAreTakenIn starts from what each point of it leaves on disk.
func TestCrashWhileRefsAreTakenIn(t *testing.T) {
	for name, crash := range map[string]func(f *env, packed string){
		"half written": func(f *env, packed string) {
			f.leave("packed-refs.lock", "")
			f.leave("packed-refs.new", packed[:len(packed)/2])
		},
		"before the rename": func(f *env, packed string) {
			f.leave("packed-refs.lock", "")
			f.leave("packed-refs.new", packed)
		},
		"before files are removed": func(f *env, packed string) {
			f.leave("packed-refs.lock", "")
			f.writePacked(packed)
		},
		"among the files": func(f *env, packed string) {
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
			f := newEnv(t, 200)
			before := f.listed("refs/")
			other := newEnv(t, 0)
			if err := os.CopyFS(filepath.Join(other.dir, "copy"), os.DirFS(f.dir)); err != nil {
				t.Fatal(err)
			}
			other.dir = filepath.Join(other.dir, "copy")
			other.git("", "pack-refs", "--all")
			crash(f, other.packedText())
			if now := f.read("refs/"); !slices.Equal(now, before) {
				t.Errorf("before a start refs read\n%s", strings.Join(now, "\n"))
			}
			f.start()
			f.check()
			f.mustUpdate(refs.Change{"refs/tags/v50.0", f.mustRead("refs/tags/v50.0"), plumbing.ZeroHash})
			f.git("", "update-ref", "refs/tags/v50.0", f.commits[2])
			f.mustUpdate(refs.Change{"refs/tags/v50.0", plumbing.NewHash(f.commits[2]), plumbing.ZeroHash})
			f.git("", "tag", "v50.0", f.commits[2])
			if now := f.listed("refs/"); !slices.Equal(now, before) {
				t.Errorf("git reads\n%s", strings.Join(now, "\n"))
			}
			f.git("", "update-ref", "refs/heads/again", f.commits[0])
			f.pack()
			if n := f.looseFiles(); n != 0 {
				t.Errorf("%d files are left after packing again", n)
			}
			f.check()
		})
	}
}

// start does what the server does when it starts.
func (e *env) start() {
	e.t.Helper()
	if err := errors.Join(refs.RemoveLocks(e.dir), e.store().Recover()); err != nil {
		e.t.Fatal(err)
	}
}

// leave writes a file as a crash leaves it.
func (e *env) leave(name, text string) {
	e.t.Helper()
	if err := os.WriteFile(filepath.Join(e.dir, filepath.FromSlash(name)), []byte(text), 0o644); err != nil {
		e.t.Fatal(err)
	}
}

// TestPackedRefsHeldByAnother has another program write packed-refs for longer
// than we wait: nothing is changed, and it works afterwards.
func TestPackedRefsHeldByAnother(t *testing.T) {
	f := newEnv(t, 200)
	f.pack()
	f.leave("packed-refs.lock", "")
	before := f.listed("refs/")
	gone := refs.Change{"refs/tags/v1.0", plumbing.NewHash(f.commits[1]), plumbing.ZeroHash}
	if err := f.update(gone); catalog.CodeOf(err) != catalog.Conflict || !slices.Equal(f.listed("refs/"), before) {
		t.Errorf("deleted under another's lock: %v", err)
	}
	if err := os.Remove(filepath.Join(f.dir, "packed-refs.lock")); err != nil {
		t.Fatal(err)
	}
	f.mustUpdate(gone)
	f.check()
}

func TestDamagedPackedRefs(t *testing.T) {
	f := newEnv(t, 200)
	f.pack()
	good := f.packedText()
	for name, text := range map[string]string{
		"cut off":  good[:len(good)-5],
		"no hash":  good + "xyz refs/tags/zzz\n",
		"no name":  good + f.commits[0] + "\n",
		"bad peel": good + f.commits[0] + " refs/tags/zzz\n^123\n",
	} {
		f.writePacked(text)
		if err := refs.Each(f.store(), "refs/", func(refs.Ref) error { return nil }); err == nil {
			t.Errorf("%s: packed-refs was read without an error", name)
		}
	}
}
