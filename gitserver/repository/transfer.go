package repository

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fandoghpaas/fandogh/catalog"
)

// AskBeforeMaking has may asked before a repository is made, while it is locked: who was about to write to one may know it by a
// name that is not its own any more. It is called before anything is pushed.
func (r *Repositories) AskBeforeMaking(may func(ref catalog.ImageRef) error) { r.mayMake = may }

// Rename gives a repository, and that of its submodules, another name; what has that name is set aside. It may be done again after it was
// cut short. No such repository is no error, and none may be made by the old name any more (AskBeforeMaking). Whoever is writing to it
// meanwhile has it there or is refused. Errors: Invalid.
func (r *Repositories) Rename(ctx context.Context, from, to catalog.ImageRef) error {
	if err := errors.Join(from.Validate(), to.Validate()); err != nil {
		return err
	}
	if err := r.rename(ctx, from, to); err != nil || r.modules == nil {
		return err
	}
	return r.modules.rename(ctx, from, to) // last, for what is set aside takes along what it had of submodules
}

func (r *Repositories) rename(ctx context.Context, from, to catalog.ImageRef) error {
	if _, err := os.Stat(r.path(from)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, err := os.Stat(r.path(to)); err == nil {
		path, err := r.SetAside(ctx, to)
		if err != nil {
			return err
		}
		r.log.Warn("a repository has no image in the catalog; it is set aside for a month", "repository", to, "path", path)
	}
	defer r.lock(from)()
	if err := r.put(r.path(from), r.path(to)); err != nil {
		return err
	}
	r.identity(from).name = to
	r.forget(from, to)
	var errs []error
	for _, dir := range []string{filepath.Dir(r.path(to)), filepath.Dir(r.path(from)), r.dir} {
		if err := r.on.Disk.SyncDir(dir); !errors.Is(err, fs.ErrNotExist) { // one goes with its last repository
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, r.dropEmpty(filepath.Dir(r.path(from))))...)
}

// forget has what is found by names be no more what it was.
func (r *Repositories) forget(refs ...catalog.ImageRef) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, ref := range refs {
		delete(r.identities, ref.Repository())
	}
}
