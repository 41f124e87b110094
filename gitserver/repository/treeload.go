package repository

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

const (
	maxTreeEntries = 1_000_000
	maxTreeDepth   = 256
)

// lastTime is the last that images' configurations can be of.
var lastTime = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// Tree implements catalog.Sources.
func (r *Repositories) Tree(ctx context.Context, ref catalog.ImageRef, commit string) (catalog.Tree, error) {
	repo, err := r.Open(ref)
	if err != nil {
		return nil, err
	}
	t, err := r.openTree(ctx, repo, plumbing.NewHash(commit))
	if err != nil {
		return nil, errors.Join(err, repo.Objects.Close())
	}
	t.large = &largeFiles{ctx: context.WithoutCancel(ctx), from: r.LargeFiles, ref: ref, known: map[*node]*catalog.LFSObject{}}
	return t, nil
}

func (r *Repositories) openTree(ctx context.Context, repo *Repository, commit plumbing.Hash) (*tree, error) {
	c, err := repo.Commit(commit)
	if err != nil {
		return nil, err
	}
	t := &tree{
		repos: r, repo: repo, commit: commit, time: time.Unix(min(c.Time, lastTime.Unix()), 0).UTC(), root: newDir("."),
		count: new(int), modules: &modules{ref: repo.ref},
	}
	if err := t.load(ctx, t.root, directory{tree: c.Tree, of: &superproject{objects: repo.Objects, root: c.Tree}}); err != nil {
		return nil, err
	}
	return t, nil
}

// directory is a directory that is being read.
type directory struct {
	tree   plumbing.Hash
	of     *superproject
	prefix string          // its path in that, "" or with a slash at the end
	rules  *attributeRules // those of the directories above it
}

// load fills a directory's node.
func (t *tree) load(ctx context.Context, dir *node, d directory) error {
	if strings.Count(d.prefix, "/") > maxTreeDepth {
		return catalog.Errorf(catalog.Invalid, "%s is nested deeper than %d directories", d.prefix, maxTreeDepth)
	}
	data, err := d.of.objects.GetTyped(d.tree, plumbing.TreeObject)
	if err != nil {
		return err
	}
	entries, err := objects.ParseTree(data)
	if err != nil {
		return err
	}
	if d.rules, err = d.readRules(entries); err != nil {
		return err
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil { // there may be many entries, and many rules for each
			return err
		}
		name := d.prefix + e.Name
		isDir := e.Mode == objects.ModeTree
		attributes := d.rules.of(name, isDir)
		if *t.count++; *t.count > maxTreeEntries {
			return catalog.Errorf(catalog.Invalid, "the commit has more than %d files", maxTreeEntries)
		}
		child := newNode(e, d.of.shown+name, attributes.lfs)
		child.objects = d.of.objects
		if child.isModule() {
			child.module = &module{of: d.of, path: name}
		}
		if isDir {
			if err := t.load(ctx, child, directory{tree: e.Hash, of: d.of, prefix: name + "/", rules: d.rules}); err != nil {
				return err
			}
		}
		dir.all = append(dir.all, child)
		// A directory of which all is left out is too, as git archive has it. One that is empty, an upload
		// made so.
		if attributes.exportIgnore && e.Name != dockerignore || isDir && len(child.children) == 0 && len(child.all) > 0 {
			continue
		}
		dir.children = append(dir.children, child)
	}
	dir.sort()
	return nil
}

// sort brings what a directory holds into the order of names.
func (n *node) sort() {
	byName := func(a, b *node) int { return strings.Compare(a.name, b.name) }
	slices.SortFunc(n.all, byName)
	slices.SortFunc(n.children, byName)
}

// dockerignore is the name of the files that say what is left out of a build, which
// hold although they are left out themselves.
const dockerignore = ".dockerignore"

func newNode(e objects.TreeEntry, path string, lfs bool) *node {
	n := &node{name: e.Name, hash: e.Hash}
	switch e.Mode {
	case objects.ModeSubmodule:
		n.mode, n.suspect = fs.ModeDir|0o755, path
	case objects.ModeTree:
		n.mode = fs.ModeDir | 0o755
	case objects.ModeSymlink:
		n.mode = fs.ModeSymlink | 0o777
	case objects.ModeExecutable:
		n.mode = 0o755
	default:
		n.mode = 0o644
	}
	if lfs && n.mode.IsRegular() {
		n.suspect = path
	}
	return n
}

// readRules adds the directory's own .gitattributes to the rules from above.
func (d directory) readRules(entries []objects.TreeEntry) (*attributeRules, error) {
	above := d.rules
	for _, e := range entries {
		if e.Name != ".gitattributes" || (e.Mode != objects.ModeFile && e.Mode != objects.ModeExecutable) {
			continue
		}
		_, size, err := d.of.objects.Header(e.Hash)
		if err != nil || size > maxAttributesFile {
			return above, err // git ignores such a file too
		}
		data, err := d.of.objects.GetTyped(e.Hash, plumbing.BlobObject)
		if err != nil {
			return nil, err
		}
		return above.with(d.prefix, data), nil
	}
	return above, nil
}
