package repository

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/refs"
)

// mend is what a fault of a repository has to be mended.
type mend = func(ctx context.Context) (did string, err error)

// mendHead makes HEAD anew, for the default branch.
func (r *Repositories) mendHead(ref catalog.ImageRef) mend {
	return func(context.Context) (string, error) {
		if err := refs.ReplaceFile(r.on.Disk, r.path(ref), "HEAD", "ref: "+firstBranch+"\n"); err != nil {
			return "", err
		}
		var name string
		err := r.Change(ref, func(repo *Repository) error {
			pointed := repo.PointHead()
			var err error
			name, err = repo.headName()
			return errors.Join(pointed, err)
		})
		return "HEAD was made anew and names " + name, err
	}
}

// mendIndex makes a pack's index anew.
func (r *Repositories) mendIndex(ref catalog.ImageRef, name string) mend {
	return func(ctx context.Context) (did string, err error) {
		dir, err := os.MkdirTemp(r.path(ref), ".reindex-")
		if err != nil {
			return "", err
		}
		path, before := filepath.Join(r.path(ref), "objects", "pack", name), filepath.Join(dir, "before.idx")
		if err := os.Rename(path+".idx", before); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		defer func() {
			if err != nil {
				_ = os.Rename(before, path+".idx") // as it was
			}
			err = errors.Join(err, os.RemoveAll(dir))
		}()
		store, err := r.openStore(ref)
		if err != nil {
			return "", err
		}
		defer objects.Discard(store)
		pack, err := os.Open(path + ".pack")
		if err != nil {
			return "", err
		}
		defer objects.Discard(pack)
		in, err := objects.Receive(pack, dir, objects.Limits{PackBytes: math.MaxInt64, ObjectBytes: math.MaxInt64, Objects: math.MaxUint32}, nil)
		if err != nil {
			return "", err
		}
		defer objects.Discard(in)
		if err := in.Resolve(ctx, store); err != nil {
			return "", err
		}
		return "its index was made anew", in.Install(objects.Files(filepath.Join(r.path(ref), "objects")))
	}
}

// mendRefs keeps what can be read of the refs.
func (r *Repositories) mendRefs(ref catalog.ImageRef) mend {
	return func(context.Context) (string, error) {
		repo, err := r.OpenEmpty(ref)
		if err != nil {
			return "", err
		}
		defer objects.Discard(repo)
		files, ok := repo.Refs.(*refs.Files)
		if !ok {
			return "", errors.New("its refs are not in files")
		}
		kept := "packed-refs.damaged-" + time.Now().UTC().Format("20060102T150405.000Z")
		lost, err := files.Salvage(kept)
		return fmt.Sprintf("the refs that can be read stay, %d can't be; what there was is in %s", lost, filepath.Join(r.path(ref), kept)), err
	}
}

// mendTag sets a built version's tag. What it pointed to is kept by a hidden ref.
func (r *Repositories) mendTag(ref catalog.ImageRef, v VersionOf) mend {
	return func(ctx context.Context) (string, error) {
		object, err := v.TagObject(ctx)
		if err != nil {
			return "", err
		}
		name := "refs/tags/" + cmp.Or(v.Tag, v.Name)
		if err := refs.CheckName(name); err != nil {
			return "", err
		}
		return "the tag was set to the version's commit", r.Change(ref, func(repo *Repository) error {
			to, commit := plumbing.NewHash(object), plumbing.NewHash(v.Commit)
			if target, err := repo.Objects.Peel(to); err != nil || target.Hash != commit {
				to = commit // a tag without its object
			}
			now, _, err := refs.Read(repo.Refs, name)
			if err != nil {
				return err
			}
			changes := []refs.Change{{Name: name, Old: now, New: to}}
			keep := hiddenKeep + now.String()
			if _, kept, err := refs.Read(repo.Refs, keep); err != nil {
				return err
			} else if there, err := repo.Objects.Has(now); err == nil && there && !kept {
				changes = append(changes, refs.Change{Name: keep, New: now})
			}
			return refs.UpdateAll(repo.Refs, changes...)
		})
	}
}

// placeRefs puts refs of a backup in their place together with what makes tags of no version history: such a tag is of a version that was
// deleted since, and a start of the daemon would build it.
func (r *Repositories) placeRefs(ref catalog.ImageRef, versions []VersionOf) func(ctx context.Context, from, to string) (done bool, err error) {
	isVersion := map[string]bool{}
	for _, v := range versions {
		isVersion[cmp.Or(v.Tag, v.Name)] = true
	}
	mark := func(to, from refs.Store) error {
		var changes []refs.Change
		err := refs.Each(from, "refs/tags/", func(tag refs.Ref) error {
			name := strings.TrimPrefix(tag.Name, "refs/tags/")
			if isVersion[name] {
				return nil
			}
			now, _, err := refs.Read(to, stored+name)
			if err == nil && now != tag.Hash {
				changes = append(changes, refs.Change{Name: stored + name, Old: now, New: tag.Hash})
			}
			return err
		})
		if err != nil {
			return err
		}
		return refs.UpdateAll(to, changes...)
	}
	return func(_ context.Context, from, to string) (bool, error) {
		name, err := filepath.Rel(r.path(ref), to)
		isPacked := name == "packed-refs"
		if err != nil || !isPacked && !strings.HasPrefix(filepath.ToSlash(name), "refs/tags/") {
			return false, err
		}
		staged, err := r.stageRefs(ref, from, name)
		if err != nil {
			return false, err
		}
		defer func() { _ = os.RemoveAll(staged) }() // it is no part of a repository
		repo, err := r.OpenEmpty(ref)
		if err != nil {
			return false, err
		}
		defer objects.Discard(repo)
		came := r.on.Refs(staged, repo.PeelRef)
		if !isPacked {
			return false, mark(repo.Refs, came)
		}
		if err := mark(came, came); err != nil {
			return false, err
		}
		if err := r.on.Disk.Rename(filepath.Join(staged, name), to); err != nil {
			return false, err
		}
		return true, r.on.Disk.SyncDir(r.path(ref))
	}
}

// stageRefs copies a file of refs to a directory that is made for it in the repository's.
func (r *Repositories) stageRefs(ref catalog.ImageRef, from, name string) (dir string, err error) {
	text, err := os.ReadFile(from)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(r.path(ref), 0o755); err != nil {
		return "", err
	}
	if dir, err = os.MkdirTemp(r.path(ref), ".refs-"); err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	err = os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = r.on.Disk.Create(path, func(w io.Writer) error { _, err := w.Write(text); return err })
	}
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	return dir, nil
}
