package repository

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

const maxLinkHops = 40

// tree is a commit's files. Names are read when it is opened, contents when
// they are asked for.
type tree struct {
	repos  *Repositories
	repo   *Repository
	commit plumbing.Hash
	root   *node
	time   time.Time
	count  *int // of what is in it, with submodules
	whole  bool // with what is marked export-ignore

	open    []io.Closer // beside the repository
	modules *modules
	large   *largeFiles
}

var _ catalog.Tree = (*tree)(nil)

// node is one file, directory or symlink. Nodes do not change once the tree is open.
type node struct {
	name     string
	mode     fs.FileMode
	hash     plumbing.Hash
	children []*node // of a directory, by name
	all      []*node // the same with what is marked export-ignore
	// suspect is the path of a submodule, and of a file with filter=lfs, which may
	// be a pointer; else empty.
	suspect string
	objects *objects.Store // where the object of a file or link is
	file    *gitFile       // the content where it is no object
	module  *module        // of a submodule, whose files come when they are asked for
}

// isModule reports whether a node is a submodule.
func (n *node) isModule() bool { return n.suspect != "" && n.mode.IsDir() }

// Whole implements catalog.Tree.
func (t *tree) Whole() catalog.Files {
	whole := *t
	whole.whole = true
	return &whole
}

// Sub implements fs.SubFS. No link leads out of dir.
func (t *tree) Sub(dir string) (fs.FS, error) {
	n, err := t.find("sub", dir, true)
	if err != nil {
		return nil, err
	}
	if !n.mode.IsDir() {
		return nil, &fs.PathError{Op: "sub", Path: dir, Err: errors.New("not a directory")}
	}
	sub := *t
	sub.root = n
	return &sub, nil
}

// CommitTime implements catalog.Tree.
func (t *tree) CommitTime() time.Time { return t.time }

// Close implements io.Closer. Open files fail afterwards.
func (t *tree) Close() error {
	err := errors.Join(t.closeModules(), t.repo.Objects.Close())
	for _, file := range t.open {
		err = errors.Join(err, file.Close())
	}
	return err
}

// validPath is fs.ValidPath for names that need not be UTF-8, as git's.
func validPath(name string) bool { return fs.ValidPath(strings.ToValidUTF8(name, "?")) }

// find returns the node at name. A link in the middle of the path is followed
// inside the tree, one at the end only when follow is set.
func (t *tree) find(op, name string, follow bool) (*node, error) {
	if !validPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	n, err := t.walk(name, follow)
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return n, nil
}

func (t *tree) walk(name string, follow bool) (*node, error) {
	hops := 0
	trail := []*node{t.root} // the directories down to where we are
	parts := strings.Split(name, "/")
	for len(parts) > 0 {
		part := parts[0]
		parts = parts[1:]
		here := trail[len(trail)-1]
		switch part {
		case "", ".":
			continue
		case "..": // the root's parent is the root, as for BuildKit
			trail = trail[:max(1, len(trail)-1)]
			continue
		}
		child := t.child(here, part)
		if child == nil {
			return nil, fs.ErrNotExist
		}
		switch {
		case child.mode&fs.ModeSymlink != 0 && (follow || len(parts) > 0):
			if hops++; hops > maxLinkHops {
				return nil, fmt.Errorf("%w: too many levels of symbolic links", fs.ErrNotExist)
			}
			target, err := t.target(child)
			if err != nil {
				return nil, err
			}
			if path.IsAbs(target) {
				trail = trail[:1]
			}
			parts = append(strings.Split(target, "/"), parts...)
		case child.mode.IsDir():
			if len(parts) > 0 {
				if err := t.enter(child); err != nil {
					return nil, err
				}
			}
			trail = append(trail, child)
		case len(parts) > 0:
			return nil, fs.ErrNotExist // below a file
		default:
			return child, nil
		}
	}
	return trail[len(trail)-1], nil
}

// list returns what a directory holds, by name.
func (t *tree) list(dir *node) []*node {
	if t.whole {
		return dir.all
	}
	return dir.children
}

func (t *tree) child(dir *node, name string) *node {
	list := t.list(dir)
	i, ok := slices.BinarySearchFunc(list, name, func(c *node, name string) int { return strings.Compare(c.name, name) })
	if !ok {
		return nil
	}
	return list[i]
}

func (t *tree) target(n *node) (string, error) {
	data, err := n.objects.GetTyped(n.hash, plumbing.BlobObject)
	return string(data), err
}

// Open implements fs.FS.
func (t *tree) Open(name string) (fs.File, error) {
	n, err := t.find("open", name, true)
	if err != nil {
		return nil, err
	}
	info, err := t.info(n)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	if n.mode.IsDir() {
		return &openDir{tree: t, node: n, info: info}, nil
	}
	content, err := t.content(n, info)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &openFile{ReadCloser: content, info: info}, nil
}

// Stat implements fs.StatFS; links are followed inside the tree.
func (t *tree) Stat(name string) (fs.FileInfo, error) { return t.stat("stat", name, true) }

// Lstat implements fs.ReadLinkFS.
func (t *tree) Lstat(name string) (fs.FileInfo, error) { return t.stat("lstat", name, false) }

func (t *tree) stat(op, name string, follow bool) (fs.FileInfo, error) {
	n, err := t.find(op, name, follow)
	if err != nil {
		return nil, err
	}
	info, err := t.info(n)
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return info, nil
}

// ReadLink implements fs.ReadLinkFS.
func (t *tree) ReadLink(name string) (string, error) {
	n, err := t.find("readlink", name, false)
	if err != nil {
		return "", err
	}
	if n.mode&fs.ModeSymlink == 0 {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	return t.target(n)
}

// ReadDir implements fs.ReadDirFS.
func (t *tree) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := t.find("readdir", name, true)
	if err != nil {
		return nil, err
	}
	if !n.mode.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errors.New("not a directory")}
	}
	if err := t.enterToList(n); err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	return t.entries(n), nil
}

func (t *tree) entries(n *node) []fs.DirEntry {
	list := t.list(n)
	entries := make([]fs.DirEntry, len(list))
	for i, c := range list {
		entries[i] = dirEntry{t, c}
	}
	return entries
}

func (t *tree) info(n *node) (fileInfo, error) {
	info := fileInfo{node: n, commit: t.time, blob: catalog.BlobID(n.hash.String())}
	if n.mode.IsDir() {
		return info, t.enter(n)
	}
	if n.file != nil {
		info.size = n.file.size
		return info, nil
	}
	_, size, err := n.objects.Header(n.hash)
	if info.size = size; err != nil || n.suspect == "" || size >= maxPointer {
		return info, err
	}
	object, err := t.behind(n)
	if err != nil || object == nil {
		return info, err
	}
	info.size, info.blob, info.large = object.Size, object.Blob, object
	return info, nil
}

// content opens what a file's information is of.
func (t *tree) content(n *node, info fileInfo) (io.ReadCloser, error) {
	if n.file != nil {
		return n.file.open(), nil
	}
	if info.large != nil {
		return t.large.open(info.large.OID)
	}
	return n.objects.Open(n.hash)
}

// fileInfo is a node with its size.
type fileInfo struct {
	node   *node
	size   int64
	blob   catalog.BlobID     // of a file or link
	large  *catalog.LFSObject // that a pointer stands for; nil of other files
	commit time.Time
}

func (i fileInfo) Name() string      { return i.node.name }
func (i fileInfo) Size() int64       { return i.size }
func (i fileInfo) Mode() fs.FileMode { return i.node.mode }
func (i fileInfo) IsDir() bool       { return i.node.mode.IsDir() }

// Sys names the content, see catalog.Tree.
func (i fileInfo) Sys() any {
	if i.node.mode.IsDir() {
		return nil
	}
	return i.blob
}

// ModTime is the commit's.
func (i fileInfo) ModTime() time.Time { return i.commit }

type dirEntry struct {
	tree *tree
	node *node
}

func (d dirEntry) Name() string               { return d.node.name }
func (d dirEntry) IsDir() bool                { return d.node.mode.IsDir() }
func (d dirEntry) Type() fs.FileMode          { return d.node.mode.Type() }
func (d dirEntry) Info() (fs.FileInfo, error) { return d.tree.info(d.node) }
func (d dirEntry) String() string             { return fs.FormatDirEntry(d) }

type openFile struct {
	io.ReadCloser
	info fileInfo
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.info, nil }

type openDir struct {
	tree *tree
	node *node
	info fileInfo
	read int
}

func (d *openDir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *openDir) Close() error               { return nil }

func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.node.name, Err: errors.New("is a directory")}
}

func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	rest := d.tree.entries(d.node)[d.read:]
	if n > 0 {
		if len(rest) == 0 {
			return nil, io.EOF
		}
		rest = rest[:min(n, len(rest))]
	}
	d.read += len(rest)
	return rest, nil
}
