package repository

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

const (
	maxModuleDepth = 8
	maxModules     = 200 // of one tree
)

// superproject is a commit whose tree has submodules: that of the tree itself, or of a submodule.
type superproject struct {
	objects *objects.Store
	root    plumbing.Hash // its tree
	base    string        // URL that relative ones are taken from; empty: the image's own
	shown   string        // where it is in the tree, "" or with a slash at the end
	depth   int

	read    bool
	modules map[string]submodule // by path in it
	err     error
}

// modules are a tree's submodules, which come when they are asked for.
type modules struct {
	ctx    context.Context
	access *catalog.SubmoduleAccess // nil: none are to be had
	ref    catalog.ImageRef

	mu     sync.Mutex // held while one comes
	opened int
	stores []*objects.Store
}

// module is a submodule's place in a tree.
type module struct {
	of     *superproject
	path   string // in it
	loaded bool
	err    error
	told   bool // of err, in the build's log
}

// OpenSubmodules implements catalog.Tree.
func (t *tree) OpenSubmodules(ctx context.Context, access catalog.SubmoduleAccess) {
	t.modules.mu.Lock()
	defer t.modules.mu.Unlock()
	t.modules.ctx, t.modules.access = ctx, &access
}

// enterToList is enter for a walk, which lists directories that the build may not read: what can't be had is empty
// there, and fails when it is asked for itself. What only does not answer fails at once, for the files
// might be among those that are looked for. Errors: Unavailable.
func (t *tree) enterToList(n *node) error {
	err := t.enter(n)
	if catalog.CodeOf(err) != catalog.Invalid {
		return err
	}
	t.modules.mu.Lock()
	defer t.modules.mu.Unlock()
	if t.modules.access != nil && !n.module.told {
		n.module.told = true
		t.modules.access.Say(fmt.Sprintf("The build goes on without the files of a submodule until it needs them: %s", catalog.MessageOf(err)))
	}
	return nil
}

// enter has a submodule's files there, if the node is one. Errors: Invalid, Unavailable.
func (t *tree) enter(n *node) error {
	if n.module == nil {
		return nil
	}
	t.modules.mu.Lock()
	defer t.modules.mu.Unlock()
	if t.modules.access == nil {
		return catalog.Errorf(catalog.Invalid, "%s is a git submodule, which can't be built here: its files are in another repository; commit the files themselves, or name it in .dockerignore", n.suspect)
	}
	if !n.module.loaded {
		n.module.loaded, n.module.err = true, t.fill(n)
	}
	return n.module.err
}

// fill reads a submodule's tree into its node.
func (t *tree) fill(n *node) error {
	wanted, ok, err := n.module.of.module(n.module.path)
	if err != nil || !ok || wanted.update == "none" {
		return err // as git leaves it: an empty directory
	}
	if t.modules.opened++; t.modules.opened > maxModules || n.module.of.depth >= maxModuleDepth {
		return catalog.Errorf(catalog.Invalid, "%s is one submodule too many: a build may have %d, one in another up to %d deep", n.suspect, maxModules, maxModuleDepth)
	}
	inner, err := t.fetch(n, wanted)
	if err != nil {
		return submoduleError(n.suspect, err)
	}
	return t.load(t.modules.ctx, n, directory{tree: inner.root, of: inner})
}

// submoduleError names the submodule that can't be had, and says whose it is to change that.
func submoduleError(name string, err error) error {
	switch catalog.CodeOf(err) {
	case catalog.Unavailable:
		return catalog.Wrap(catalog.Unavailable, err, "submodule %s could not be fetched: %s", name, catalog.MessageOf(err))
	case catalog.Internal:
		return fmt.Errorf("submodule %s: %w", name, err)
	}
	return catalog.Wrap(catalog.Invalid, err, "submodule %s can't be fetched: %s; or commit the files themselves, or name it in .dockerignore", name, catalog.MessageOf(err))
}

// fetch finds a submodule's commit.
func (t *tree) fetch(n *node, wanted submodule) (*superproject, error) {
	from, err := t.modules.access.Find(t.modules.ctx, n.module.of.base, wanted.url)
	if err != nil {
		return nil, err
	}
	repos, ref := t.repos, from.Image
	if ref == (catalog.ImageRef{}) {
		repos, ref = t.repos.modules, t.modules.ref
		from.Fetch.Object = n.hash.String()
		t.modules.access.Say(fmt.Sprintf("Submodule %s at %s from %s", n.suspect, catalog.ShortCommit(from.Fetch.Object), from.URL))
		if err := repos.touch(ref); err != nil {
			return nil, err
		}
		if _, err := repos.Fetch(t.modules.ctx, ref, from.Fetch); err != nil && !errors.Is(err, objects.ErrNotFound) {
			return nil, err
		}
	}
	repo, err := repos.Open(ref)
	if err != nil {
		return nil, err
	}
	t.modules.stores = append(t.modules.stores, repo.Objects)
	c, err := repo.Commit(n.hash)
	if catalog.CodeOf(err) == catalog.NotFound {
		return nil, catalog.Errorf(catalog.NotFound, "%s does not have its commit %s; push that", from.URL, n.hash)
	}
	if err != nil {
		return nil, err
	}
	return &superproject{objects: repo.Objects, root: c.Tree, base: from.URL, shown: n.suspect + "/", depth: n.module.of.depth + 1}, nil
}

// touch marks a repository, if there is one, as in use.
func (r *Repositories) touch(ref catalog.ImageRef) error {
	defer r.lock(ref)()
	now := time.Now()
	if err := os.Chtimes(r.path(ref), now, now); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// PruneModules removes what was fetched of the submodules of images whose builds did not ask for one since before. It is
// fetched again when it is needed.
func (r *Repositories) PruneModules(before time.Time) error {
	done, err := r.mayRemove()
	if err != nil {
		if catalog.CodeOf(err) == catalog.Unavailable {
			err = nil // later
		}
		return err
	}
	defer done()
	refs, err := r.modules.Repositories(context.Background())
	errs := []error{err}
	for _, ref := range refs {
		if r.modules.isOlder(ref, before) {
			errs = append(errs, r.modules.dropIf(ref, func() bool { return r.modules.isOlder(ref, before) }))
		}
	}
	return errors.Join(errs...)
}

// isOlder reports whether a repository is there and was last in use before a time.
func (r *Repositories) isOlder(ref catalog.ImageRef, before time.Time) bool {
	info, err := os.Stat(r.path(ref))
	return err == nil && info.ModTime().Before(before)
}

// module returns what the superproject says of a submodule at a path; ok is false when it says nothing.
func (s *superproject) module(path string) (m submodule, ok bool, err error) {
	if !s.read {
		s.read = true
		s.modules, s.err = s.readModules()
	}
	m, ok = s.modules[path]
	return m, ok, s.err
}

// readModules reads .gitmodules. Git reads no link in its place.
func (s *superproject) readModules() (map[string]submodule, error) {
	data, err := s.objects.GetTyped(s.root, plumbing.TreeObject)
	if err != nil {
		return nil, err
	}
	entries, err := objects.ParseTree(data)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.Name != ".gitmodules" || e.Mode != objects.ModeFile && e.Mode != objects.ModeExecutable {
			continue
		}
		_, size, err := s.objects.Header(e.Hash)
		if err != nil {
			return nil, err
		}
		if size > maxModulesFile {
			return nil, catalog.Errorf(catalog.Invalid, "%s.gitmodules is larger than %d KiB", s.shown, maxModulesFile>>10)
		}
		if data, err = s.objects.GetTyped(e.Hash, plumbing.BlobObject); err != nil {
			return nil, err
		}
		modules, err := parseModules(data)
		if err != nil && s.shown != "" {
			err = catalog.Wrap(catalog.Invalid, err, "submodule %s: %s", s.shown, catalog.MessageOf(err))
		}
		return modules, err
	}
	return nil, nil
}

// closeModules gives back the repositories of submodules.
func (t *tree) closeModules() (err error) {
	t.modules.mu.Lock()
	defer t.modules.mu.Unlock()
	for _, store := range t.modules.stores {
		err = errors.Join(err, store.Close())
	}
	t.modules.access = nil
	return err
}
