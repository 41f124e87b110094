package repository

import (
	"context"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
)

// LargeFiles has the contents that Git LFS pointers stand for.
type LargeFiles interface {
	// Find returns what an image has of an object. Errors: NotFound.
	Find(ctx context.Context, ref catalog.ImageRef, oid string) (catalog.LFSObject, error)
	// Open opens the content of an object that Find returned. Errors: NotFound.
	Open(ctx context.Context, ref catalog.ImageRef, oid string) (io.ReadCloser, error)
	// Unused returns an image's objects that were not used after a time.
	Unused(ctx context.Context, ref catalog.ImageRef, until time.Time) ([]catalog.LFSObject, error)
	// Remove removes those of an image's objects that were not used after a time, and returns them.
	Remove(ctx context.Context, ref catalog.ImageRef, oids []string, until time.Time) ([]catalog.LFSObject, error)
}

// emptyBlob is what git names an empty file by.
var emptyBlob = catalog.BlobID(plumbing.ComputeHash(plumbing.BlobObject, nil).String())

// largeFiles is what a tree asks of them. What it found once it does not ask for again.
type largeFiles struct {
	ctx  context.Context //nolint:containedctx // io/fs has none; it is the tree's
	from LargeFiles      // nil: there are none
	ref  catalog.ImageRef

	mu    sync.Mutex
	known map[*node]*catalog.LFSObject // nil of a file that is no pointer
}

// open opens what find returned.
func (l *largeFiles) open(object *catalog.LFSObject) (io.ReadCloser, error) {
	if object.Size == 0 {
		return io.NopCloser(strings.NewReader("")), nil
	}
	return l.from.Open(l.ctx, l.ref, object.OID)
}

// behind returns the object that a file stands for, nil if it is no pointer. Errors: Invalid.
func (t *tree) behind(n *node) (*catalog.LFSObject, error) {
	t.large.mu.Lock()
	defer t.large.mu.Unlock()
	if object, known := t.large.known[n]; known {
		return object, nil
	}
	text, err := n.objects.GetTyped(n.hash, plumbing.BlobObject)
	if err != nil {
		return nil, err
	}
	p, isPointer := parsePointer(text)
	if !isPointer {
		t.large.known[n] = nil
		return nil, nil
	}
	object, err := t.large.find(n.suspect, p)
	if err == nil {
		t.large.known[n] = object
	}
	return object, err
}

// find looks for what a pointer at a path stands for. Errors: Invalid.
func (l *largeFiles) find(path string, p pointer) (*catalog.LFSObject, error) {
	if p.size == 0 { // git-lfs makes an empty file of it, and uploads no object
		return &catalog.LFSObject{OID: p.oid, Blob: emptyBlob}, nil
	}
	if p.extended {
		return nil, catalog.Errorf(catalog.Invalid, "%s is a Git LFS pointer with extensions, whose programs are not run here; commit the file without them, or name it in .dockerignore", path)
	}
	missing := catalog.Errorf(catalog.Invalid, "%s is a Git LFS pointer, and its object %s (%d bytes) is not in this image's repository; upload it with git lfs push --all REMOTE and build again, or name the file in .dockerignore",
		path, p.oid, p.size)
	if l.from == nil {
		return nil, missing
	}
	object, err := l.from.Find(l.ctx, l.ref, p.oid)
	switch {
	case catalog.CodeOf(err) == catalog.NotFound:
		return nil, missing
	case err != nil:
		return nil, err
	case object.Size != p.size:
		return nil, catalog.Errorf(catalog.Invalid, "%s is a Git LFS pointer that says %d bytes, but its object %s has %d; run git add --renormalize on it and commit",
			path, p.size, p.oid, object.Size)
	}
	return &object, nil
}
