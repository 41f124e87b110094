package repository

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

var importRef = catalog.ImageRef{Namespace: "alice", Name: "App"}

func importRepositories(t *testing.T) (*Repositories, string) {
	t.Helper()
	dir := t.TempDir()
	repos, err := Open(dir, objects.NewBudget(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return repos, dir
}

// importTree commits files; a value that begins with "-> " is a link.
func importTree(t *testing.T, repos *Repositories, c catalog.NewCommit, files map[string]string) string {
	t.Helper()
	w, err := repos.WriteTree(t.Context(), importRef)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}()
	for path, content := range files {
		if target, isLink := strings.CutPrefix(content, "-> "); isLink {
			err = w.Symlink(path, target)
		} else {
			err = w.File(path, strings.HasSuffix(path, ".sh"), int64(len(content)), strings.NewReader(content))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	commit, err := w.Commit(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return commit
}

func packBytes(t *testing.T, dir string) (total int64) {
	t.Helper()
	for _, p := range packsIn(t, filepath.Join(dir, "alice", "app.git")) {
		info, err := p.Info()
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
	}
	return total
}

// packsIn lists the packs of a repository's directory.
func packsIn(t *testing.T, dir string) []fs.DirEntry {
	t.Helper()
	files, err := os.ReadDir(filepath.Join(dir, "objects", "pack"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(files, func(f fs.DirEntry) bool { return filepath.Ext(f.Name()) != ".pack" })
}

func TestImportedTreeIsGits(t *testing.T) {
	repos, dir := importRepositories(t)
	big := strings.Repeat("0123456789abcdef", 40_000)
	files := map[string]string{
		"Dockerfile": "FROM scratch\n", "a": "1", "a-b": "2", "a.d/x": "3", "run.sh": "#!/bin/sh\n", "link": "-> a.d/x",
		"empty": "", "big": big, "copies/big": big,
	}
	at := time.Unix(1_700_000_000, 0)
	commit := importTree(t, repos, catalog.NewCommit{Author: "alice", Message: "Upload", Time: at}, files)
	if err := repos.SetTag(t.Context(), importRef, "v1", commit); err != nil {
		t.Fatal(err)
	}
	git := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("git", append([]string{"-C", filepath.Join(dir, "alice", "app.git")}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("fsck", "--full", "--strict")
	if got := git("ls-tree", "-r", "--format=%(objectmode) %(path)", "v1"); got != strings.Join([]string{
		"100644 Dockerfile", "100644 a", "100644 a-b", "100644 a.d/x", "100644 big", "100644 copies/big", "100644 empty",
		"120000 link", "100755 run.sh"}, "\n") {
		t.Errorf("git sees\n%s", got)
	}
	if got := git("cat-file", "blob", "v1:copies/big"); got != big {
		t.Errorf("git reads %d bytes of the big file", len(got))
	}
	if got := git("log", "-1", "--format=%an %at %ct %s %P", "v1"); got != "alice 1700000000 1700000000 Upload" {
		t.Errorf("the commit is %q", got)
	}
	tree, err := repos.Tree(t.Context(), importRef, commit)
	if err != nil {
		t.Fatal(err)
	}
	defer objects.Discard(tree)
	for path, content := range files {
		if got, err := fs.ReadFile(tree, path); !strings.HasPrefix(content, "->") && (err != nil || string(got) != content) {
			t.Errorf("%s reads %d bytes: %v", path, len(got), err)
		}
	}
}

// What versions share is stored once.
func TestImportSharesContent(t *testing.T) {
	repos, dir := importRepositories(t)
	noise := make([]byte, 1<<20)
	for i, x := 0, uint32(1); i < len(noise); i++ {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		noise[i] = byte(x)
	}
	files := map[string]string{"big": string(noise), "sub/small": string(noise[:1000]), "Dockerfile": "FROM scratch\n"}
	first := importTree(t, repos, catalog.NewCommit{Author: "alice", Message: "one", Time: time.Unix(1, 0)}, files)
	size := packBytes(t, dir)
	if size < 1<<20 {
		t.Fatalf("a MiB of noise took %d bytes", size)
	}
	files["Dockerfile"] = "FROM busybox\n"
	second := importTree(t, repos, catalog.NewCommit{Author: "alice", Message: "two", Time: time.Unix(2, 0)}, files)
	if grown := packBytes(t, dir) - size; grown > 1000 {
		t.Errorf("another Dockerfile took %d bytes", grown)
	}
	size = packBytes(t, dir)
	again := importTree(t, repos, catalog.NewCommit{Author: "bob", Message: "three", Time: time.Unix(3, 0), Like: second}, files)
	if again != second || packBytes(t, dir) != size {
		t.Errorf("the same files became %s and %d bytes more, not %s", again, packBytes(t, dir)-size, second)
	}
	if other := importTree(t, repos, catalog.NewCommit{Author: "bob", Message: "three", Time: time.Unix(3, 0), Like: first}, files); other == first || other == second {
		t.Error("other files were taken for the same")
	}
}

func TestImportRefuses(t *testing.T) {
	repos, dir := importRepositories(t)
	w, err := repos.WriteTree(t.Context(), importRef)
	if err != nil {
		t.Fatal(err)
	}
	file := func(path string) error { return w.File(path, false, 1, strings.NewReader("x")) }
	if err := file("dir/file"); err != nil {
		t.Fatal(err)
	}
	large := bytes.Repeat([]byte("large"), 100_000)
	for what, c := range map[string]struct {
		err  error
		code catalog.Code
	}{
		"a path twice":    {file("dir/file"), ""}, // the last counts
		"below a file":    {file("dir/file/x"), catalog.Invalid},
		"over a dir":      {file("dir"), catalog.Invalid},
		"absolute":        {file("/x"), catalog.Invalid},
		"dots":            {file("a/../x"), catalog.Invalid},
		"too short":       {w.File("s", false, 2, strings.NewReader("x")), catalog.Invalid},
		"too long":        {w.File("l", false, 2, strings.NewReader("xyz")), catalog.Invalid},
		"short and large": {w.File("S", false, 500_001, bytes.NewReader(large)), catalog.Invalid},
		"long and large":  {w.File("L", false, 499_999, bytes.NewReader(large)), catalog.Invalid},
		"its own error":   {w.File("e", false, 200_000, io.MultiReader(bytes.NewReader(large[:150_000]), failing{})), catalog.Unavailable},
		"copy of nothing": {w.Copy("x", "no/such"), catalog.NotFound},
	} {
		if catalog.CodeOf(c.err) != c.code {
			t.Errorf("%s: got %v", what, c.err)
		}
	}
	if err := w.File(".git/config", false, 1, strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context(), catalog.NewCommit{Author: "a"}); catalog.CodeOf(err) != catalog.Invalid || !strings.Contains(err.Error(), ".git") {
		t.Errorf("a tree with .git: got %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(filepath.Join(dir, quarantineDir))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "alice")); err == nil {
		t.Error("a refused tree made a repository")
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, catalog.Errorf(catalog.Unavailable, "gone") }

// The repository that held shared contents went while a tree was written.
func TestImportAfterDeletion(t *testing.T) {
	repos, _ := importRepositories(t)
	files := map[string]string{"Dockerfile": "FROM scratch\n"}
	importTree(t, repos, catalog.NewCommit{Author: "a", Time: time.Unix(1, 0)}, files)
	w, err := repos.WriteTree(t.Context(), importRef)
	if err != nil {
		t.Fatal(err)
	}
	defer objects.Discard(w)
	if err := w.File("Dockerfile", false, 13, strings.NewReader("FROM scratch\n")); err != nil {
		t.Fatal(err)
	}
	if err := repos.Delete(context.Background(), importRef); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context(), catalog.NewCommit{Author: "a", Time: time.Unix(2, 0)}); catalog.CodeOf(err) != catalog.Conflict {
		t.Errorf("got %v", err)
	}
}

func TestSetTag(t *testing.T) {
	repos, _ := importRepositories(t)
	one := importTree(t, repos, catalog.NewCommit{Author: "a", Time: time.Unix(1, 0)}, map[string]string{"f": "1"})
	two := importTree(t, repos, catalog.NewCommit{Author: "a", Time: time.Unix(1, 0)}, map[string]string{"f": "2"})
	for _, c := range []struct {
		tag, object string
		code        catalog.Code
	}{
		{"v1", one, ""}, {"v1", one, ""}, {"v1", two, catalog.Conflict}, {"v2", two, ""},
		{"v3", strings.Repeat("0", 39) + "1", catalog.NotFound}, {"api/v1+5", one, ""}, {"a//b", one, catalog.Invalid}, {"..", one, catalog.Invalid},
	} {
		if err := repos.SetTag(t.Context(), importRef, c.tag, c.object); catalog.CodeOf(err) != c.code {
			t.Errorf("%s to %s: got %v", c.tag, c.object, err)
		}
	}
	tags, err := repos.Tags(t.Context(), importRef)
	if err != nil || len(tags) != 3 || tags[0].Name != "api/v1+5" || tags[1].Commit != one || tags[2].Commit != two {
		t.Errorf("got %v %v", tags, err)
	}
}
