package repository

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/refs"
)

var imageRef = catalog.ImageRef{Namespace: "alice", Name: "app"}

// treeOf pushes a clone's HEAD without a server and opens its tree.
func (w *workTree) tree() (catalog.Tree, error) {
	w.t.Helper()
	dir := w.repos.path(imageRef)
	if _, err := os.Stat(dir); err != nil {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			w.t.Fatal(err)
		}
		if err := initRepository(refs.OS{}, dir); err != nil {
			w.t.Fatal(err)
		}
	}
	w.git("push", "-q", "--force", "file://"+dir, "HEAD:refs/heads/main")
	t, err := w.repos.Tree(w.t.Context(), imageRef, w.git("rev-parse", "HEAD"))
	if err == nil {
		w.t.Cleanup(func() { _ = t.Close() })
	}
	return t, err
}

func TestTreeIsAFileSystem(t *testing.T) {
	c := newWorkTree(t)
	c.write("a", "1")
	c.write("a-b", "22")
	c.write("a.b/c", "333")
	c.write("dir/sub/deep.txt", manyLines(3000, "deep"))
	c.write("dir/empty", "")
	c.write("run.sh", "#!/bin/sh\n")
	if err := os.Chmod(filepath.Join(c.dir, "run.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"link": "dir/sub/deep.txt", "dir/up": "../a", "dirlink": "dir"} {
		if err := os.Symlink(target, filepath.Join(c.dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	c.git("add", "-A")
	commit := func() {
		cmd := c.command("commit", "-q", "-m", "x")
		cmd.Env = append(cmd.Env, "GIT_COMMITTER_DATE=2024-05-06T07:08:09+0200")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}
	commit()
	tree, err := c.tree()
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(tree, "a", "a-b", "a.b/c", "dir/sub/deep.txt", "dir/empty", "run.sh", "link"); err != nil {
		t.Error(err)
	}
	for link, target := range map[string]string{"out": "../../etc/passwd", "abs": "/etc/passwd", "loop": "loop"} {
		if err := os.Symlink(target, filepath.Join(c.dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	c.git("add", "-A")
	commit()
	if tree, err = c.tree(); err != nil {
		t.Fatal(err)
	}
	if got, want := tree.CommitTime(), time.Date(2024, 5, 6, 5, 8, 9, 0, time.UTC); !got.Equal(want) || got.Location() != time.UTC {
		t.Errorf("CommitTime %v, want %v", got, want)
	}
	for name, want := range map[string]fs.FileMode{"a": 0o644, "run.sh": 0o755, "dir": fs.ModeDir | 0o755, "link": fs.ModeSymlink | 0o777} {
		info, err := tree.Lstat(name)
		if err != nil || info.Mode() != want {
			t.Errorf("%s has mode %v, %v, want %v", name, info.Mode(), err, want)
		}
		if !info.ModTime().Equal(tree.CommitTime()) {
			t.Errorf("%s has time %v", name, info.ModTime())
		}
	}
	for name, want := range map[string]string{"link": manyLines(3000, "deep"), "dir/up": "1", "dirlink/empty": "", "dirlink/sub/deep.txt": manyLines(3000, "deep")} {
		got, err := fs.ReadFile(tree, name)
		if err != nil || string(got) != want {
			t.Errorf("%s holds %d bytes, %v, want %d", name, len(got), err, len(want))
		}
	}
	for _, name := range []string{"out", "abs", "loop", "none", "a/b", "dir/sub/none"} {
		if f, err := tree.Open(name); err == nil {
			t.Errorf("%s opens", name)
			_ = f.Close()
		}
	}
	if target, err := tree.ReadLink("out"); target != "../../etc/passwd" || err != nil {
		t.Errorf("out links to %q, %v", target, err)
	}
	if _, err := c.repos.Tree(t.Context(), imageRef, strings.Repeat("1", 40)); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("a commit that is not there gives %v", err)
	}
	if _, err := c.repos.Tree(t.Context(), catalog.ImageRef{Namespace: "x", Name: "y"}, ""); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("a repository that is not there gives %v", err)
	}
}

func TestTreeNamesContents(t *testing.T) {
	c := newWorkTree(t)
	c.write("dir/a", "same")
	c.write("b", "same")
	c.write("c", "other")
	if err := os.Symlink("same", filepath.Join(c.dir, "link")); err != nil {
		t.Fatal(err)
	}
	c.git("add", "-A")
	c.git("commit", "-q", "-m", "x")
	tree, err := c.tree()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"dir/a", "b", "c", "link"} {
		want := catalog.BlobID(c.git("rev-parse", "HEAD:"+name))
		if info, err := tree.Lstat(name); err != nil || info.Sys() != want {
			t.Errorf("%s is %v, %v, want %s", name, info.Sys(), err, want)
		}
	}
	if info, err := tree.Lstat("dir"); err != nil || info.Sys() != nil {
		t.Errorf("dir is %v, %v, want nil", info.Sys(), err)
	}
}

// TestExportIgnoreAsGitArchive holds the tree against git's own archive.
func TestExportIgnoreAsGitArchive(t *testing.T) {
	c := newWorkTree(t)
	for _, f := range []string{
		"keep.txt", "secret.txt", "docs/a.md", "docs/keep.me", "docs/deep/b.md", "src/main.go", "src/main_test.go", "src/vendor/x/y.go",
		"test/one", "test/two", "only/dir/file", "x/build/out", "build/out", "a b.txt", "café.txt", "sub/secret.txt", "sub/again.txt", "num1.dat", "num9.dat", "br]x",
	} {
		c.write(f, f)
	}
	c.write(".gitattributes", strings.Join([]string{
		"[attr]hidden export-ignore", "# comment", "", "secret.txt export-ignore", "docs/**/*.md export-ignore", "*_test.go export-ignore",
		"/test export-ignore", "only/dir/file export-ignore", "build/ export-ignore", `"a b.txt" export-ignore`, "caf?.txt export-ignore",
		"src/vendor hidden", "num[0-5].dat export-ignore", "br[]]x export-ignore", "sub/again.txt export-ignore text=auto", "bad**name export-ignore",
		"docs/keep.me export-ignore", "docs/keep.me -export-ignore",
	}, "\n"))
	c.write("sub/.gitattributes", "secret.txt -export-ignore\nagain.txt !export-ignore\n")
	c.git("add", "-A")
	c.git("commit", "-q", "-m", "x")
	tree, err := c.tree()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	err = fs.WalkDir(tree, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			got = append(got, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := c.command("archive", "--format=tar", "HEAD")
	data, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Typeflag == tar.TypeReg {
			want = append(want, header.Name)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("tree   %q\narchive %q", got, want)
	}
}

// What can't be built is refused when it is read, not when it is there.
func TestSubmodulesAndPointersAreNamed(t *testing.T) {
	pointer := "version https://git-lfs.github.com/spec/v1\noid sha256:" + strings.Repeat("0", 64) + "\nsize 12345\n"
	c := newWorkTree(t)
	c.write("assets/not-lfs.txt", pointer) // no attribute: just a file that looks like one
	c.git("add", "-A")
	// Stored with the attribute only now, so that no local filter is needed.
	c.write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n")
	c.write("assets/big.bin", pointer)
	c.write("assets/small.bin", "no pointer")
	c.git("-c", "filter.lfs.clean=cat", "-c", "filter.lfs.smudge=cat", "add", "-A")
	c.git("update-index", "--add", "--cacheinfo", "160000,"+strings.Repeat("1", 40)+",libs/sub")
	c.git("commit", "-q", "-m", "x")
	tree, err := c.tree()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"assets/not-lfs.txt", "assets/small.bin"} {
		if _, err := fs.ReadFile(tree, name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Who walks past it asks for no more than what it holds, which is nothing.
	if entries, err := tree.ReadDir("libs/sub"); len(entries) > 0 || err != nil {
		t.Errorf("libs/sub holds %v, %v", entries, err)
	}
	open := func(name string) error { _, err := tree.Open(name); return err }
	lstat := func(name string) error { _, err := tree.Lstat(name); return err }
	info := func(name string) error {
		entries, err := tree.ReadDir(filepath.Dir(name))
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(entries, func(e fs.DirEntry) bool { return e.Name() == filepath.Base(name) })
		_, err = entries[i].Info()
		return err
	}
	for _, use := range []struct {
		name string
		with func(string) error
		says string
	}{
		{"assets/big.bin", open, "assets/big.bin is a Git LFS pointer"}, {"assets/big.bin", lstat, "assets/big.bin is a Git LFS pointer"},
		{"assets/big.bin", info, "assets/big.bin is a Git LFS pointer"},
		{"libs/sub", open, "libs/sub is a git submodule"}, {"libs/sub", lstat, "libs/sub is a git submodule"},
		{"libs/sub", info, "libs/sub is a git submodule"},
		{"libs/sub/file", open, "libs/sub is a git submodule"},
	} {
		if err := use.with(use.name); catalog.CodeOf(err) != catalog.Invalid || !strings.Contains(catalog.MessageOf(err), use.says) {
			t.Errorf("%s gives %v, want %q", use.name, err, use.says)
		}
	}
}

// The tree may be looked at with what git archive leaves out.
func TestWholeTree(t *testing.T) {
	c := newWorkTree(t)
	for _, f := range []string{"a", "docker/Dockerfile", "docker/x", ".fandogh/config.yml", ".dockerignore", "part/in", "part/out", "lib/.dockerignore"} {
		c.write(f, f)
	}
	c.write(".gitattributes", "docker export-ignore\n.fandogh/ export-ignore\n.dockerignore export-ignore\nout export-ignore\n.gitattributes export-ignore\nlib export-ignore\n")
	c.git("add", "-A")
	c.git("commit", "-q", "-m", "x")
	tree, err := c.tree()
	if err != nil {
		t.Fatal(err)
	}
	list := func(files fs.FS) string {
		var names []string
		err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				names = append(names, path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		return strings.Join(names, " ")
	}
	if got, want := list(tree), ".dockerignore a part/in"; got != want {
		t.Errorf("what is built: %s, want %s", got, want)
	}
	if got, want := list(tree.Whole()), ".dockerignore .fandogh/config.yml .gitattributes a docker/Dockerfile docker/x lib/.dockerignore part/in part/out"; got != want {
		t.Errorf("the whole: %s, want %s", got, want)
	}
	if err := fstest.TestFS(tree.Whole(), "docker/Dockerfile", ".fandogh/config.yml"); err != nil {
		t.Error(err)
	}
	sub, err := fs.Sub(tree.Whole(), "docker")
	if err != nil || list(sub) != "Dockerfile x" {
		t.Errorf("a part of it: %s, %v", list(sub), err)
	}
	if sub, err = fs.Sub(tree, "docker"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a part that is left out: %v, %v", sub, err)
	}
}

// Links begin at the tree's root when they are absolute, and end there when they
// lead above it, as BuildKit has it.
func TestLinksStayInTheTree(t *testing.T) {
	c := newWorkTree(t)
	c.write("top", "top")
	c.write("dir/top", "inner")
	for link, target := range map[string]string{"dir/abs": "/top", "dir/above": "../../../top", "dir/up": "../top", "etc": "/etc/passwd"} {
		if err := os.Symlink(target, filepath.Join(c.dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	c.git("add", "-A")
	c.git("commit", "-q", "-m", "x")
	tree, err := c.tree()
	if err != nil {
		t.Fatal(err)
	}
	sub, err := fs.Sub(tree, "dir")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"abs", "above", "up"} {
		if got, err := fs.ReadFile(tree, "dir/"+name); string(got) != "top" || err != nil {
			t.Errorf("dir/%s leads to %q, %v", name, got, err)
		}
		if got, err := fs.ReadFile(sub, name); string(got) != "inner" || err != nil {
			t.Errorf("%s, inside dir, leads to %q, %v", name, got, err)
		}
	}
	if _, err := tree.Open("etc"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("etc leads to %v", err)
	}
}

// Git's names are bytes.
func TestTreeOfOddNames(t *testing.T) {
	c := newWorkTree(t)
	files := map[string]string{}
	for _, name := range []string{
		"caf\xe9", "latin\xe9.d/\xff\xfe", "\x80", "caf\u00e9", "cafe\u0301", "a b", " ", "[x]", "!", "\\", "\x01\x7f\n", "README", "readme",
		strings.Repeat("x", 255), strings.Repeat("\xe9", 255),
	} {
		files[name] = name
		c.write(name, name)
	}
	c.git("add", "-A")
	c.git("commit", "-q", "-m", "x")
	tree, err := c.tree()
	if err != nil {
		t.Fatal(err)
	}
	err = fs.WalkDir(tree, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if got, err := fs.ReadFile(tree, path); string(got) != files[path] || err != nil {
			t.Errorf("%q holds %q, %v", path, got, err)
		}
		delete(files, path)
		return nil
	})
	if err != nil || len(files) != 0 {
		t.Errorf("not found: %q, %v", files, err)
	}
	for _, name := range []string{"", "/a", "a/", "a//b", "../a", "./a", "latin\xe9.d/../a", "latin\xe9.d/."} {
		if _, err := tree.Lstat(name); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%q gives %v", name, err)
		}
	}
}

func TestCommitTimesFit(t *testing.T) {
	c := newWorkTree(t)
	c.commit("a", "1")
	tree := c.git("rev-parse", "HEAD^{tree}")
	for seconds, want := range map[string]string{
		"-86400": "1970-01-01T00:00:00Z", "0": "1970-01-01T00:00:00Z", "1700000000": "2023-11-14T22:13:20Z",
		"253402300799": "9999-12-31T23:59:59Z", "253402300800": "9999-12-31T23:59:59Z", "99999999999999999999": "9999-12-31T23:59:59Z",
	} {
		cmd := c.command("hash-object", "-t", "commit", "-w", "--stdin", "--literally")
		cmd.Stdin = strings.NewReader("tree " + tree + "\nauthor A <a@x> 1 +0000\ncommitter A <a@x> " + seconds + " +0000\n\nx\n")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		c.git("reset", "-q", strings.TrimSpace(string(out)))
		if tree, err := c.tree(); err != nil {
			t.Errorf("%s: %v", seconds, err)
		} else if got := tree.CommitTime().Format(time.RFC3339); got != want {
			t.Errorf("%s is %s, want %s", seconds, got, want)
		}
	}
}

// Old programs stored all permissions of a file. Git reads one of them.
func TestTreeReadsModesAsGit(t *testing.T) {
	c := newWorkTree(t)
	blob := c.commit("a", "1")
	blob = c.git("rev-parse", blob+":a")
	var listing []byte
	want := map[string]fs.FileMode{"100600": 0o644, "100640": 0o644, "100644": 0o644, "100664": 0o644, "100666": 0o644, "100700": 0o755, "100755": 0o755, "100775": 0o755, "100777": 0o755, "120777": fs.ModeSymlink | 0o777}
	raw, err := hex.DecodeString(blob)
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range slices.Sorted(maps.Keys(want)) {
		listing = append(append(listing, mode+" "+mode+"\x00"...), raw...)
	}
	cmd := c.command("hash-object", "-t", "tree", "-w", "--stdin", "--literally")
	cmd.Stdin = bytes.NewReader(listing)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	c.git("reset", "-q", c.git("commit-tree", "-m", "x", strings.TrimSpace(string(out))))
	tree, err := c.tree()
	if err != nil {
		t.Fatal(err)
	}
	for name, mode := range want {
		if info, err := tree.Lstat(name); err != nil || info.Mode() != mode {
			t.Errorf("%s is read as %v, %v, want %v", name, info, err, mode)
		}
	}
}

func TestTreeReadsConcurrently(t *testing.T) {
	c := newWorkTree(t)
	const n = 300
	for round := range 3 { // deltas, in more than one pack
		for i := range n {
			c.write(fmt.Sprintf("d%d/f%d", i%10, i), manyLines(200, fmt.Sprint("file ", i))+fmt.Sprint(round))
		}
		c.commit("round", fmt.Sprint(round))
	}
	tree, err := c.tree()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("git", "-C", c.repos.path(imageRef), "repack", "-adfq").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if tree, err = c.tree(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for k := range n {
				i := (k*7 + w*31) % n
				got, err := fs.ReadFile(tree, fmt.Sprintf("d%d/f%d", i%10, i))
				if want := manyLines(200, fmt.Sprint("file ", i)) + "2"; err != nil || string(got) != want {
					t.Errorf("file %d: %d bytes, %v", i, len(got), err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// A commit may ask for hours of matching; who waits for it must be able to stop it.
func TestTreeStopsWhileItMatches(t *testing.T) {
	repos, _ := importRepositories(t)
	var rules strings.Builder
	for i := range maxAttributesRules {
		fmt.Fprintf(&rules, "*a*b*c%d export-ignore\n", i)
	}
	files := map[string]string{".gitattributes": rules.String()}
	for i := range 5000 {
		files[fmt.Sprintf("file-with-a-long-name-%d", i)] = ""
	}
	commit := importTree(t, repos, catalog.NewCommit{Author: "alice", Message: "x"}, files)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if tree, err := repos.Tree(ctx, importRef, commit); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("gave %v", err)
		if err == nil {
			_ = tree.Close()
		}
	}
}

// contents are what an image has of large files.
type contents map[string]string

func (c contents) Find(_ context.Context, ref catalog.ImageRef, oid string) (catalog.LFSObject, error) {
	text, ok := c[ref.String()+" "+oid]
	if !ok {
		return catalog.LFSObject{}, catalog.Errorf(catalog.NotFound, "none")
	}
	return catalog.LFSObject{OID: oid, Size: int64(len(text)), Blob: catalog.BlobID(blobName(text))}, nil
}

func (c contents) Open(_ context.Context, ref catalog.ImageRef, oid string) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(c[ref.String()+" "+oid])), nil
}

func (c contents) Unused(context.Context, catalog.ImageRef, time.Time) ([]catalog.LFSObject, error) {
	return nil, nil
}

func (c contents) Remove(context.Context, catalog.ImageRef, []string, time.Time) ([]catalog.LFSObject, error) {
	return nil, nil
}

// blobName is what git names a content.
func blobName(text string) string {
	return plumbing.ComputeHash(plumbing.BlobObject, []byte(text)).String()
}

// The reference is a clone by stock git-lfs, which had the objects before.
func TestPointersAreTheFiles(t *testing.T) {
	c := newWorkTree(t)
	c.git("lfs", "install", "--local")
	// What looks like a pointer, where no attribute says that it is one; and where it is none.
	looks := "version https://git-lfs.github.com/spec/v1\noid sha256:" + strings.Repeat("0", 64) + "\nsize 9\n"
	c.write("plain/pointer.txt", looks)
	c.write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\nplain/* !filter\n")
	c.write("plain/a.bin", "no object")
	for name, text := range map[string]string{
		"a.bin": "large", "dir/b.bin": manyLines(5000, "larger"), "dir/same.bin": "large", "empty.bin": "", "run.bin": "#!/bin/sh\n",
	} {
		c.write(name, text)
	}
	c.git("add", "-A")
	c.git("update-index", "--chmod=+x", "run.bin")
	c.git("commit", "-q", "-m", "x")
	large := contents{}
	objects := filepath.Join(c.dir, ".git/lfs/objects")
	err := filepath.WalkDir(objects, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		large[imageRef.String()+" "+d.Name()] = string(text)
		return err
	})
	if err != nil || len(large) != 3 {
		t.Fatalf("%d objects, %v", len(large), err)
	}
	c.repos.LargeFiles = large
	tree, err := c.tree()
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "copy")
	c.git("-c", "filter.lfs.smudge=git-lfs smudge -- %f", "-c", "filter.lfs.required=true", "-c", "lfs.storage="+filepath.Join(c.dir, ".git/lfs"), "clone", "-q", c.dir, copied)
	seen := 0
	err = fs.WalkDir(os.DirFS(copied), ".", func(name string, d fs.DirEntry, err error) error {
		if d.Name() == ".git" {
			return fs.SkipDir
		}
		if err != nil || d.IsDir() {
			return err
		}
		seen++
		want, err := os.ReadFile(filepath.Join(copied, name))
		if err != nil {
			return err
		}
		got, err := fs.ReadFile(tree, name)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v; a clone has %d", name, len(got), err, len(want))
		}
		info, err := fs.Stat(tree, name)
		if err != nil {
			return err
		}
		if info.Size() != int64(len(want)) || info.Sys() != catalog.BlobID(blobName(string(want))) {
			t.Errorf("%s: %d bytes, %v; want %d, %s", name, info.Size(), info.Sys(), len(want), blobName(string(want)))
		}
		if name == "run.bin" && info.Mode() != 0o755 {
			t.Errorf("%s: mode %v", name, info.Mode())
		}
		return nil
	})
	if err != nil || seen != 8 {
		t.Errorf("%d files, %v", seen, err)
	}
}

// A pointer whose object is not there is named with what to type; another image's object is not there.
func TestPointersWithoutObjects(t *testing.T) {
	c := newWorkTree(t)
	oid := strings.Repeat("a", 64)
	text := func(lines string) string {
		return "version https://git-lfs.github.com/spec/v1\n" + lines + "oid sha256:" + oid + "\nsize 5\n"
	}
	c.write(".gitattributes", "*.bin filter=lfs\n")
	c.write("dir/missing.bin", text(""))
	c.write("dir/extended.bin", text("ext-0-x sha256:"+oid+"\n"))
	c.git("-c", "filter.lfs.clean=cat", "add", "-A")
	c.git("commit", "-q", "-m", "x")
	for name, c2 := range map[string]struct {
		large LargeFiles
		file  string
		says  []string
	}{
		"no store":      {nil, "missing", []string{"dir/missing.bin", oid, "5 bytes", "git lfs push --all"}},
		"none":          {contents{}, "missing", []string{"dir/missing.bin", oid, "git lfs push --all"}},
		"another image": {contents{"alice/other " + oid: "large"}, "missing", []string{"dir/missing.bin", oid, "git lfs push --all"}},
		"another size":  {contents{imageRef.String() + " " + oid: "larger"}, "missing", []string{"dir/missing.bin", "5 bytes", "has 6"}},
		"extensions":    {contents{imageRef.String() + " " + oid: "large"}, "extended", []string{"dir/extended.bin", "extensions"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.repos.LargeFiles = c2.large
			tree, err := c.tree()
			if err != nil {
				t.Fatal(err)
			}
			_, err = fs.Stat(tree, "dir/"+c2.file+".bin")
			if catalog.CodeOf(err) != catalog.Invalid {
				t.Fatalf("got %v", err)
			}
			for _, want := range c2.says {
				if !strings.Contains(catalog.MessageOf(err), want) {
					t.Errorf("%q does not say %q", catalog.MessageOf(err), want)
				}
			}
		})
	}
}

// A pointer to no bytes is an empty file, as git-lfs has it, which uploads no object for one.
func TestEmptyPointers(t *testing.T) {
	c := newWorkTree(t)
	oid := strings.Repeat("a", 64)
	c.write(".gitattributes", "*.bin filter=lfs\n")
	for name, lines := range map[string]string{"empty.bin": "", "extended.bin": "ext-0-x sha256:" + oid + "\n"} {
		c.write(name, "version https://git-lfs.github.com/spec/v1\n"+lines+"oid sha256:"+oid+"\nsize 0\n")
	}
	c.git("-c", "filter.lfs.clean=cat", "add", "-A")
	c.git("commit", "-q", "-m", "x")
	copied := filepath.Join(t.TempDir(), "copy")
	c.git("-c", "filter.lfs.smudge=git-lfs smudge -- %f", "-c", "filter.lfs.required=true", "clone", "-q", c.dir, copied)
	tree, err := c.tree()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"empty.bin", "extended.bin"} {
		want, err := os.ReadFile(filepath.Join(copied, name))
		if err != nil || len(want) != 0 {
			t.Fatalf("git-lfs makes of %s %q, %v", name, want, err)
		}
		if got, err := fs.ReadFile(tree, name); err != nil || len(got) != 0 {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if info, err := fs.Stat(tree, name); err != nil || info.Size() != 0 || info.Sys() != catalog.BlobID(blobName("")) {
			t.Errorf("%s: %+v, %v", name, info, err)
		}
	}
}
