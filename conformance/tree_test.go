package conformance

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/fandoghpaas/fandogh/internal/programs"
)

// commitDate is every commit's.
const commitDate = "@1700000000 +0000"

// entry is a file or a symbolic link of a commit.
type entry struct {
	text string
	exec bool
	link string
	gone bool // takes away what with's receiver has
}

// files are a commit's, by slash path.
type files map[string]entry

func text(s string) entry        { return entry{text: s} }
func script(s string) entry      { return entry{text: "#!/bin/sh\n" + s, exec: true} }
func linkTo(target string) entry { return entry{link: target} }

// removed takes a file away by with.
var removed = entry{gone: true}

// with returns these files and those of more, which win.
func (f files) with(more files) files {
	sum := files{}
	for _, part := range []files{f, more} {
		for name, e := range part {
			sum[name] = e
			if e.gone {
				delete(sum, name)
			}
		}
	}
	return sum
}

// write makes dir hold exactly these files beside .git.
func (f files) write(dir string) error {
	there, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range there {
		if e.Name() != ".git" {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	for name, e := range f {
		path := dir + "/" + name
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := e.write(path); err != nil {
			return err
		}
	}
	return nil
}

func (e entry) write(path string) error {
	switch {
	case e.link != "":
		return os.Symlink(e.link, path)
	case e.exec:
		return os.WriteFile(path, []byte(e.text), 0o755)
	}
	return os.WriteFile(path, []byte(e.text), 0o644)
}

// Splitting begins at 2,048 files or 16 MiB of them.
const (
	manyFiles = 2150
	bigFiles  = 36
	bigSize   = 500_000
)

// bulkMany are so many files below dir that a COPY of them is split.
func bulkMany(dir string) files {
	f := files{}
	for i := range manyFiles {
		f[fmt.Sprintf("%s/bulk/d%02d/f%04d.txt", dir, i/50, i)] = text(fmt.Sprintf("file %d\n", i))
	}
	return f
}

// bulkBig are so large ones.
func bulkBig(dir string) files {
	f := files{}
	for i := range bigFiles {
		line := fmt.Sprintf("a line of file %d, as long as lines of text are\n", i)
		f[fmt.Sprintf("%s/bulk/f%02d.txt", dir, i)] = text(strings.Repeat(line, bigSize/len(line)))
	}
	return f
}

// repository is a case's git repository, and a work tree of it for the plain side.
type repository struct {
	env  *env
	name string
	dir  string
}

func (e *env) newRepository(ctx context.Context, name string) (*repository, error) {
	dir, err := e.subdir(name)
	if err != nil {
		return nil, err
	}
	r := &repository{env: e, name: name, dir: dir}
	return r, r.git(ctx, "init", "-q", "-b", "main")
}

func (r *repository) git(ctx context.Context, args ...string) error {
	_, err := programs.Command(ctx, r.dir, r.env.gitEnv, "git", append([]string{"-c", "core.looseCompression=0", "-c", "gc.auto=0"}, args...)...)
	return err
}

// commit records exactly these files under a tag.
func (r *repository) commit(ctx context.Context, tag string, f files) error {
	if err := f.write(r.dir); err != nil {
		return err
	}
	if err := r.git(ctx, "add", "-A", "-f"); err != nil {
		return err
	}
	if err := r.git(ctx, "commit", "-q", "--allow-empty", "-m", tag); err != nil {
		return err
	}
	return r.git(ctx, "tag", tag)
}

// checkout makes the plain side's work tree the tag's. Only files that differ from
// the tag before are written, as by a user's git checkout.
func (r *repository) checkout(ctx context.Context, tag string) (string, error) {
	dir := r.dir + ".tree"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	env := append([]string{"GIT_DIR=" + r.dir + "/.git", "GIT_WORK_TREE=" + dir, "GIT_INDEX_FILE=" + dir + ".index"}, r.env.gitEnv...)
	_, err := programs.Command(ctx, dir, env, "git", "read-tree", "--reset", "-u", tag)
	return dir, err
}

// remove takes the repository and what belongs to it away.
func (r *repository) remove() {
	for _, path := range []string{r.dir, r.dir + ".tree", r.dir + ".tree.index"} {
		_ = os.RemoveAll(path) // removed with the env at the latest
	}
}

// wide are many files of one directory.
func wide(dir string) files {
	f := files{}
	for i := range manyFiles {
		f[fmt.Sprintf("%s/bulk/f%04d.txt", dir, i)] = text(fmt.Sprintf("file %d\n", i))
	}
	return f
}

func manyLinks() files {
	f := files{"target": text("t\n")}
	for i := range manyFiles {
		f[fmt.Sprintf("l/d%02d/l%04d", i/50, i)] = linkTo("../../target")
	}
	return f
}

func manyEmpty() files {
	f := files{}
	for i := range manyFiles {
		f[fmt.Sprintf("e/d%02d/e%04d", i/50, i)] = text("")
	}
	return f
}
