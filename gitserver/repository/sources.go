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
func (r *Repositories) Keep(_ context.Context, ref catalog.ImageRef, object string) error {
	return r.Change(ref, func(repo *Repository) error {
		h := plumbing.NewHash(object)
		if _, ok, err := repo.commitOf(h); err != nil {
			return err
		} else if !ok {
			return catalog.Errorf(catalog.NotFound, "%s has no commit or tag %s", ref, object)
		}
		name := hiddenKeep + h.String()
		if _, ok, err := refs.Read(repo.Refs, name); ok || err != nil {
			return err
		}
		return refs.UpdateAll(repo.Refs, refs.Change{Name: name, New: h})
	})
}

// hiddenKeep begins the hidden refs of what failed versions were to be built from.
const hiddenKeep = refs.Hidden + "keep/"

// DropKept removes hidden refs that Keep made. None is no error, nor is no repository.
func (r *Repositories) DropKept(_ context.Context, ref catalog.ImageRef, objects []string) error {
	err := r.Change(ref, func(repo *Repository) error {
		var changes []refs.Change
		for _, object := range objects {
			name := hiddenKeep + plumbing.NewHash(object).String()
			h, ok, err := refs.Read(repo.Refs, name)
			if err != nil {
				return err
			}
			if ok {
				changes = append(changes, refs.Change{Name: name, Old: h})
			}
		}
		return refs.UpdateAll(repo.Refs, changes...)
	})
	if catalog.CodeOf(err) == catalog.NotFound {
		return nil
	}
	return err
}

// BranchTips returns the commit, hex, of each branch of a repository; none when there is no repository.
func (r *Repositories) BranchTips(_ context.Context, ref catalog.ImageRef) (map[string]string, error) {
	const heads = "refs/heads/"
	repo, err := r.Open(ref)
	if catalog.CodeOf(err) == catalog.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer objects.Discard(repo)
	tips := map[string]string{}
	return tips, refs.Each(repo.Refs, heads, func(f refs.Ref) error {
		tips[strings.TrimPrefix(f.Name, heads)] = f.Hash.String()
		return nil
	})
}

// ReadTag implements catalog.Sources.
func (r *Repositories) ReadTag(_ context.Context, ref catalog.ImageRef, object string) ([]byte, error) {
	repo, err := r.Open(ref)
	if err != nil {
		return nil, err
	}
	defer objects.Discard(repo)
	h := plumbing.NewHash(object)
	text, err := (*objects.Incoming)(nil).TagText(repo.Objects, h)
	return text, tagError(err, ref, h)
}

// tagError is why an annotated tag can't be read.
func tagError(err error, ref catalog.ImageRef, h plumbing.Hash) error {
	var limit *objects.LimitError
	switch {
	case errors.Is(err, objects.ErrNotFound):
		return catalog.Wrap(catalog.NotFound, err, "%s has no annotated tag %s", ref, h)
	case errors.As(err, &limit):
		return catalog.Wrap(catalog.TooLarge, err, "%s", limit.Error())
	}
	return err
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
	name := "refs/tags/" + tag
	if err := refs.CheckName(name); err != nil {
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
	return r.dropIf(ref, func() bool { return true })
}

// dropIf removes a repository that is there and of which may, when nothing changes it, is true.
func (r *Repositories) dropIf(ref catalog.ImageRef, may func() bool) error {
	away, err := r.temporary()
	if err != nil {
		return err
	}
	// Renamed away first, so that a crash leaves a whole repository or none.
	return errors.Join(r.move(ref, filepath.Join(away, "deleted.git"), may), r.removeMoved(away))
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
	return to, errors.Join(r.dropModules(ref), r.move(ref, to, func() bool { return true }))
}

// SetTag implements catalog.Sources.
func (r *Repositories) SetTag(_ context.Context, ref catalog.ImageRef, tag, object string) error {
	name := "refs/tags/" + tag
	if err := refs.CheckName(name); err != nil {
		return err
	}
	return r.Change(ref, func(repo *Repository) error { return repo.setTag(name, plumbing.NewHash(object)) })
}

// setTag is SetTag of a ref. The caller holds the lock: what is there now stays.
func (r *Repository) setTag(name string, h plumbing.Hash) error {
	target, err := r.Objects.Peel(h)
	if errors.Is(err, objects.ErrNotFound) {
		return catalog.Wrap(catalog.NotFound, err, "%s has no object %s", r.ref, h)
	}
	if err != nil {
		return err
	}
	current, ok, err := refs.Read(r.Refs, name)
	if err != nil {
		return err
	}
	if !ok {
		return refs.UpdateAll(r.Refs, refs.Change{Name: name, New: h})
	}
	if there, ok, err := r.commitOf(current); err != nil || ok && there == target.Hash {
		return err
	}
	return catalog.Errorf(catalog.Conflict, "tag %s points to another commit; try again", strings.TrimPrefix(name, "refs/tags/"))
}
