package gitserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

var _ catalog.SourceWriter = (*Repositories)(nil)

// treeWriter implements catalog.TreeWriter: objects go into a pack in
// quarantine, which Commit moves into the repository.
type treeWriter struct {
	repos *Repositories
	ref   catalog.ImageRef
	dir   os.FileInfo // of the repository; nil: there was none
	stage string
	store *objects.Store
	pack  *objects.PackBuilder
	root  *writtenDir
}

// writtenDir is a directory being written; its entries have the name as key.
type writtenDir struct {
	files map[string]objects.TreeEntry
	dirs  map[string]*writtenDir
}

func newWrittenDir() *writtenDir {
	return &writtenDir{files: map[string]objects.TreeEntry{}, dirs: map[string]*writtenDir{}}
}

// WriteTree implements catalog.SourceWriter.
func (r *Repositories) WriteTree(_ context.Context, ref catalog.ImageRef) (catalog.TreeWriter, error) {
	if err := ref.Validate(); err != nil {
		return nil, err
	}
	dir, err := os.Stat(r.path(ref))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	store, err := objects.OpenStore(filepath.Join(r.path(ref), "objects"))
	if err != nil {
		return nil, err
	}
	stage, err := r.stage()
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	pack, err := objects.NewPackBuilder(stage, store)
	if err != nil {
		return nil, errors.Join(err, store.Close(), os.RemoveAll(stage))
	}
	return &treeWriter{repos: r, ref: ref, dir: dir, stage: stage, store: store, pack: pack, root: newWrittenDir()}, nil
}

// Close implements catalog.TreeWriter.
func (w *treeWriter) Close() error {
	return errors.Join(w.pack.Close(), w.store.Close(), os.RemoveAll(w.stage))
}

// File implements catalog.TreeWriter.
func (w *treeWriter) File(path string, executable bool, size int64, content io.Reader) error {
	mode := uint32(objects.ModeFile)
	if executable {
		mode = objects.ModeExecutable
	}
	return w.blob(path, mode, size, content)
}

// Symlink implements catalog.TreeWriter.
func (w *treeWriter) Symlink(path, target string) error {
	return w.blob(path, objects.ModeSymlink, int64(len(target)), strings.NewReader(target))
}

func (w *treeWriter) blob(path string, mode uint32, size int64, content io.Reader) error {
	dir, name, err := w.place(path)
	if err != nil {
		return err
	}
	hash, err := w.pack.Add(plumbing.BlobObject, size, content)
	if errors.Is(err, objects.ErrSize) {
		return catalog.Wrap(catalog.Invalid, err, "%q is not %d bytes long, as was said", path, size)
	}
	if err != nil {
		return err
	}
	dir.files[name] = objects.TreeEntry{Name: name, Mode: mode, Hash: hash}
	return nil
}

// Copy implements catalog.TreeWriter.
func (w *treeWriter) Copy(path, from string) error {
	source := w.root
	parts := strings.Split(from, "/")
	for _, part := range parts[:len(parts)-1] {
		if source = source.dirs[part]; source == nil {
			break
		}
	}
	var entry objects.TreeEntry
	found := false
	if source != nil {
		entry, found = source.files[parts[len(parts)-1]]
	}
	if !found {
		return catalog.Errorf(catalog.NotFound, "there is no file %q to copy", from)
	}
	dir, name, err := w.place(path)
	if err != nil {
		return err
	}
	entry.Name = name
	dir.files[name] = entry
	return nil
}

// place returns the directory for a new file, made where it is missing.
func (w *treeWriter) place(path string) (*writtenDir, string, error) {
	if !fs.ValidPath(path) || path == "." {
		return nil, "", catalog.Errorf(catalog.Invalid, "%q is no path of a file", path)
	}
	parts := strings.Split(path, "/")
	dir := w.root
	for _, part := range parts[:len(parts)-1] {
		if _, isFile := dir.files[part]; isFile {
			return nil, "", catalog.Errorf(catalog.Invalid, "%q is below a file", path)
		}
		next, ok := dir.dirs[part]
		if !ok {
			next = newWrittenDir()
			dir.dirs[part] = next
		}
		dir = next
	}
	name := parts[len(parts)-1]
	_, isFile := dir.files[name]
	_, isDir := dir.dirs[name]
	if isFile || isDir {
		return nil, "", catalog.Errorf(catalog.Invalid, "%q is there already", path)
	}
	return dir, name, nil
}

// Commit implements catalog.TreeWriter.
func (w *treeWriter) Commit(ctx context.Context, c catalog.NewCommit) (string, error) {
	defer w.repos.tidy(ctx, w.ref) // after the lock is given back
	tree, err := w.tree(ctx, w.root)
	if err != nil {
		return "", err
	}
	if c.Like != "" && w.isLike(plumbing.NewHash(c.Like), tree) {
		return c.Like, nil
	}
	text := commitText(tree, c)
	commit, err := w.pack.Add(plumbing.CommitObject, int64(len(text)), bytes.NewReader(text))
	if err != nil {
		return "", err
	}
	pack, err := w.pack.Finish()
	if err != nil {
		return "", err
	}
	defer w.repos.lock(w.ref)()
	repo, err := w.repos.openOrCreate(w.ref)
	if err != nil {
		return "", err
	}
	defer discard(repo)
	// Objects that were left out of the pack are in that repository alone.
	if err := repo.isStill(w.dir); err != nil {
		return "", err
	}
	return commit.String(), pack.Install(filepath.Join(repo.dir, "objects"))
}

// tree writes a directory and all below it.
func (w *treeWriter) tree(ctx context.Context, dir *writtenDir) (plumbing.Hash, error) {
	if err := ctx.Err(); err != nil {
		return plumbing.ZeroHash, err
	}
	entries := make([]objects.TreeEntry, 0, len(dir.files)+len(dir.dirs))
	for _, file := range dir.files {
		entries = append(entries, file)
	}
	for name, sub := range dir.dirs {
		hash, err := w.tree(ctx, sub)
		if err != nil {
			return plumbing.ZeroHash, err
		}
		entries = append(entries, objects.TreeEntry{Name: name, Mode: objects.ModeTree, Hash: hash})
	}
	slices.SortFunc(entries, objects.CompareEntries)
	var data []byte
	for _, e := range entries {
		data = fmt.Appendf(data, "%o %s\x00", e.Mode, e.Name)
		data = append(data, e.Hash[:]...)
	}
	hash, err := w.pack.AddTree(data)
	if errors.Is(err, objects.ErrCorrupt) {
		err = catalog.Wrap(catalog.Invalid, err, "the files can't be stored: %s", strings.TrimPrefix(err.Error(), objects.ErrCorrupt.Error()+": "))
	}
	return hash, err
}

// isLike tells whether a commit of the repository has a tree and no parents.
func (w *treeWriter) isLike(commit, tree plumbing.Hash) bool {
	data, err := w.store.GetTyped(commit, plumbing.CommitObject)
	if err != nil {
		return false // then it is no loss to make a new one
	}
	c, err := objects.ParseCommit(data)
	return err == nil && c.Tree == tree && len(c.Parents) == 0
}

func commitText(tree plumbing.Hash, c catalog.NewCommit) []byte {
	author := strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune("<>\x7f", r) {
			return -1
		}
		return r
	}, c.Author)
	var b bytes.Buffer
	fmt.Fprintf(&b, "tree %s\n", tree)
	for _, role := range []string{"author", "committer"} {
		fmt.Fprintf(&b, "%s %s <%s> %d +0000\n", role, author, author, c.Time.Unix())
	}
	fmt.Fprintf(&b, "\n%s\n", strings.TrimSpace(c.Message))
	return b.Bytes()
}

// SetTag implements catalog.Sources.
func (r *Repositories) SetTag(_ context.Context, ref catalog.ImageRef, tag, object string) error {
	if err := catalog.ValidateVersion(tag); err != nil {
		return err
	}
	repo, err := r.open(ref)
	if err != nil {
		return err
	}
	defer discard(repo)
	h := plumbing.NewHash(object)
	target, err := repo.Peel(h)
	if errors.Is(err, objects.ErrNotFound) {
		return catalog.Wrap(catalog.NotFound, err, "%s has no object %s", ref, object)
	}
	if err != nil {
		return err
	}
	defer r.lock(ref)()
	name := "refs/tags/" + tag
	current, ok, err := repo.readRef(name)
	if err != nil {
		return err
	}
	if !ok {
		return repo.updateRefs([]refChange{{Name: name, New: h}})
	}
	if there, err := repo.Peel(current); err != nil || there == target {
		return err
	}
	return catalog.Errorf(catalog.Conflict, "tag %s is of another commit; try again", tag)
}
