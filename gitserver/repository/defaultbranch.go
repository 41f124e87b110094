package repository

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/refs"
)

const (
	heads = "refs/heads/"
	// firstBranch is what HEAD names before anything was pushed.
	firstBranch = heads + "main"
	// chosenFile holds the full name of the default branch that an owner chose. HEAD alone would not tell
	// it from one that a first push made the default.
	chosenFile = "default-branch"
)

var _ catalog.Branches = (*Repositories)(nil)

// headName returns the branch HEAD names, which need not exist.
func (r *Repository) headName() (string, error) {
	data, err := os.ReadFile(filepath.Join(r.dir, "HEAD"))
	name, _ := strings.CutPrefix(strings.TrimSpace(string(data)), "ref: ")
	return name, err
}

// Head returns what HEAD is: a branch, which need not exist, and its commit.
// Without any branch HEAD is the newest version's commit, so that a clone has
// something to check out.
func (r *Repository) Head(snapshot refs.Snapshot) (branch string, commit plumbing.Hash, err error) {
	branch, err = r.headName()
	if errors.Is(err, fs.ErrNotExist) {
		return firstBranch, commit, nil // nothing was pushed yet
	}
	if err != nil {
		return "", commit, err
	}
	ref, ok, err := snapshot.Find(branch)
	if ok || err != nil {
		return branch, ref.Hash, err
	}
	commit, ok, err = r.newestTag()
	if ok {
		branch = ""
	}
	return branch, commit, err
}

// chosen returns the default branch that an owner chose, "" for none. It need not exist.
func (r *Repository) chosen() (string, error) {
	data, err := os.ReadFile(filepath.Join(r.dir, chosenFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(data)), err
}

// PointHead makes HEAD name a branch that exists, when there is one, so that
// a clone has something to check out: the chosen one, else main, else master, else what it was, else the first.
func (r *Repository) PointHead() error {
	chosen, err := r.chosen()
	if err != nil {
		return err
	}
	name, err := r.headName()
	if err != nil {
		return err
	}
	first := ""
	err = refs.Each(r.Refs, heads, func(f refs.Ref) error {
		if first == "" {
			first = f.Name
		}
		return nil
	})
	if err != nil {
		return err
	}
	best := chosen // there is no branch
	if first != "" {
		best = first
		for _, better := range []string{chosen, firstBranch, heads + "master", name} {
			if better != "" && r.hasRef(better) {
				best = better
				break
			}
		}
	}
	if best == "" || best == name {
		return nil
	}
	return refs.ReplaceFile(r.disk, r.dir, "HEAD", "ref: "+best+"\n")
}

// CheckDeletion refuses the deletion of the default branch, as git's own server does.
func (r *Repository) CheckDeletion(name string) error {
	current, err := r.chosen()
	if err == nil && current == "" {
		current, err = r.headName()
	}
	if err != nil || name != current {
		return err
	}
	return catalog.Errorf(catalog.Conflict, "%s is the default branch and can't be deleted; set another one first, with ssh … default-branch %s BRANCH",
		strings.TrimPrefix(name, heads), r.ref)
}

// DefaultBranch implements catalog.Branches.
func (r *Repositories) DefaultBranch(_ context.Context, ref catalog.ImageRef) (catalog.DefaultBranch, error) {
	repo, err := r.Open(ref)
	if err != nil {
		return catalog.DefaultBranch{}, err
	}
	defer objects.Discard(repo)
	return repo.defaultBranch()
}

// SetDefaultBranch implements catalog.Branches.
func (r *Repositories) SetDefaultBranch(_ context.Context, ref catalog.ImageRef, branch string) (catalog.DefaultBranch, error) {
	name := heads + strings.TrimPrefix(branch, heads)
	if err := refs.CheckName(name); err != nil {
		return catalog.DefaultBranch{}, catalog.FieldErrorf("branch", "%s", catalog.MessageOf(err))
	}
	var chosen catalog.DefaultBranch
	err := r.Change(ref, func(repo *Repository) (err error) {
		if err := refs.ReplaceFile(repo.disk, repo.dir, chosenFile, name+"\n"); err != nil {
			return err
		}
		if err := repo.PointHead(); err != nil {
			return err
		}
		chosen, err = repo.defaultBranch()
		return err
	})
	return chosen, err
}

func (r *Repository) defaultBranch() (d catalog.DefaultBranch, err error) {
	if d.Name, err = r.headName(); err != nil {
		return d, err
	}
	chosen, err := r.chosen()
	if err != nil {
		return d, err
	}
	_, d.Exists, err = refs.Read(r.Refs, d.Name)
	d.Name = strings.TrimPrefix(d.Name, heads)
	if chosen = strings.TrimPrefix(chosen, heads); chosen != d.Name {
		d.Awaited = chosen
	}
	return d, err
}
