package repository

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
)

// at commits with a time, which decides in what order histories are looked through.
func (w *workTree) at(minute int, args ...string) {
	w.t.Helper()
	cmd := w.command(args...)
	date := fmt.Sprintf("2024-05-06T%02d:%02d:00+0000", minute/60, minute%60)
	cmd.Env = append(cmd.Env, "GIT_COMMITTER_DATE="+date, "GIT_AUTHOR_DATE="+date)
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// pushed opens the tree of HEAD after everything was pushed.
func (w *workTree) pushed() catalog.Tree {
	w.t.Helper()
	if _, err := w.tree(); err != nil {
		w.t.Fatal(err)
	}
	w.git("push", "-q", "--force", "--tags", "file://"+w.repos.path(imageRef))
	tree, err := w.repos.Tree(w.t.Context(), imageRef, w.git("rev-parse", "HEAD"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = tree.Close() })
	return tree
}

// grow adds the n-th commit, sometimes to a new branch or after a merge.
func (w *workTree) grow(random *rand.Rand, n int) {
	w.t.Helper()
	switch random.IntN(5) {
	case 0:
		w.git("checkout", "-q", "-b", fmt.Sprintf("b%d", n), fmt.Sprintf("HEAD~%d", min(random.IntN(3), n-1)))
	case 1:
		branches := strings.Fields(w.git("for-each-ref", "--format=%(refname:short)", "refs/heads"))
		w.at(n, "merge", "-q", "--no-ff", "-m", "merge", branches[random.IntN(len(branches))])
	}
	w.at(n, "commit", "-q", "--allow-empty", "-m", fmt.Sprint(n))
}

func TestDescribeIsGits(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 8 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			c := newWorkTree(t)
			c.at(0, "commit", "-q", "--allow-empty", "-m", "0")
			for n := 1; n < 25; n++ {
				c.grow(random, n)
				switch random.IntN(8) {
				case 0:
					c.git("tag", fmt.Sprintf("light%d", n))
				case 1:
					c.at(n, "tag", "-a", "-m", "x", fmt.Sprintf("v%d", n))
					c.git("tag", fmt.Sprintf("also%d", n))
				}
			}
			got, err := c.pushed().Describe(t.Context(), catalog.CheckedOut{Branch: "main"})
			if want := c.git("describe", "--tags", "--always", "--abbrev=7"); got != want || err != nil {
				t.Errorf("described as %q, %v; git says %q\n%s", got, err, want, c.git("log", "--graph", "--oneline", "--decorate"))
			}
		})
	}
}

func TestDescribeKnowsItsOwnTag(t *testing.T) {
	c := newWorkTree(t)
	first := c.commit("a", "1")
	c.git("tag", "v1")
	c.git("tag", "-a", "-m", "x", "v1-annotated")
	c.git("tag", "main-"+first[:7])
	for as, want := range map[catalog.CheckedOut]string{
		{Tag: "v1"}:           "v1",
		{Tag: "v1-annotated"}: "v1-annotated",
		{Tag: "upload"}:       first[:7],
		{Tag: "main-" + first[:7], Branch: "main"}:      "v1-annotated",
		{Tag: "other-" + first[:7], Branch: "an/other"}: "v1-annotated",
	} {
		if got, err := c.pushed().Describe(t.Context(), as); got != want || err != nil {
			t.Errorf("%+v is described as %q, %v; want %q", as, got, err, want)
		}
	}
	c.commit("a", "2")
	second := c.commit("a", "3")
	c.git("tag", "main-"+second[:7])
	want := "v1-annotated-2-g" + second[:7]
	if got, err := c.pushed().Describe(t.Context(), catalog.CheckedOut{Tag: "main-" + second[:7], Branch: "main"}); got != want || err != nil {
		t.Errorf("described as %q, %v; want %q", got, err, want)
	}
}

// checkedOut writes a tree to disk, as a build has it.
func checkedOut(t *testing.T, tree catalog.Tree, leaveOut ...string) string {
	t.Helper()
	dir := t.TempDir()
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || slices.Contains(leaveOut, name) {
			return err
		}
		to := filepath.Join(dir, name)
		switch {
		case entry.IsDir():
			return os.MkdirAll(to, 0o755)
		case entry.Type()&fs.ModeSymlink != 0:
			target, err := tree.ReadLink(name)
			if err != nil {
				return err
			}
			return os.Symlink(target, to)
		}
		data, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if info.Size() != int64(len(data)) || info.Sys() != blobOf(data) {
			t.Errorf("%s has %d bytes and is %v; it says %d and %v", name, len(data), blobOf(data), info.Size(), info.Sys())
		}
		return os.WriteFile(to, data, info.Mode())
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func gitIn(t *testing.T, dir string, args ...string) string {
	t.Helper()
	c := workTree{t: t, dir: dir}
	cmd := c.command(slices.Concat([]string{"-c", "safe.directory=*"}, args)...)
	out, err := cmd.Output()
	if err != nil {
		stderr := ""
		if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // of Output
			stderr = string(exit.Stderr)
		}
		t.Errorf("git %s: %v %s", strings.Join(args, " "), err, stderr)
	}
	return strings.TrimSpace(string(out))
}

// TestKeptGitIsRead asks the .git of a context what build tools ask, beside the clone that was pushed.
func TestKeptGitIsRead(t *testing.T) {
	c := newWorkTree(t)
	c.commit("old", "in an old commit alone")
	c.git("tag", "-a", "-m", "first", "v1.0")
	c.git("rm", "-q", "old")
	c.write("run.sh", "#!/bin/sh\n")
	if err := os.Chmod(filepath.Join(c.dir, "run.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("run.sh", filepath.Join(c.dir, "link")); err != nil {
		t.Fatal(err)
	}
	c.write("left/out.txt", "named in .dockerignore")
	c.write("docs/hidden.txt", "not exported")
	c.write(".gitattributes", "docs export-ignore\n")
	c.commit("dir/file", manyLines(500, "line"))
	c.git("tag", "v1.1")
	c.git("tag", "elsewhere")
	tree := c.pushed()
	if err := tree.KeepGit(t.Context(), catalog.CheckedOut{Tag: "v1.1"}); err != nil {
		t.Fatal(err)
	}
	dir := checkedOut(t, tree, "left", "left/out.txt")
	for _, args := range [][]string{
		{"rev-parse", "HEAD"}, {"log", "--format=%H %cI %an %s"}, {"rev-list", "--count", "HEAD"}, {"show", "HEAD:dir/file"},
		{"log", "-1", "--format=%H:%ct"}, {"archive", "--format=tar", "HEAD"}, {"ls-files", "-s"}, {"status", "--porcelain", "--untracked-files=no"},
		{"describe", "--tags", "--long", "--match", "v*"}, {"status", "--porcelain"}, {"cat-file", "tag", "v1.0"},
	} {
		if got, want := gitIn(t, dir, args...), gitIn(t, c.dir, args...); got != want {
			t.Errorf("git %s: %q, the clone says %q", strings.Join(args, " "), got, want)
		}
	}
	for want, args := range map[string][]string{
		"v1.1":                          {"describe", "--tags", "--dirty", "--always"},
		"v1.0\nv1.1":                    {"tag"},
		"HEAD":                          {"rev-parse", "--abbrev-ref", "HEAD"},
		"v1.1-0-g" + c.short() + " end": {"describe", "--tags", "--dirty= dirty", "--long"},
	} {
		if got := gitIn(t, dir, args...); got != strings.TrimSuffix(want, " end") {
			t.Errorf("git %s: %q, want %q", strings.Join(args, " "), got, want)
		}
	}
	gitIn(t, dir, "fsck", "--connectivity-only")
}

func (w *workTree) short() string { return w.git("rev-parse", "--short=7", "HEAD") }

func TestKeptGitOfABranchAndOfACutHistory(t *testing.T) {
	c := newWorkTree(t)
	for n := range 4 {
		c.commit("a", fmt.Sprint(n))
	}
	c.git("tag", "v1", "HEAD~2")
	shallow := &workTree{t, t.TempDir(), c.repos}
	shallow.git("clone", "-q", "--depth=2", "file://"+c.dir, ".")
	shallow.git("push", "-q", "file://"+c.dir, "HEAD:refs/heads/copy")
	tree := c.pushed()
	if err := os.WriteFile(filepath.Join(c.repos.path(imageRef), "shallow"), []byte(c.git("rev-parse", "HEAD~1")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := tree.KeepGit(t.Context(), catalog.CheckedOut{Tag: "x", Branch: "feature/x"}); err != nil {
		t.Fatal(err)
	}
	dir := checkedOut(t, tree)
	for want, args := range map[string][]string{
		"feature/x": {"rev-parse", "--abbrev-ref", "HEAD"},
		"2":         {"rev-list", "--count", "HEAD"},
		"true":      {"rev-parse", "--is-shallow-repository"},
		"":          {"status", "--porcelain"},
	} {
		if got := gitIn(t, dir, args...); got != want {
			t.Errorf("git %s: %q, want %q", strings.Join(args, " "), got, want)
		}
	}
}

func blobOf(data []byte) catalog.BlobID {
	return catalog.BlobID(plumbing.ComputeHash(plumbing.BlobObject, data).String())
}
