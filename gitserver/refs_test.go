package gitserver

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
)

// refsFixture is a repository of ours, with what git needs to look into it.
type refsFixture struct {
	t       *testing.T
	repos   *Repositories
	ref     catalog.ImageRef
	dir     string
	commits []string
}

// newRefsFixture has branches and tags of all kinds, each in a file of its own.
func newRefsFixture(t *testing.T, tags int) *refsFixture {
	t.Helper()
	repos, err := OpenRepositories(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	f := &refsFixture{t: t, repos: repos, ref: catalog.ImageRef{Namespace: "alice", Name: "app"}}
	f.dir = repos.path(f.ref)
	unlock := repos.lock(f.ref)
	repo, err := repos.openOrCreate(f.ref)
	unlock()
	if err != nil {
		t.Fatal(err)
	}
	discard(repo)
	tree := f.git("", "mktree")
	for i := range 3 {
		f.commits = append(f.commits, f.git(fmt.Sprint("commit ", i), "commit-tree", tree))
	}
	f.git("", "tag", "-a", "-m", "note", "annotated", f.commits[0])
	f.git("", "tag", "-a", "-m", "note", "nested", "annotated")
	var updates strings.Builder
	for i := range tags {
		fmt.Fprintf(&updates, "create refs/tags/v%d.0 %s\n", i, f.commits[i%3])
	}
	for _, name := range []string{"heads/main", "heads/a-b", "heads/a/b", "heads/a.b", "fandogh/keep/x", "tags/zz/deep/er"} {
		fmt.Fprintf(&updates, "create refs/%s %s\n", name, f.commits[1])
	}
	f.git(updates.String(), "update-ref", "--stdin")
	return f
}

func (f *refsFixture) git(stdin string, args ...string) string {
	f.t.Helper()
	cmd := exec.Command("git", append([]string{"-C", f.dir, "-c", "user.name=A", "-c", "user.email=a@example.org"}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		f.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// open returns the repository, opened anew.
func (f *refsFixture) open() *repository {
	f.t.Helper()
	repo, err := f.repos.open(f.ref)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { discard(repo) })
	return repo
}

func (f *refsFixture) update(changes ...refChange) error {
	f.t.Helper()
	defer f.repos.lock(f.ref)()
	return f.open().updateRefs(changes)
}

func (f *refsFixture) mustUpdate(changes ...refChange) {
	f.t.Helper()
	if err := f.update(changes...); err != nil {
		f.t.Fatal(err)
	}
}

func (f *refsFixture) pack() {
	f.t.Helper()
	if err := f.repos.packRefs(f.t.Context(), f.ref); err != nil {
		f.t.Fatal(err)
	}
}

// listed is what git sees; all refs as "object name meaning" by name.
func (f *refsFixture) listed(prefix string) []string {
	f.t.Helper()
	out := f.git("", "for-each-ref", "--sort=refname", "--format=%(objectname) %(refname) %(*objectname)", prefix)
	var lines []string
	for line := range strings.SplitSeq(out, "\n") {
		fields := strings.Fields(line)
		if len(fields) == 3 { // git shows one step of a tag of a tag
			fields[2] = f.git("", "rev-parse", fields[1]+"^{}")
		}
		lines = append(lines, strings.Join(fields, " "))
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[41:], b[41:]) })
	return lines
}

// read is what we see, in the same form.
func (f *refsFixture) read(prefix string) []string {
	f.t.Helper()
	repo := f.open()
	var lines []string
	err := repo.eachRef(prefix, func(r gitRef) error {
		err := repo.peel(&r)
		line := r.Hash.String() + " " + r.Name
		if r.Peeled != r.Hash {
			line += " " + r.Peeled.String()
		}
		lines = append(lines, line)
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return lines
}

// check holds everything that reads refs to what git says.
func (f *refsFixture) check() {
	f.t.Helper()
	for _, prefix := range []string{"refs/", "refs/heads/", "refs/tags/zz/", "refs/none/"} {
		got := strings.Join(f.read(prefix), "\n")
		if want := strings.Join(f.listed(prefix), "\n"); got != want {
			f.t.Errorf("%s holds\n%s\nwant\n%s", prefix, got, want)
		}
	}
	repo := f.open()
	for _, line := range f.listed("refs/") {
		fields := strings.Fields(line)
		if h, ok, err := repo.readRef(fields[1]); !ok || err != nil || h.String() != fields[0] {
			f.t.Errorf("%s is %s, %v, %v, want %s", fields[1], h, ok, err, fields[0])
		}
	}
	for _, name := range []string{"refs/", "refs/heads", "refs/heads/a", "refs/heads/maim", "refs/heads/main2", "refs/tags/v", "refs/tags/zz", "refs/zz", "a"} {
		if h, ok, err := repo.readRef(name); ok || err != nil {
			f.t.Errorf("%s is %s, %v, want none", name, h, err)
		}
	}
	for _, name := range []string{"refs/heads/a", "refs/heads/main/x", "refs/tags/zz/deep", "refs/tags/v2.0/x"} {
		if err := repo.checkNameFree(name); catalog.CodeOf(err) != catalog.Conflict {
			f.t.Errorf("%s may stand beside the others: %v", name, err)
		}
	}
	if err := repo.checkNameFree("refs/heads/ma"); err != nil {
		f.t.Error(err)
	}
}

func (f *refsFixture) looseFiles() int {
	n := 0
	if err := f.open().walkLoose("refs/", func(string) error { n++; return nil }); err != nil {
		f.t.Fatal(err)
	}
	return n
}

func (f *refsFixture) packedText() string {
	f.t.Helper()
	text, err := os.ReadFile(filepath.Join(f.dir, "packed-refs"))
	if err != nil {
		f.t.Fatal(err)
	}
	return string(text)
}

func (f *refsFixture) writePacked(text string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, "packed-refs"), []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

func TestRefsReadTheSameHoweverStored(t *testing.T) {
	for name, store := range map[string]func(f *refsFixture){
		"loose":         func(*refsFixture) {},
		"packed by us":  (*refsFixture).pack,
		"packed by git": func(f *refsFixture) { f.git("", "pack-refs", "--all", "--prune") },
		"mixed": func(f *refsFixture) {
			f.pack()
			for _, ref := range []string{"heads/0", "heads/main", "tags/v100.0", "tags/zz/z", "zz/top"} {
				f.git("", "update-ref", "refs/"+ref, f.commits[2])
			}
			f.git("", "tag", "-a", "-m", "note", "-f", "v7.0", f.commits[2])
			f.git("", "update-ref", "refs/tags/annotated", f.commits[2])
		},
		"unsorted": func(f *refsFixture) {
			f.pack()
			lines := strings.SplitAfter(strings.TrimPrefix(f.packedText(), packedHeader), "\n")
			var entries []string // a ref with what stands below it
			for _, line := range lines {
				if strings.HasPrefix(line, "^") {
					entries[len(entries)-1] += line
				} else {
					entries = append(entries, line)
				}
			}
			slices.Reverse(entries)
			f.writePacked("# pack-refs with: peeled fully-peeled \n" + strings.Join(entries, ""))
		},
		"without header": func(f *refsFixture) {
			f.pack()
			var kept strings.Builder
			for line := range strings.Lines(f.packedText()) {
				if line[0] != '#' && line[0] != '^' {
					kept.WriteString(line)
				}
			}
			f.writePacked(kept.String())
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newRefsFixture(t, maxLooseRefs+10)
			before := f.listed("refs/")
			store(f)
			if name != "mixed" && !slices.Equal(before, f.listed("refs/")) {
				t.Fatal("git sees other refs than before")
			}
			f.check()
		})
	}
}

func TestChangesOfPackedRefs(t *testing.T) {
	f := newRefsFixture(t, maxLooseRefs+10)
	f.pack()
	hash := func(i int) plumbing.Hash { return plumbing.NewHash(f.commits[i]) }
	v := func(i int) string { return fmt.Sprintf("refs/tags/v%d.0", i) }

	// The old value is compared with the packed one.
	for _, bad := range []refChange{{v(3), hash(1), hash(2)}, {v(3), plumbing.ZeroHash, hash(2)}, {v(3), hash(1), plumbing.ZeroHash}} {
		if err := f.update(bad); catalog.CodeOf(err) != catalog.Conflict {
			t.Errorf("%+v was done: %v", bad, err)
		}
	}
	f.mustUpdate(refChange{v(3), hash(0), hash(2)})           // now in a file, the packed one is hidden
	f.mustUpdate(refChange{v(4), hash(1), hash(2)})           // and back
	f.mustUpdate(refChange{v(4), hash(2), hash(1)})           //
	f.mustUpdate(refChange{v(3), hash(2), plumbing.ZeroHash}) // both go
	f.mustUpdate(refChange{v(5), hash(2), plumbing.ZeroHash}, refChange{"refs/tags/annotated", f.mustRead("refs/tags/annotated"), plumbing.ZeroHash},
		refChange{"refs/heads/new", plumbing.ZeroHash, hash(0)})
	for _, name := range []string{v(3), v(5), "refs/tags/annotated"} {
		if _, ok, err := f.open().readRef(name); ok || err != nil {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
	f.check()
	// The name of a deleted one is free again, and for a directory too.
	f.mustUpdate(refChange{v(3) + "/x", plumbing.ZeroHash, hash(0)})
	f.mustUpdate(refChange{v(5), plumbing.ZeroHash, hash(0)})

	// One that fails takes the others back, the deleted and packed one too.
	before := f.listed("refs/")
	err := f.update(refChange{v(6), hash(0), plumbing.ZeroHash}, refChange{v(7), hash(1), hash(2)}, refChange{v(8), hash(0), hash(1)})
	if catalog.CodeOf(err) != catalog.Conflict || !slices.Equal(f.listed("refs/"), before) {
		t.Errorf("a push that failed (%v) changed refs", err)
	}
	// Here it fails when half of it is done: a directory is in the way.
	if err := os.MkdirAll(filepath.Join(f.dir, filepath.FromSlash(v(7)), "x.lock"), 0o755); err != nil {
		t.Fatal(err)
	}
	err = f.update(refChange{v(9), hash(0), hash(1)}, refChange{v(6), hash(0), plumbing.ZeroHash}, refChange{v(7), hash(1), hash(2)})
	if err == nil || !slices.Equal(f.listed("refs/"), before) {
		t.Errorf("a push that failed in the middle (%v) changed refs", err)
	}
	f.git("", "fsck", "--full", "--strict")
}

func (f *refsFixture) mustRead(name string) plumbing.Hash {
	f.t.Helper()
	h, ok, err := f.open().readRef(name)
	if !ok || err != nil {
		f.t.Fatalf("%s: %v", name, err)
	}
	return h
}
