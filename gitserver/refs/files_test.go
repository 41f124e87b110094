package refs_test

import (
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

	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/refs"
	"github.com/fandoghpaas/fandogh/gitserver/refs/refstest"
)

// packedHeader is what packed-refs begins with, as git writes it.
const packedHeader = "# pack-refs with: peeled fully-peeled sorted \n"

// env is a repository with what git needs to look into it.
type env struct {
	t       *testing.T
	dir     string
	disk    refs.Disk
	objects *objects.Store
	writing sync.Mutex
	commits []string
}

// newEnv has branches and tags of all kinds, each in a file of its own, as git makes them.
func newEnv(t *testing.T, tags int) *env {
	t.Helper()
	f := &env{t: t, dir: filepath.Join(t.TempDir(), "app.git"), disk: refs.OS{}}
	if out, err := exec.Command("git", "init", "-q", "--bare", "--template=", "-b", "main", f.dir).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	var err error
	if f.objects, err = objects.NewPacks(objects.NewBudget()).OpenStore(objects.Files(filepath.Join(f.dir, "objects"))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { objects.Discard(f.objects) })
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

func (e *env) git(stdin string, args ...string) string {
	e.t.Helper()
	cmd := exec.Command("git", append([]string{"-C", e.dir, "-c", "user.name=A", "-c", "user.email=a@example.org"}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		e.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// store returns the refs, opened anew.
func (e *env) store() *refs.Files { return refs.NewFiles(e.dir, e.disk, e.peel) }

func (e *env) peel(r *refs.Ref) error {
	if !r.Peeled.IsZero() {
		return nil
	}
	target, err := e.objects.Peel(r.Hash)
	r.Peeled = target.Hash
	return err
}

func (e *env) update(changes ...refs.Change) error {
	e.t.Helper()
	e.writing.Lock()
	defer e.writing.Unlock()
	return refs.UpdateAll(e.store(), changes...)
}

func (e *env) mustUpdate(changes ...refs.Change) {
	e.t.Helper()
	if err := e.update(changes...); err != nil {
		e.t.Fatal(err)
	}
}

// pack moves all refs into packed-refs, as a start does.
func (e *env) pack() {
	e.t.Helper()
	if err := e.store().Recover(); err != nil {
		e.t.Fatal(err)
	}
}

// listed is what git sees; all refs as "object name meaning" by name.
func (e *env) listed(prefix string) []string {
	e.t.Helper()
	out := e.git("", "for-each-ref", "--sort=refname", "--format=%(objectname) %(refname) %(*objectname)", prefix)
	var lines []string
	for line := range strings.SplitSeq(out, "\n") {
		fields := strings.Fields(line)
		if len(fields) == 3 { // git shows one step of a tag of a tag
			fields[2] = e.git("", "rev-parse", fields[1]+"^{}")
		}
		lines = append(lines, strings.Join(fields, " "))
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[41:], b[41:]) })
	return lines
}

// read is what we see, in the same form.
func (e *env) read(prefix string) []string {
	e.t.Helper()
	store := e.store()
	var lines []string
	err := refs.Each(store, prefix, func(r refs.Ref) error {
		err := e.peel(&r)
		line := r.Hash.String() + " " + r.Name
		if r.Peeled != r.Hash {
			line += " " + r.Peeled.String()
		}
		lines = append(lines, line)
		return err
	})
	if err != nil {
		e.t.Fatal(err)
	}
	return lines
}

// check holds everything that reads refs to what git says.
func (e *env) check() {
	e.t.Helper()
	for _, prefix := range []string{"refs/", "refs/heads/", "refs/tags/zz/", "refs/none/"} {
		got := strings.Join(e.read(prefix), "\n")
		if want := strings.Join(e.listed(prefix), "\n"); got != want {
			e.t.Errorf("%s holds\n%s\nwant\n%s", prefix, got, want)
		}
	}
	store := e.store()
	for _, line := range e.listed("refs/") {
		fields := strings.Fields(line)
		if h, ok, err := refs.Read(store, fields[1]); !ok || err != nil || h.String() != fields[0] {
			e.t.Errorf("%s is %s, %v, %v, want %s", fields[1], h, ok, err, fields[0])
		}
	}
	for _, name := range []string{"refs/", "refs/heads", "refs/heads/a", "refs/heads/maim", "refs/heads/main2", "refs/tags/v", "refs/tags/zz", "refs/zz", "a"} {
		if h, ok, err := refs.Read(store, name); ok || err != nil {
			e.t.Errorf("%s is %s, %v, want none", name, h, err)
		}
	}
}

// looseFiles counts the refs with files of their own.
func (e *env) looseFiles() (n int) {
	e.t.Helper()
	err := filepath.WalkDir(filepath.Join(e.dir, "refs"), func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		e.t.Fatal(err)
	}
	return n
}

func (e *env) packedText() string {
	e.t.Helper()
	text, err := os.ReadFile(filepath.Join(e.dir, "packed-refs"))
	if err != nil {
		e.t.Fatal(err)
	}
	return string(text)
}

func (e *env) writePacked(text string) {
	e.t.Helper()
	if err := os.WriteFile(filepath.Join(e.dir, "packed-refs"), []byte(text), 0o644); err != nil {
		e.t.Fatal(err)
	}
}

func TestRefsReadTheSameHoweverStored(t *testing.T) {
	for name, store := range map[string]func(f *env){
		"loose":         func(*env) {},
		"packed by us":  (*env).pack,
		"packed by git": func(f *env) { f.git("", "pack-refs", "--all", "--prune") },
		"mixed": func(f *env) {
			f.pack()
			for _, ref := range []string{"heads/0", "heads/main", "tags/v100.0", "tags/zz/z", "zz/top"} {
				f.git("", "update-ref", "refs/"+ref, f.commits[2])
			}
			f.git("", "tag", "-a", "-m", "note", "-f", "v7.0", f.commits[2])
			f.git("", "update-ref", "refs/tags/annotated", f.commits[2])
		},
		"unsorted": func(f *env) {
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
		"without header": func(f *env) {
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
			f := newEnv(t, 200)
			before := f.listed("refs/")
			store(f)
			if name != "mixed" && !slices.Equal(before, f.listed("refs/")) {
				t.Fatal("git sees other refs than before")
			}
			f.check()
		})
	}
}

func TestFileRefs(t *testing.T) {
	f := newEnv(t, 0)
	for _, line := range f.listed("refs/") {
		name := strings.Fields(line)[1]
		f.mustUpdate(refs.Change{name, f.mustRead(name), plumbing.ZeroHash})
	}
	var commits []plumbing.Hash
	for _, c := range f.commits {
		commits = append(commits, plumbing.NewHash(c))
	}
	refstest.TestStore(t, f.store(), commits)
	if ours, gits := f.read("refs/"), f.listed("refs/"); !slices.Equal(ours, gits) {
		t.Errorf("refs are %q, for git %q", ours, gits)
	}
	f.git("", "fsck", "--full", "--strict")
}

func (e *env) mustRead(name string) plumbing.Hash {
	e.t.Helper()
	h, ok, err := refs.Read(e.store(), name)
	if !ok || err != nil {
		e.t.Fatalf("%s: %v", name, err)
	}
	return h
}
