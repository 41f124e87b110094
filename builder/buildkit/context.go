package buildkit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/fandoghpaas/fandogh/builder/buildkit/dockerfile"

	"github.com/tonistiigi/fsutil"
	"github.com/tonistiigi/fsutil/types"

	"github.com/fandoghpaas/fandogh/catalog"
)

// contextFS shows one directory of a tree to BuildKit's file sync. It is the
// only place where the two file system models meet:
//
//   - io/fs sorts a directory's names and visits a directory before its
//     children, which is the order that the receiver insists on.
//   - Everything belongs to root, because git knows no owners.
//   - Everything has the time of fileTimes.
//   - The receiver takes a failed Open for an empty file and waits for ever after
//     a failed Read, so a file that can't be read ends the whole solve.
type contextFS struct {
	ctx   context.Context         // of the solve; the tree is not read after it ended
	fail  context.CancelCauseFunc // ends the solve
	tree  catalog.Files
	root  string      // slash path in the tree, "." for all of it
	times *buildTimes // nil where no times are asked for
}

var _ dockerfile.Context = (*contextFS)(nil)

// Walk visits target and all below it. Paths are relative to the root, which
// itself is not visited.
func (c *contextFS) Walk(ctx context.Context, target string, fn fs.WalkDirFunc) error {
	start := c.InTree(target)
	visit := func(name string, entry fs.DirEntry, walkErr error) error {
		if err := errors.Join(ctx.Err(), c.ctx.Err()); err != nil {
			return err
		}
		rel := c.relative(name)
		if rel == "." {
			return walkErr
		}
		if walkErr != nil {
			if catalog.CodeOf(walkErr) == catalog.Invalid {
				c.fail(&treeError{rel, walkErr})
			}
			return fn(rel, entry, walkErr)
		}
		return skipMissing(fn(rel, contextEntry{entry, c, name, rel}, nil))
	}
	info, err := c.tree.Lstat(start)
	if start == c.root { // which may be a link
		info, err = fs.Stat(c.tree, start)
	}
	switch {
	case err != nil:
		err = visit(start, nil, err)
	case info.IsDir():
		err = fs.WalkDir(c.tree, start, visit)
	default: // fs.WalkDir would follow a link
		err = visit(start, fs.FileInfoToDirEntry(info), nil)
	}
	if errors.Is(err, fs.SkipDir) || errors.Is(err, fs.SkipAll) {
		err = nil
	}
	if err == nil && c.times != nil {
		if err = c.SaveTimes(); err != nil {
			c.fail(err)
		}
	}
	return err
}

// skipMissing passes over what a visitor does not find, as BuildKit's own walk does: a pattern's
// matches may be files where it looks for directories.
func skipMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return fs.SkipDir
	}
	return err
}

// Err is why the tree is not to be read any more; nil while it is.
func (c *contextFS) Err() error { return context.Cause(c.ctx) }

// Untimed returns the same files for a caller that reads no times.
func (c *contextFS) Untimed() fsutil.FS {
	reader := *c
	reader.times = nil
	return &reader
}

// InTree returns a path's place in the tree.
func (c *contextFS) InTree(name string) string { return path.Join(c.root, cleanTarget(name)) }

// Stat implements dockerfile.Files.
func (c *contextFS) Stat(name string) (fs.FileInfo, error) { return fs.Stat(c.tree, c.InTree(name)) }

// Lstat implements dockerfile.Context.
func (c *contextFS) Lstat(name string) (fs.FileInfo, error) { return c.tree.Lstat(c.InTree(name)) }

// TimeOf returns the time that a step sees a file with.
func (c *contextFS) TimeOf(name string, blob catalog.BlobID) time.Time {
	return time.Unix(0, c.times.all.of(c.InTree(name), blob, c.times.now.Load()))
}

// Alone implements dockerfile.Context.
func (c *contextFS) Alone(ctx context.Context) error {
	release, err := c.times.alone(ctx)
	if err == nil {
		context.AfterFunc(c.ctx, release)
	}
	return err
}

// Renew implements dockerfile.Context.
func (c *contextFS) Renew(layout string, seen map[string]bool) { c.times.all.renew(layout, seen) }

// SaveTimes implements dockerfile.Context.
func (c *contextFS) SaveTimes() error {
	if err := c.times.all.save(); err != nil {
		return infrastructure(err, "the builder can't write to its disk")
	}
	return nil
}

// whole returns all of the commit.
func (c *contextFS) whole(tree catalog.Tree) *contextFS {
	whole := *c
	whole.tree, whole.root = tree.Whole(), "."
	return &whole
}

// Blob names the content of a file or link.
func (c *contextFS) Blob(name string) (catalog.BlobID, error) {
	info, err := c.Lstat(name)
	if err != nil {
		return "", err
	}
	blob, ok := info.Sys().(catalog.BlobID)
	if !ok {
		return "", fmt.Errorf("%s has no object in the repository", name)
	}
	return blob, nil
}

// Open returns a file's bytes. It never fails, but the reader may.
func (c *contextFS) Open(name string) (io.ReadCloser, error) {
	file, err := c.tree.Open(c.InTree(name))
	return &contextFile{fs: c, name: name, file: file, err: err}, nil
}

func (c *contextFS) relative(name string) string {
	if c.root == "." {
		return name
	}
	if name == c.root {
		return "."
	}
	return strings.TrimPrefix(name, c.root+"/")
}

func (c *contextFS) stat(name, rel string, entry fs.DirEntry) (*types.Stat, error) {
	info, err := entry.Info()
	if err != nil {
		return nil, err
	}
	stat := &types.Stat{Path: rel, Mode: uint32(info.Mode())}
	if c.times != nil {
		blob, _ := info.Sys().(catalog.BlobID) // a directory has none
		stat.ModTime = c.times.all.of(name, blob, c.times.now.Load())
	}
	switch {
	case info.IsDir():
	case info.Mode()&fs.ModeSymlink != 0:
		if stat.Linkname, err = c.tree.ReadLink(name); err != nil {
			return nil, err
		}
		stat.Size = int64(len(stat.Linkname)) // what lstat says on the receiving side
	default:
		stat.Size = info.Size()
	}
	return stat, nil
}

// contextEntry is looked at no closer than it is asked to be: a file that can't be
// built matters only when a build reads it.
type contextEntry struct {
	fs.DirEntry
	fs        *contextFS
	name, rel string
}

// Info implements fs.DirEntry. Its error ends the solve.
func (e contextEntry) Info() (fs.FileInfo, error) {
	stat, err := e.fs.stat(e.name, e.rel, e.DirEntry)
	if err != nil {
		e.fs.fail(&treeError{e.rel, err})
		return nil, err
	}
	return &fsutil.StatInfo{Stat: stat}, nil
}

func cleanTarget(target string) string {
	return strings.TrimPrefix(path.Clean("/"+target), "/")
}

// contextFile stops reading the tree when the solve ended, and ends the solve
// when it can't read.
type contextFile struct {
	fs   *contextFS
	name string
	file fs.File // nil when err is set
	err  error   // of opening
}

func (f *contextFile) Read(p []byte) (n int, err error) {
	if err := f.fs.ctx.Err(); err != nil {
		return 0, err
	}
	if err = f.err; err == nil {
		n, err = f.file.Read(p)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = &treeError{f.name, err}
		f.fs.fail(err)
	}
	return n, err
}

func (f *contextFile) Close() error {
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}

// treeError is why the commit's files could not be handed over.
type treeError struct {
	name string
	err  error
}

func (e *treeError) Error() string { return "read " + e.name + ": " + e.err.Error() }
func (e *treeError) Unwrap() error { return e.err }
