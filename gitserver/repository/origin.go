package repository

import (
	"context"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/refs"
)

var _ catalog.Origins = (*Repositories)(nil)

const (
	// maxOrigin bounds an object that is shown as it is, in bytes: a root directory of a hundred thousand entries.
	maxOrigin = 4 << 20
	// maxOriginTags bounds how many tag objects point to one another.
	maxOriginTags = 10
)

// Origin implements catalog.Origins.
func (r *Repositories) Origin(_ context.Context, ref catalog.ImageRef, tag, commit string) (catalog.Origin, error) {
	repo, err := r.Open(ref)
	if err != nil {
		return catalog.Origin{}, err
	}
	defer objects.Discard(repo)
	var o catalog.Origin
	at, ok, err := refs.Read(repo.Refs, "refs/tags/"+tag)
	if err != nil {
		return o, err
	}
	if ok {
		o.Object = at.String()
	}
	for ok && len(o.Tags) < maxOriginTags {
		kind, _, err := repo.Objects.Header(at)
		if err != nil || kind != plumbing.TagObject {
			break // what can't be read the reader finds missing
		}
		object := repo.show(at, plumbing.TagObject)
		o.Tags = append(o.Tags, object)
		target, err := objects.ParseTag(object.Content)
		if err != nil {
			break
		}
		at = target.Hash
	}
	h := plumbing.NewHash(commit)
	o.Commit = repo.show(h, plumbing.CommitObject)
	if c, err := objects.ParseCommit(o.Commit.Content); err == nil {
		o.Tree = repo.show(c.Tree, plumbing.TreeObject)
	}
	return o, nil
}

// show reads an object of some kind, if that can be read.
func (r *Repository) show(h plumbing.Hash, kind plumbing.ObjectType) catalog.GitObject {
	o := catalog.GitObject{ID: h.String()}
	if _, size, err := r.Objects.Header(h); err != nil || size > maxOrigin {
		return o
	}
	content, err := r.Objects.GetTyped(h, kind)
	if err == nil {
		o.Content = content
	}
	return o
}
