package gitserver

import (
	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

// history finds which objects a client lacks.
type history struct {
	repo    *repository
	grafts  map[plumbing.Hash]bool // commits whose parents this repository lacks
	commits map[plumbing.Hash]objects.Commit
}

type hashSet map[plumbing.Hash]bool

func setOf(hashes []plumbing.Hash) hashSet {
	set := hashSet{}
	for _, h := range hashes {
		set[h] = true
	}
	return set
}

func newHistory(repo *repository) (*history, error) {
	shallow, err := repo.shallow()
	return &history{repo: repo, grafts: setOf(shallow), commits: map[plumbing.Hash]objects.Commit{}}, err
}

// commit reads a commit; one at the end of this repository's history has no parents.
func (g *history) commit(h plumbing.Hash) (objects.Commit, error) {
	if c, ok := g.commits[h]; ok {
		return c, nil
	}
	c, err := g.repo.commit(h)
	if err != nil {
		return c, err
	}
	if g.grafts[h] {
		c.Parents = nil
	}
	g.commits[h] = c
	return c, nil
}

// ancestors returns all commits from starts on; it does not look behind ends
// and stops before those of skip.
func (g *history) ancestors(starts []plumbing.Hash, ends, skip hashSet) ([]plumbing.Hash, error) {
	var found []plumbing.Hash
	seen := hashSet{}
	queue := starts
	for len(queue) > 0 {
		h := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if seen[h] || skip[h] {
			continue
		}
		seen[h] = true
		found = append(found, h)
		c, err := g.commit(h)
		if err != nil {
			return nil, err
		}
		if !ends[h] {
			queue = append(queue, c.Parents...)
		}
	}
	return found, nil
}

// boundary returns the commits where a shallow clone ends, and those that are
// nearer: it ends depth commits away from starts, where there are parents, and
// where this repository's own history ends.
func (g *history) boundary(starts []plumbing.Hash, depth int) (ends, inside hashSet, err error) {
	ends, inside = hashSet{}, hashSet{}
	level := starts
	for n := 1; len(level) > 0 && n <= depth; n++ {
		var next []plumbing.Hash
		for _, h := range level {
			if inside[h] || ends[h] {
				continue
			}
			c, err := g.commit(h)
			if err != nil {
				return nil, nil, err
			}
			if g.grafts[h] || n == depth && len(c.Parents) > 0 {
				ends[h] = true
				continue
			}
			inside[h] = true
			next = append(next, c.Parents...)
		}
		level = next
	}
	return ends, inside, nil
}

// content returns everything that commits hold and known do not: the commits
// first, then trees and blobs.
func (g *history) content(commits, known []plumbing.Hash) ([]plumbing.Hash, error) {
	seen := hashSet{}
	for _, h := range known {
		c, err := g.commit(h)
		if err != nil {
			return nil, err
		}
		if err := g.tree(c.Tree, seen, 0, func(plumbing.Hash) {}); err != nil {
			return nil, err
		}
	}
	found := append([]plumbing.Hash(nil), commits...)
	for _, h := range commits {
		c, err := g.commit(h)
		if err != nil {
			return nil, err
		}
		if err := g.tree(c.Tree, seen, 0, func(h plumbing.Hash) { found = append(found, h) }); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// maxWalkDepth is git's own limit for nested trees.
const maxWalkDepth = 2048

// tree visits what is below root and not seen yet.
func (g *history) tree(root plumbing.Hash, seen hashSet, depth int, visit func(plumbing.Hash)) error {
	if seen[root] {
		return nil
	}
	if depth > maxWalkDepth {
		return catalog.Errorf(catalog.Invalid, "directories are nested deeper than %d", maxWalkDepth)
	}
	seen[root] = true
	visit(root)
	data, err := g.repo.GetTyped(root, plumbing.TreeObject)
	if err != nil {
		return err
	}
	entries, err := objects.ParseTree(data)
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch {
		case e.Mode == objects.ModeSubmodule:
		case e.Mode == objects.ModeTree:
			if err := g.tree(e.Hash, seen, depth+1, visit); err != nil {
				return err
			}
		case !seen[e.Hash]:
			seen[e.Hash] = true
			visit(e.Hash)
		}
	}
	return nil
}
