package repository

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

// peek is a commit of which directories are read when they are asked for.
type peek struct {
	tree    *tree // without any files of its own
	root    plumbing.Hash
	message string
}

var _ catalog.CommitFiles = (*peek)(nil)

// Peek implements catalog.Sources.
func (r *Repositories) Peek(_ context.Context, ref catalog.ImageRef, commit string) (catalog.CommitFiles, error) {
	repo, err := r.Open(ref)
	if err != nil {
		return nil, err
	}
	h := plumbing.NewHash(commit)
	c, err := repo.Commit(h)
	if err != nil {
		return nil, errors.Join(err, repo.Close())
	}
	text, err := repo.Objects.GetTyped(h, plumbing.CommitObject)
	if err != nil {
		return nil, errors.Join(err, repo.Close())
	}
	_, message, _ := bytes.Cut(text, []byte("\n\n"))
	return &peek{tree: &tree{repos: r, repo: repo, commit: h, modules: &modules{}}, root: c.Tree, message: string(message)}, nil
}

// Message implements catalog.CommitFiles.
func (p *peek) Message() string { return p.message }

// Close implements io.Closer.
func (p *peek) Close() error { return p.tree.Close() }

// Lstat implements catalog.CommitFiles.
func (p *peek) Lstat(name string) (fs.FileInfo, error) { return p.stat("lstat", name) }

func (p *peek) stat(op, name string) (fileInfo, error) {
	n, err := p.find(name)
	if err != nil {
		return fileInfo{}, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return p.tree.info(n)
}

// Open implements fs.FS. Directories are opened to no use.
func (p *peek) Open(name string) (fs.File, error) {
	info, err := p.stat("open", name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return &openDir{tree: p.tree, node: info.node, info: info}, nil
	}
	content, err := info.node.objects.Open(info.node.hash)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &openFile{ReadCloser: content, info: info}, nil
}

func (p *peek) find(name string) (*node, error) {
	if !validPath(name) {
		return nil, fs.ErrInvalid
	}
	here := newDir(".")
	here.hash = p.root
	if name == "." {
		return here, nil
	}
	for part := range strings.SplitSeq(name, "/") {
		if !here.mode.IsDir() || here.isModule() {
			return nil, fs.ErrNotExist
		}
		data, err := p.tree.repo.Objects.GetTyped(here.hash, plumbing.TreeObject)
		if err != nil {
			return nil, err
		}
		entries, err := objects.ParseTree(data)
		if err != nil {
			return nil, err
		}
		var next *node
		for _, e := range entries {
			if e.Name == part {
				next = newNode(e, name, false)
				next.objects = p.tree.repo.Objects
			}
		}
		if next == nil {
			return nil, fs.ErrNotExist
		}
		here = next
	}
	return here, nil
}
