package repository

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/fandoghpaas/fandogh/catalog"
)

// dropEmptyNamespaces removes the directories of namespaces without repositories.
func (r *Repositories) dropEmptyNamespaces() error {
	entries, err := os.ReadDir(r.dir)
	errs := []error{err}
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			errs = append(errs, r.dropEmpty(filepath.Join(r.dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}

// dropEmpty removes a namespace's directory when it has no repository.
func (r *Repositories) dropEmpty(dir string) error {
	r.namespaces.Lock()
	defer r.namespaces.Unlock()
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTEMPTY) {
		return err
	}
	return nil
}

// directories returns where the repositories are.
func (r *Repositories) directories() (dirs []string, err error) {
	namespaces, err := os.ReadDir(r.dir)
	if err != nil {
		return nil, err
	}
	for _, namespace := range namespaces {
		if !namespace.IsDir() {
			continue
		}
		images, err := os.ReadDir(filepath.Join(r.dir, namespace.Name()))
		if err != nil {
			return nil, err
		}
		for _, image := range images {
			if image.IsDir() && strings.HasSuffix(image.Name(), ".git") {
				dirs = append(dirs, filepath.Join(r.dir, namespace.Name(), image.Name()))
			}
		}
	}
	return dirs, nil
}

// Repositories implements catalog.Sources.
func (r *Repositories) Repositories(context.Context) ([]catalog.ImageRef, error) {
	dirs, err := r.directories()
	if err != nil {
		return nil, err
	}
	var refs []catalog.ImageRef
	for _, dir := range dirs {
		ref := catalog.ImageRef{
			Namespace: filepath.Base(filepath.Dir(dir)),
			Name:      strings.TrimSuffix(filepath.Base(dir), ".git"),
		}
		if ref.Validate() == nil {
			refs = append(refs, ref)
		}
	}
	return refs, nil
}

// move takes a repository from where it is, if there is one and may is true while nothing changes it.
func (r *Repositories) move(ref catalog.ImageRef, to string, may func() bool) error {
	defer r.lock(ref)()
	if !may() {
		return nil
	}
	if err := os.Rename(r.path(ref), to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	r.forget(ref)
	return r.dropEmpty(filepath.Dir(r.path(ref)))
}

// removeOld removes the directories in dir, with the repositories that were moved into them.
func (r *Repositories) removeOld(dir string, isOld func(fs.FileInfo) bool) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && isOld(info) {
			err = r.removeMoved(filepath.Join(dir, e.Name()))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// removeMoved removes a directory with the repositories that were moved into it. Their objects, which may be elsewhere, go first.
func (r *Repositories) removeMoved(dir string) error {
	entries, _ := os.ReadDir(dir) // what can't be read can't be removed either, which is the error
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".git") {
			continue
		}
		storage := r.on.Objects(filepath.Join(dir, e.Name(), "objects"))
		names, err := storage.Names()
		if err == nil && len(names) > 0 {
			err = storage.Remove(names...)
		}
		if err != nil {
			return err
		}
	}
	return os.RemoveAll(dir)
}
