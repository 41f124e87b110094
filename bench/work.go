package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/fandoghpaas/fandogh/internal/programs"
)

// words are what file contents are made of: they compress about as well as
// source code.
var words = makeWords()

func makeWords() []string {
	random := rand.New(rand.NewPCG(1, 1))
	list := make([]string, 6000)
	for i := range list {
		letters := make([]byte, 2+random.IntN(9))
		for j := range letters {
			letters[j] = 'a' + byte(random.IntN(26))
		}
		list[i] = string(letters)
	}
	return list
}

// prose returns about size bytes of lines of words, the same for the same seed.
func prose(seed uint64, size int) string {
	random := rand.New(rand.NewPCG(seed, 2))
	var b strings.Builder
	b.Grow(size + 80)
	for b.Len() < size {
		for range 4 + random.IntN(6) {
			// Squaring makes some words common, as in any text.
			x := random.Float64()
			b.WriteString(words[int(x*x*x*float64(len(words)))])
			b.WriteByte(' ')
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// workTree is a git work tree whose commits go to both sides.
type workTree struct {
	dir      string
	app      string
	env      []string
	names    string // of files: the numbers of a folder and of the file go in
	inFolder int    // files in one folder
	changes  int    // pushed by changeFor
}

// newWorkTree makes a repository with a Dockerfile and files of about size
// bytes each in folders of fifty.
func (b *bench) newWorkTree(ctx context.Context, app, dockerfile string, files, size int) (*workTree, error) {
	w, err := b.emptyTree(ctx, app)
	if err != nil {
		return nil, err
	}
	if err := w.write("Dockerfile", dockerfile); err != nil {
		return nil, err
	}
	if err := w.fill(ctx, files, size, 0); err != nil {
		return nil, err
	}
	return w, w.commit(ctx, "first")
}

// emptyTree makes a repository without a commit.
func (b *bench) emptyTree(ctx context.Context, app string) (*workTree, error) {
	w := &workTree{dir: b.path(app), app: app, env: programs.GitEnv("")[1:], names: "src/d%03d/f%05d.txt", inFolder: 50}
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return nil, err
	}
	return w, w.git(ctx, "init", "-q", "-b", "main")
}

// fill writes files whose contents follow from the seed.
func (w *workTree) fill(ctx context.Context, files, size int, seed uint64) error {
	for i := range files {
		if err := errors.Join(ctx.Err(), w.write(w.fileName(i), prose(seed+uint64(i), size))); err != nil {
			return err
		}
	}
	return nil
}

func (w *workTree) fileName(i int) string {
	return fmt.Sprintf(w.names, i/w.inFolder, i)
}

func (w *workTree) write(name, text string) error {
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// copyBusybox puts a program for steps into the tree.
func (w *workTree) copyBusybox() error {
	path, err := exec.LookPath("busybox")
	if err != nil {
		return err
	}
	program, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(w.dir, "busybox"), program, 0o755)
}

func (w *workTree) git(ctx context.Context, args ...string) error {
	_, err := programs.Command(ctx, w.dir, w.env, "git", args...)
	return err
}

// commit records everything and tags it.
func (w *workTree) commit(ctx context.Context, tag string) error {
	if err := w.git(ctx, "add", "-A"); err != nil {
		return err
	}
	if err := w.git(ctx, "commit", "-q", "-m", tag); err != nil {
		return err
	}
	return w.git(ctx, "tag", tag)
}

// pack makes the repository what one is that was cloned or has lived a while: git
// searches for deltas then, and not during the first push, for seconds that are the
// same on both sides.
func (w *workTree) pack(ctx context.Context) error { return w.git(ctx, "repack", "-adq") }

// push sends a tag to a side and returns the seconds until it can be pulled.
func (w *workTree) push(ctx context.Context, s side, tag string) (float64, error) {
	return seconds(func() error {
		if _, err := programs.Command(ctx, w.dir, s.env(), "git", "push", "-q", s.remote(w.app), tag); err != nil {
			return fmt.Errorf("%s: %w", s.name(), err)
		}
		return pullable(ctx, s, w.app, tag)
	})
}
