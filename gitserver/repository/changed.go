package repository

import (
	"context"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

// Changed implements catalog.Fetcher.
func (r *Repositories) Changed(ctx context.Context, ref catalog.ImageRef, a, b string, match func(path string) bool) (bool, error) {
	repo, err := r.Open(ref)
	if err != nil {
		return false, err
	}
	defer objects.Discard(repo)
	newer, err := repo.Commit(plumbing.NewHash(b))
	if err != nil {
		return false, err
	}
	older, err := repo.Commit(plumbing.NewHash(a))
	if catalog.CodeOf(err) == catalog.NotFound {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return (&comparison{repo: repo, ctx: ctx, match: match}).differs(older.Tree, newer.Tree, "")
}

// comparison looks whether a path that matches differs between two trees. Beyond what a
// commit may have to be built, trees are called different: the same directory may
// stand in one many times, in itself on many levels.
type comparison struct {
	repo   *Repository
	ctx    context.Context
	match  func(path string) bool
	looked int // entries
}

// differs compares two trees; a zero hash stands for an empty one. Equal
// subtrees are not read.
func (c *comparison) differs(a, b plumbing.Hash, prefix string) (bool, error) {
	if err := c.ctx.Err(); err != nil {
		return false, err
	}
	if strings.Count(prefix, "/") > maxTreeDepth || c.looked > maxTreeEntries {
		return true, nil
	}
	left, err := c.repo.entries(a)
	if err != nil {
		return false, err
	}
	right, err := c.repo.entries(b)
	if err != nil {
		return false, err
	}
	c.looked += len(left) + len(right)
	for name, here := range left {
		there := right[name]
		delete(right, name)
		if differs, err := c.entryDiffers(here, there, prefix+name); differs || err != nil {
			return differs, err
		}
	}
	for name, there := range right {
		if differs, err := c.entryDiffers(objects.TreeEntry{}, there, prefix+name); differs || err != nil {
			return differs, err
		}
	}
	return false, nil
}

func (c *comparison) entryDiffers(a, b objects.TreeEntry, path string) (bool, error) {
	if a.Hash == b.Hash && a.Mode == b.Mode {
		return false, nil
	}
	var trees [2]plumbing.Hash
	for i, e := range []objects.TreeEntry{a, b} {
		switch e.Mode {
		case objects.ModeTree:
			trees[i] = e.Hash
		case 0:
		default:
			if c.match(path) {
				return true, nil
			}
		}
	}
	if !slices.ContainsFunc(trees[:], func(h plumbing.Hash) bool { return !h.IsZero() }) {
		return false, nil
	}
	return c.differs(trees[0], trees[1], path+"/")
}

func (r *Repository) entries(tree plumbing.Hash) (map[string]objects.TreeEntry, error) {
	if tree.IsZero() {
		return map[string]objects.TreeEntry{}, nil
	}
	data, err := r.Objects.GetTyped(tree, plumbing.TreeObject)
	if err != nil {
		return nil, err
	}
	list, err := objects.ParseTree(data)
	if err != nil {
		return nil, err
	}
	byName := make(map[string]objects.TreeEntry, len(list))
	for _, e := range list {
		byName[e.Name] = e
	}
	return byName, nil
}
