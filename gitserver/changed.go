package gitserver

import (
	"context"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

// Changed implements catalog.Fetcher.
func (r *Repositories) Changed(_ context.Context, ref catalog.ImageRef, a, b string, match func(path string) bool) (bool, error) {
	repo, err := r.open(ref)
	if err != nil {
		return false, err
	}
	defer discard(repo)
	newer, err := repo.commit(plumbing.NewHash(b))
	if err != nil {
		return false, err
	}
	older, err := repo.commit(plumbing.NewHash(a))
	if catalog.CodeOf(err) == catalog.NotFound {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return repo.differs(older.Tree, newer.Tree, "", match)
}

// differs compares two trees; a zero hash stands for an empty one. Equal
// subtrees are not read.
func (r *repository) differs(a, b plumbing.Hash, prefix string, match func(string) bool) (bool, error) {
	left, err := r.entries(a)
	if err != nil {
		return false, err
	}
	right, err := r.entries(b)
	if err != nil {
		return false, err
	}
	for name, here := range left {
		there := right[name]
		delete(right, name)
		if differs, err := r.entryDiffers(here, there, prefix+name, match); differs || err != nil {
			return differs, err
		}
	}
	for name, there := range right {
		if differs, err := r.entryDiffers(objects.TreeEntry{}, there, prefix+name, match); differs || err != nil {
			return differs, err
		}
	}
	return false, nil
}

func (r *repository) entryDiffers(a, b objects.TreeEntry, path string, match func(string) bool) (bool, error) {
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
			if match(path) {
				return true, nil
			}
		}
	}
	if !slices.ContainsFunc(trees[:], func(h plumbing.Hash) bool { return !h.IsZero() }) {
		return false, nil
	}
	return r.differs(trees[0], trees[1], path+"/", match)
}

func (r *repository) entries(tree plumbing.Hash) (map[string]objects.TreeEntry, error) {
	if tree.IsZero() {
		return map[string]objects.TreeEntry{}, nil
	}
	data, err := r.GetTyped(tree, plumbing.TreeObject)
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
