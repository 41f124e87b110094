// Package repository keeps the bare git repositories on disk, which stock git can read, and gives what is in them to
// those who build from them: it implements catalog.Sources, catalog.SourceWriter, catalog.Fetcher and catalog.Branches.
//
// Repositories is their directory, which one process owns from Open on; a start removes what a crash left. A Repository
// is one of them, open until Close: its objects may be read by many, its refs are changed under its lock alone
// (Change, Quarantine.Enter). Whatever objects arrive, by a push, a fetch from a source, an upload or by merging packs
// (Maintain), wait in a Quarantine until they are whole and checked, and enter the very repository that they were checked
// against or none. So what a ref of a repository names is always there, with all that it leads to.
package repository

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/refs"
)

// asideDir holds repositories of no image, for asideTime.
const (
	asideDir   = ".aside"
	modulesDir = ".modules" // repositories of images' submodules, by image
	asideTime  = 30 * 24 * time.Hour
)

// Repositories is the directory of bare repositories, <ns>/<image>.git. One
// process owns it. It implements catalog.Sources.
type Repositories struct {
	// LargeFiles has what the Git LFS pointers of trees stand for; nil: nothing does. It is set before trees are opened.
	LargeFiles LargeFiles

	dir string
	log hclog.Logger

	on    Stores
	packs *objects.Packs // that sessions and builds have open

	mu         sync.Mutex
	identities map[string]*identity

	namespaces  sync.Mutex // held while a namespace's directory comes with its first repository, or goes with its last
	maintaining sync.Mutex // held while one repository is maintained
	removing    func() (done func(), err error)
	mayMake     func(catalog.ImageRef) error                              // nil: anyone may
	needed      func(context.Context, catalog.ImageRef) ([]string, error) // nil: what refs lead to alone

	modules *Repositories // what submodules of each image were fetched; nil: these are such
}

var _ catalog.Sources = (*Repositories)(nil)

// Open opens the directory, making it when it is new, and removes
// what a crash left behind: quarantined pushes and lock files. All repositories share the budget.
func Open(dir string, budget *objects.Budget, log hclog.Logger) (*Repositories, error) {
	return OpenOn(Stores{}, dir, budget, log)
}

// Stores are what repositories are kept in. Each has a directory all the same: for HEAD and shallow, and for what
// objects and refs are found by. It may not be there yet when they are asked for, and takes that along when it is moved.
type Stores struct {
	Disk    refs.Disk                                               // nil: the machine's
	Objects func(objectsDir string) objects.Storage                 // nil: git's own files
	Refs    func(dir string, peel func(*refs.Ref) error) refs.Store // nil: git's own files, on Disk
}

// OpenOn is Open with other stores.
func OpenOn(on Stores, dir string, budget *objects.Budget, log hclog.Logger) (*Repositories, error) {
	on = withDefaults(on)
	if log == nil {
		log = hclog.NewNullLogger()
	}
	packs := objects.NewPacks(budget)
	modules, err := openOne(&Repositories{dir: filepath.Join(dir, modulesDir), log: log, on: on, packs: packs})
	if err != nil {
		return nil, err
	}
	return openOne(&Repositories{dir: dir, log: log, on: on, packs: packs, modules: modules})
}

func withDefaults(on Stores) Stores {
	if on.Disk == nil {
		on.Disk = refs.OS{}
	}
	if on.Objects == nil {
		on.Objects = objects.NewFiles
	}
	if on.Refs == nil {
		on.Refs = func(dir string, peel func(*refs.Ref) error) refs.Store { return refs.NewFiles(dir, on.Disk, peel) }
	}
	return on
}

// OpenToRead opens the directory beside the process that owns it: nothing of it is changed.
func OpenToRead(dir string) *Repositories {
	on, packs := withDefaults(Stores{}), objects.NewPacks(objects.NewBudget())
	one := func(dir string) *Repositories {
		return &Repositories{dir: dir, log: hclog.NewNullLogger(), on: on, packs: packs, identities: map[string]*identity{}}
	}
	r := one(dir)
	r.modules = one(filepath.Join(dir, modulesDir))
	return r
}

// AskBeforeRemoving has removing asked before packs that were merged and submodules are removed, and done called afterwards; an
// error means later. It is called before anything is pushed.
func (r *Repositories) AskBeforeRemoving(removing func() (done func(), err error)) {
	r.removing, r.modules.removing = removing, removing
}

// openOne opens one directory of repositories.
func openOne(r *Repositories) (*Repositories, error) {
	r.identities = map[string]*identity{}
	quarantines := filepath.Join(r.dir, quarantineDir)
	if err := r.removeOld(quarantines, func(fs.FileInfo) bool { return true }); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(quarantines, 0o700); err != nil {
		return nil, err
	}
	before := time.Now().Add(-asideTime)
	isOld := func(info fs.FileInfo) bool { return info.ModTime().Before(before) }
	if err := r.removeOld(filepath.Join(r.dir, asideDir), isOld); err != nil {
		return nil, err
	}
	if err := r.dropEmptyNamespaces(); err != nil {
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
		if err := r.settle(ref); err != nil { // else it is done before the next change
			r.log.Error("failed to finish pruning", "repository", ref, "error", err)
		}
		if err := r.takeInRefs(ref); err != nil { // they are read where they are, too
			r.log.Error("failed to move refs into packed-refs", "repository", ref, "error", err)
		}
	}
	return r, nil
}

func removeStaleLocks(dir string) error {
	for _, name := range []string{"HEAD.lock", chosenFile + ".lock", "shallow.lock", unreachableFile + ".lock", pruningFile + ".lock"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return refs.RemoveLocks(dir)
}

func (r *Repositories) path(ref catalog.ImageRef) string {
	return filepath.Join(r.dir, filepath.FromSlash(ref.Repository())+".git")
}

// temporary makes a directory on the repositories' file system; the caller removes it.
func (r *Repositories) temporary() (string, error) {
	return os.MkdirTemp(filepath.Join(r.dir, quarantineDir), "push-")
}

// takeInRefs moves refs that older versions or git's own commands gave files of their own into packed-refs.
func (r *Repositories) takeInRefs(ref catalog.ImageRef) error {
	dir := filepath.Join(r.path(ref), "refs")
	// Without it this is no repository for git, and a backup has no empty directories.
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) == 0 {
		return err
	}
	repo, err := r.Open(ref)
	if err != nil {
		return err
	}
	defer objects.Discard(repo)
	if files, ok := repo.Refs.(*refs.Files); ok {
		return files.Recover()
	}
	return nil
}

// identity is that of a repository, which is, was or will be in a directory from one deletion or renaming to the next.
type identity struct {
	sync.Mutex
	name   catalog.ImageRef      // that it was given since; zero: none
	held   map[plumbing.Hash]int // objects that are not to be pruned, by how often they are held
	pruned atomic.Int64          // how often something was removed of it; changes under the lock, when that is done
}

func (r *Repositories) identity(ref catalog.ImageRef) *identity {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, ok := r.identities[ref.Repository()]
	if !ok {
		p = &identity{}
		r.identities[ref.Repository()] = p
	}
	return p
}

// lock serialises what changes one repository.
func (r *Repositories) lock(ref catalog.ImageRef) (unlock func()) {
	for {
		p := r.identity(ref)
		p.Lock()
		if r.identity(ref) == p {
			return p.Unlock
		}
		p.Unlock() // the repository was deleted while we waited
	}
}

// isStill reports whether a repository was not deleted since: objects were checked against what was there. The
// caller holds the lock. Errors: Conflict, Moved.
func (r *Repositories) isStill(ref catalog.ImageRef, since *identity) error {
	switch {
	case r.identity(ref) == since:
		return nil
	case since.name != catalog.ImageRef{}:
		return catalog.Errorf(catalog.Moved, "image %s was transferred in the meantime and is %s now; use that name", ref, since.name)
	}
	return catalog.Errorf(catalog.Conflict, "%s was deleted in the meantime; try again to create it anew", ref)
}

// exists reports by its error whether there is a repository. Errors: NotFound, Invalid.
func (r *Repositories) exists(ref catalog.ImageRef) error {
	if err := ref.Validate(); err != nil {
		return err
	}
	_, err := os.Stat(filepath.Join(r.path(ref), "HEAD"))
	if errors.Is(err, fs.ErrNotExist) {
		return catalog.Errorf(catalog.NotFound, "%s has no git repository yet; the first git push creates it", ref)
	}
	return err
}

// openStore opens a repository's objects; no directory is none.
func (r *Repositories) openStore(ref catalog.ImageRef) (*objects.Store, error) {
	return r.packs.OpenStore(r.on.Objects(filepath.Join(r.path(ref), "objects")))
}

// Open returns a repository. Errors: NotFound, Invalid.
func (r *Repositories) Open(ref catalog.ImageRef) (*Repository, error) {
	if err := r.exists(ref); err != nil {
		return nil, err
	}
	dir := r.path(ref)
	store, err := r.openStore(ref)
	if err != nil {
		return nil, err
	}
	return newRepository(dir, ref, store, r.on), nil
}

// OpenEmpty returns the repository of an image that nothing was pushed to yet, for reading.
func (r *Repositories) OpenEmpty(ref catalog.ImageRef) (*Repository, error) {
	dir := r.path(ref)
	store, err := r.openStore(ref)
	return newRepository(dir, ref, store, r.on), err
}

// Change has a repository locked while do changes it. Errors: NotFound.
func (r *Repositories) Change(ref catalog.ImageRef, do func(*Repository) error) error {
	defer r.lock(ref)()
	if err := r.settle(ref); err != nil {
		return err
	}
	repo, err := r.Open(ref)
	if err != nil {
		return err
	}
	defer objects.Discard(repo)
	return do(repo)
}

// Ensure makes a repository where there is none.
func (r *Repositories) Ensure(ref catalog.ImageRef) error {
	if err := r.exists(ref); catalog.CodeOf(err) != catalog.NotFound {
		return err
	}
	defer r.lock(ref)()
	return r.ensure(ref)
}

// ensure is Ensure where the caller holds the lock.
func (r *Repositories) ensure(ref catalog.ImageRef) error {
	if err := r.exists(ref); catalog.CodeOf(err) != catalog.NotFound {
		return err
	}
	if r.mayMake != nil {
		if err := r.mayMake(ref); err != nil {
			return err
		}
	}
	made, err := r.temporary()
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(made) }() // once it was renamed nothing is left of it
	if err := initRepository(r.on.Disk, made); err != nil {
		return err
	}
	dir := r.path(ref)
	if err := r.put(made, dir); err != nil {
		return err
	}
	return errors.Join(r.on.Disk.SyncDir(filepath.Dir(dir)), r.on.Disk.SyncDir(r.dir))
}

// put moves a repository to where it is found.
func (r *Repositories) put(made, dir string) error {
	r.namespaces.Lock()
	defer r.namespaces.Unlock()
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	return r.on.Disk.Rename(made, dir)
}
