// Package gitserver serves git over SSH: it takes pushes in, checks them,
// moves refs by compare-and-set, and hands the repositories' trees to those who
// build from them. Its protocol core takes a reader, a writer and a repository.
package gitserver

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

// stagingDir holds quarantined pushes and repositories on their way in or out.
// No namespace begins with a dot.
const stagingDir = ".incoming"

// Repositories is the directory of bare repositories, <ns>/<image>.git. One
// process owns it. It implements catalog.Sources.
type Repositories struct {
	dir string
	log hclog.Logger

	mu    sync.Mutex
	locks map[string]*sync.Mutex

	tidying sync.Mutex // held while one repository is tidied
}

var _ catalog.Sources = (*Repositories)(nil)

// OpenRepositories opens the directory, making it when it is new, and removes
// what a crash left behind: quarantined pushes and lock files.
func OpenRepositories(dir string, log hclog.Logger) (*Repositories, error) {
	if log == nil {
		log = hclog.NewNullLogger()
	}
	r := &Repositories{dir: dir, log: log, locks: map[string]*sync.Mutex{}}
	staging := filepath.Join(dir, stagingDir)
	if err := os.RemoveAll(staging); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(staging, 0o700); err != nil {
		return nil, err
	}
	refs, err := r.Repositories(context.Background())
	if err != nil {
		return nil, err
	}
	for _, ref := range refs {
		if err := removeStaleLocks(r.path(ref)); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func removeStaleLocks(dir string) error {
	for _, name := range []string{"packed-refs.lock", "packed-refs.new", "HEAD.lock", "shallow.lock"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return filepath.WalkDir(filepath.Join(dir, "refs"), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".lock") {
			return os.Remove(path)
		}
		return err
	})
}

func (r *Repositories) path(ref catalog.ImageRef) string {
	return filepath.Join(r.dir, filepath.FromSlash(ref.Repository())+".git")
}

// stage makes a directory on the repositories' file system; the caller removes it.
func (r *Repositories) stage() (string, error) {
	return os.MkdirTemp(filepath.Join(r.dir, stagingDir), "push-")
}

// lock serialises what changes one repository's refs.
func (r *Repositories) lock(ref catalog.ImageRef) (unlock func()) {
	r.mu.Lock()
	l, ok := r.locks[ref.Repository()]
	if !ok {
		l = &sync.Mutex{}
		r.locks[ref.Repository()] = l
	}
	r.mu.Unlock()
	l.Lock()
	return l.Unlock
}

// open returns a repository. Errors: NotFound, Invalid.
func (r *Repositories) open(ref catalog.ImageRef) (*repository, error) {
	if err := ref.Validate(); err != nil {
		return nil, err
	}
	dir := r.path(ref)
	if _, err := os.Stat(filepath.Join(dir, "HEAD")); errors.Is(err, fs.ErrNotExist) {
		return nil, catalog.Errorf(catalog.NotFound, "%s has no git repository yet; the first git push makes it", ref)
	} else if err != nil {
		return nil, err
	}
	store, err := objects.OpenStore(filepath.Join(dir, "objects"))
	if err != nil {
		return nil, err
	}
	return &repository{dir: dir, ref: ref, Store: store}, nil
}

// openOrCreate is open for a push. The caller holds the lock.
func (r *Repositories) openOrCreate(ref catalog.ImageRef) (*repository, error) {
	repo, err := r.open(ref)
	if catalog.CodeOf(err) != catalog.NotFound {
		return repo, err
	}
	staged, err := r.stage()
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(staged) }() // once it was renamed nothing is left of it
	if err := initRepository(staged); err != nil {
		return nil, err
	}
	dir := r.path(ref)
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, err
	}
	if err := os.Rename(staged, dir); err != nil {
		return nil, err
	}
	if err := errors.Join(objects.SyncDir(filepath.Dir(dir)), objects.SyncDir(r.dir)); err != nil {
		return nil, err
	}
	return r.open(ref)
}

// Keep implements catalog.Sources.
func (r *Repositories) Keep(_ context.Context, ref catalog.ImageRef, commit string) error {
	repo, err := r.open(ref)
	if err != nil {
		return err
	}
	defer discard(repo)
	h := plumbing.NewHash(commit)
	if _, err := repo.commit(h); err != nil {
		return err
	}
	defer r.lock(ref)()
	name := hiddenRefs + "keep/" + h.String()
	if _, ok, err := repo.readRef(name); ok || err != nil {
		return err
	}
	return repo.updateRefs([]refChange{{Name: name, New: h}})
}

// WithdrawTag implements catalog.Sources.
func (r *Repositories) WithdrawTag(_ context.Context, ref catalog.ImageRef, tag, commit string) error {
	if err := catalog.ValidateVersion(tag); err != nil {
		return err
	}
	repo, err := r.open(ref)
	if catalog.CodeOf(err) == catalog.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	defer discard(repo)
	defer r.lock(ref)()
	name := "refs/tags/" + tag
	current, ok, err := repo.readRef(name)
	if !ok || err != nil {
		return err
	}
	target, err := repo.Peel(current)
	if err != nil || target.Hash.String() != commit {
		return err
	}
	return repo.updateRefs([]refChange{{Name: name, Old: current}})
}

// Tags implements catalog.Sources.
func (r *Repositories) Tags(_ context.Context, ref catalog.ImageRef) ([]catalog.TagRef, error) {
	repo, err := r.open(ref)
	if catalog.CodeOf(err) == catalog.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer discard(repo)
	var tags []catalog.TagRef
	err = repo.eachRef("refs/tags/", func(f gitRef) error {
		if f.Peeled.IsZero() {
			f.Peeled = f.Hash
		}
		target, err := repo.Peel(f.Peeled)
		if err == nil && target.Type == plumbing.CommitObject {
			name := strings.TrimPrefix(f.Name, "refs/tags/")
			tags = append(tags, catalog.TagRef{Name: name, Object: f.Hash.String(), Commit: target.Hash.String()})
		}
		return err
	})
	return tags, err
}

// Repositories implements catalog.Sources.
func (r *Repositories) Repositories(context.Context) ([]catalog.ImageRef, error) {
	dirs, err := filepath.Glob(filepath.Join(r.dir, "*", "*.git"))
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

// Delete implements catalog.Sources.
func (r *Repositories) Delete(_ context.Context, ref catalog.ImageRef) error {
	if err := ref.Validate(); err != nil {
		return err
	}
	defer r.lock(ref)()
	staged, err := r.stage()
	if err != nil {
		return err
	}
	// Renamed away first, so that a crash leaves a whole repository or none.
	err = os.Rename(r.path(ref), filepath.Join(staged, "deleted.git"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, os.RemoveAll(staged))
	}
	return os.RemoveAll(staged)
}
