package repository

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
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
	quarantine *Quarantine // what the repository has is left out of the pack
	pack       *objects.PackBuilder
	root       *writtenDir
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
	q, err := r.NewQuarantine(ref)
	if err != nil {
		return nil, err
	}
	pack, err := q.build()
	if err != nil {
		return nil, errors.Join(err, q.Close())
	}
	return &treeWriter{quarantine: q, pack: pack, root: newWrittenDir()}, nil
}

// Close implements catalog.TreeWriter.
func (w *treeWriter) Close() error { return w.quarantine.Close() }

// Bytes implements catalog.TreeWriter.
func (w *treeWriter) Bytes() int64 { return w.pack.Bytes() }

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
	dir, name, err := w.parent(path)
	if err != nil {
		return err
	}
	hash, err := w.pack.Add(plumbing.BlobObject, size, content)
	if errors.Is(err, objects.ErrSize) {
		return catalog.Wrap(catalog.Invalid, err, "%q is not %d bytes long, as announced", path, size)
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
		return catalog.Errorf(catalog.NotFound, "file %q to copy does not exist", from)
	}
	dir, name, err := w.parent(path)
	if err != nil {
		return err
	}
	entry.Name = name
	dir.files[name] = entry
	return nil
}

// parent returns the directory for a new file, made where it is missing.
func (w *treeWriter) parent(path string) (*writtenDir, string, error) {
	if !validPath(path) || path == "." {
		return nil, "", catalog.Errorf(catalog.Invalid, "%q is not a valid file path", path)
	}
	parent, name := "", path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		parent, name = path[:i], path[i+1:]
	}
	dir, err := w.directory(parent)
	if err != nil {
		return nil, "", err
	}
	if _, isDir := dir.dirs[name]; isDir {
		return nil, "", catalog.Errorf(catalog.Invalid, "%q is already a directory", path)
	}
	return dir, name, nil
}

// directory returns a directory, made where it is missing; "" is the root.
func (w *treeWriter) directory(path string) (*writtenDir, error) {
	dir := w.root
	if path == "" {
		return dir, nil
	}
	for part := range strings.SplitSeq(path, "/") {
		if _, isFile := dir.files[part]; isFile {
			return nil, catalog.Errorf(catalog.Invalid, "%q is a file, or is below one", path)
		}
		next, ok := dir.dirs[part]
		if !ok {
			next = newWrittenDir()
			dir.dirs[part] = next
		}
		dir = next
	}
	return dir, nil
}

// Dir implements catalog.TreeWriter. Git's trees may be empty; only its index has no words for it.
func (w *treeWriter) Dir(path string) error {
	if !validPath(path) || path == "." {
		return catalog.Errorf(catalog.Invalid, "%q is not a valid directory path", path)
	}
	_, err := w.directory(path)
	return err
}

// Commit implements catalog.TreeWriter.
func (w *treeWriter) Commit(ctx context.Context, c catalog.NewCommit) (string, error) {
	defer w.quarantine.repos.Maintain(ctx, w.quarantine.ref) // after the lock is given back
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
	if err := w.quarantine.built(); err != nil {
		return "", err
	}
	return commit.String(), w.quarantine.Enter(nil, w.quarantine.Install)
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
		err = catalog.Wrap(catalog.Invalid, err, "the files are not valid: %s", strings.TrimPrefix(err.Error(), objects.ErrCorrupt.Error()+": "))
	}
	return hash, err
}

// isLike reports whether a commit of the repository has a tree and no parents.
func (w *treeWriter) isLike(commit, tree plumbing.Hash) bool {
	data, err := w.quarantine.base.GetTyped(commit, plumbing.CommitObject)
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
