package repository

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/refs"
)

// Keep implements catalog.Sources.
func (r *Repositories) Keep(_ context.Context, ref catalog.ImageRef, commit string) error {
	repo, err := r.Open(ref)
	if err != nil {
		return err
	}
	defer objects.Discard(repo)
	h := plumbing.NewHash(commit)
	if _, err := repo.Commit(h); err != nil {
		return err
	}
	defer r.lock(ref)()
	name := refs.Hidden + "keep/" + h.String()
	if _, ok, err := refs.Read(repo.Refs, name); ok || err != nil {
		return err
	}
	return refs.UpdateAll(repo.Refs, refs.Change{Name: name, New: h})
}

// stored begins the hidden refs of tags that are there as history.
const stored = refs.Hidden + "stored/"

// Store implements catalog.Sources.
func (r *Repositories) Store(_ context.Context, ref catalog.ImageRef, tags map[string]bool) error {
	return r.Change(ref, func(repo *Repository) error {
		var changes []refs.Change
		for tag, isStored := range tags {
			mark, _, err := refs.Read(repo.Refs, stored+tag)
			if err != nil {
				return err
			}
			var now plumbing.Hash
			if isStored {
				if now, _, err = refs.Read(repo.Refs, "refs/tags/"+tag); err != nil {
					return err
				}
			}
			if mark != now {
				changes = append(changes, refs.Change{Name: stored + tag, Old: mark, New: now})
			}
		}
		return refs.UpdateAll(repo.Refs, changes...)
	})
}

// WithdrawTag implements catalog.Sources.
func (r *Repositories) WithdrawTag(_ context.Context, ref catalog.ImageRef, tag, commit string) error {
	if err := catalog.ValidateVersion(tag); err != nil {
		return err
	}
	repo, err := r.Open(ref)
	if catalog.CodeOf(err) == catalog.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	defer objects.Discard(repo)
	defer r.lock(ref)()
	name := "refs/tags/" + tag
	current, ok, err := refs.Read(repo.Refs, name)
	if !ok || err != nil {
		return err
	}
	tagged, ok, err := repo.commitOf(current)
	if !ok || err != nil || tagged.String() != commit {
		return err
	}
	return refs.UpdateAll(repo.Refs, refs.Change{Name: name, Old: current})
}

// Tags implements catalog.Sources.
func (r *Repositories) Tags(_ context.Context, ref catalog.ImageRef) ([]catalog.TagRef, error) {
	repo, err := r.Open(ref)
	if catalog.CodeOf(err) == catalog.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer objects.Discard(repo)
	marks := map[string]plumbing.Hash{}
	err = refs.Each(repo.Refs, stored, func(f refs.Ref) error {
		marks[strings.TrimPrefix(f.Name, stored)] = f.Hash
		return nil
	})
	if err != nil {
		return nil, err
	}
	var tags []catalog.TagRef
	err = refs.Each(repo.Refs, "refs/tags/", func(f refs.Ref) error {
		if f.Peeled.IsZero() {
			f.Peeled = f.Hash
		}
		commit, ok, err := repo.commitOf(f.Peeled)
		if ok {
			name := strings.TrimPrefix(f.Name, "refs/tags/")
			tags = append(tags, catalog.TagRef{Name: name, Object: f.Hash.String(), Commit: commit.String(), Stored: marks[name] == f.Hash})
		}
		return err
	})
	return tags, err
}

// Delete implements catalog.Sources.
func (r *Repositories) Delete(_ context.Context, ref catalog.ImageRef) error {
	if err := ref.Validate(); err != nil {
		return err
	}
	return errors.Join(r.dropModules(ref), r.drop(ref))
}

// drop removes a repository, if there is one.
func (r *Repositories) drop(ref catalog.ImageRef) error {
	away, err := r.temporary()
	if err != nil {
		return err
	}
	// Renamed away first, so that a crash leaves a whole repository or none.
	return errors.Join(r.move(ref, filepath.Join(away, "deleted.git")), r.removeMoved(away))
}

// dropModules removes what an image's submodules brought.
func (r *Repositories) dropModules(ref catalog.ImageRef) error {
	if r.modules == nil {
		return nil
	}
	return r.modules.drop(ref)
}

// SetAside implements catalog.Sources.
func (r *Repositories) SetAside(_ context.Context, ref catalog.ImageRef) (string, error) {
	if err := ref.Validate(); err != nil {
		return "", err
	}
	dir := filepath.Join(r.dir, asideDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(dir, "repository-")
	if err != nil {
		return "", err
	}
	to := filepath.Join(dir, strings.ReplaceAll(ref.Repository(), "/", "_")+".git")
	return to, errors.Join(r.dropModules(ref), r.move(ref, to))
}

// SetTag implements catalog.Sources.
func (r *Repositories) SetTag(_ context.Context, ref catalog.ImageRef, tag, object string) error {
	if err := catalog.ValidateVersion(tag); err != nil {
		return err
	}
	repo, err := r.Open(ref)
	if err != nil {
		return err
	}
	defer objects.Discard(repo)
	h := plumbing.NewHash(object)
	target, err := repo.Objects.Peel(h)
	if errors.Is(err, objects.ErrNotFound) {
		return catalog.Wrap(catalog.NotFound, err, "%s has no object %s", ref, object)
	}
	if err != nil {
		return err
	}
	defer r.lock(ref)()
	name := "refs/tags/" + tag
	current, ok, err := refs.Read(repo.Refs, name)
	if err != nil {
		return err
	}
	if !ok {
		return refs.UpdateAll(repo.Refs, refs.Change{Name: name, New: h})
	}
	if there, ok, err := repo.commitOf(current); err != nil || ok && there == target.Hash {
		return err
	}
	return catalog.Errorf(catalog.Conflict, "tag %s points to another commit; try again", tag)
}
