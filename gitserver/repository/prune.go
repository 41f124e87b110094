package repository

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/docker/go-units"
	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/refs"
	"github.com/fandoghpaas/fandogh/internal/diskspace"
)

// pruning says what goes.
type pruning struct {
	now   time.Time
	grace time.Duration
	// always bytes of unneeded objects may stay, and a part of 1 in part of the packs that have any: what is left of these has to be
	// written anew.
	always, part int64
}

func (p pruning) worth(unneeded, of int64) bool { return unneeded > max(p.always, of/p.part) }

// Pruned is what was removed of a repository.
type Pruned struct {
	Objects int
	Bytes   int64
	// Large are Git LFS objects, with LargeBytes in all.
	Large      int
	LargeBytes int64
}

// AskForNeeded has needed asked which objects of a repository, in hex, are to stay though no ref may lead to them, with all that
// they lead to. It is called before anything is pruned.
func (r *Repositories) AskForNeeded(needed func(ctx context.Context, ref catalog.ImageRef) ([]string, error)) {
	r.needed = needed
}

// errLater reports that a repository changed while it was looked at.
var errLater = catalog.Errorf(catalog.Unavailable, "the repository is being changed; try again in a moment")

// Prune removes the objects of a repository to which nothing has led since it was looked at for grace before now, when they are more than a
// part of what there is, and the Git LFS objects that nothing names which stays, when they were not used for as long. It waits for what else maintains a repository. Errors: NotFound, and Unavailable (it changes just now, or nothing may be
// removed), after which it may be tried again soon.
func (r *Repositories) Prune(ctx context.Context, ref catalog.ImageRef, now time.Time, grace time.Duration) (Pruned, error) {
	return r.prune(ctx, ref, pruning{now, grace, 64 << 10, 5})
}

func (r *Repositories) prune(ctx context.Context, ref catalog.ImageRef, what pruning) (Pruned, error) {
	r.maintaining.Lock()
	defer r.maintaining.Unlock()
	done, err := r.mayRemove()
	if err != nil {
		return Pruned{}, err
	}
	defer done()
	if err := r.Change(ref, func(*Repository) error { return nil }); err != nil { // what was cut short is done first
		return Pruned{}, err
	}
	q, err := r.NewQuarantine(ref)
	if err != nil {
		return Pruned{}, err
	}
	defer q.discard()
	repo, err := q.Repository()
	if err != nil {
		return Pruned{}, err
	}
	p := &pruner{pruning: what, ctx: ctx, quarantine: q, repo: repo, before: what.now.Add(-what.grace)}
	return p.run()
}

// pruner prunes one repository.
type pruner struct {
	pruning
	ctx        context.Context
	quarantine *Quarantine
	repo       *Repository
	before     time.Time

	shallow []plumbing.Hash
	census  *objects.Census
	kept    objects.Set // to which something leads, or did lately; it leads to nothing else
}

func (p *pruner) run() (done Pruned, err error) {
	if p.shallow, err = p.repo.Shallow(); err != nil {
		return done, err
	}
	known := p.repo.readMarks(p.now)
	roots, look, err := p.roots()
	if err != nil {
		return done, err
	}
	unused, err := p.unused()
	if err != nil || known.look == look && !known.anyUntil(p.before) && !known.anyUsedSince(unused) {
		return done, err // as it was found last
	}
	marked, gone, err := p.look(roots, known)
	if err != nil {
		return done, err
	}
	marked.look, marked.used = look, p.before
	removed, err := p.removeLarge(unused)
	if err != nil {
		return done, err
	}
	for _, o := range removed {
		done.Large++
		done.LargeBytes += o.Size
	}
	unneeded, of, err := p.census.Weigh(p.kept)
	if err != nil {
		return done, err
	}
	if p.worth(unneeded, of) {
		if err := p.remove(of - unneeded); err != nil {
			return done, err
		}
		for _, h := range gone {
			delete(marked.since, h)
		}
		marked.look = "" // there are other packs
		done.Objects, done.Bytes = len(gone), unneeded
	}
	return done, p.repo.writeMarks(marked)
}

// roots returns what has to stay with all that it leads to, and what tells this look at the repository from one at which anything was otherwise.
func (p *pruner) roots() (roots []plumbing.Hash, look string, err error) {
	sum := newLook()
	err = refs.Each(p.repo.Refs, "", func(f refs.Ref) error {
		roots = append(roots, f.Hash)
		sum.note(f.Name, f.Hash)
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	if head, err := p.repo.headName(); err != nil {
		return nil, "", err
	} else if h, detached := objects.ParseHash([]byte(head)); detached {
		roots = append(roots, h)
		sum.note("HEAD", h)
	}
	if p.quarantine.repos.needed != nil {
		needed, err := p.quarantine.repos.needed(p.ctx, p.quarantine.ref)
		if err != nil {
			return nil, "", err
		}
		for _, hex := range needed {
			h := plumbing.NewHash(hex)
			sum.note("needed", h)
			if there, err := p.repo.Objects.Has(h); err != nil {
				return nil, "", err
			} else if there { // else it is a fault, which is told elsewhere
				roots = append(roots, h)
			}
		}
	}
	for _, h := range p.shallow {
		sum.note("shallow", h)
	}
	loose, err := p.repo.Objects.Storage().Loose()
	if err != nil {
		return nil, "", err
	}
	for _, h := range loose {
		sum.note("loose", h)
	}
	packs, err := p.repo.Objects.Storage().Names()
	slices.Sort(packs)
	for _, name := range packs {
		sum.note(name, plumbing.ZeroHash)
	}
	return append(roots, loose...), sum.String(), err
}

// look finds out what has to stay. It returns since when the rest is known to lead nowhere, and what of it may go.
func (p *pruner) look(roots []plumbing.Hash, known marks) (marked marks, gone []plumbing.Hash, err error) {
	if p.census, err = p.repo.Objects.Census(); err != nil {
		return marked, nil, err
	}
	cut := p.cut()
	p.kept = p.census.NewSet()
	if err := p.census.Mark(p.ctx, p.kept, roots, cut, true); err != nil {
		return marked, nil, err
	}
	marked.since = map[plumbing.Hash]int64{}
	var recent []plumbing.Hash
	p.census.Unmarked(p.kept, func(h plumbing.Hash) {
		since, was := known.since[h]
		if !was {
			since = p.now.Unix()
		}
		if marked.since[h] = since; since > p.before.Unix() {
			recent = append(recent, h)
		}
	})
	// What may be referred to again must be whole then.
	if err := p.census.Mark(p.ctx, p.kept, recent, cut, true); err != nil {
		return marked, nil, err
	}
	p.census.Unmarked(p.kept, func(h plumbing.Hash) { gone = append(gone, h) })
	return marked, gone, nil
}

func (p *pruner) cut() map[plumbing.Hash]bool {
	cut := map[plumbing.Hash]bool{}
	for _, h := range p.shallow {
		cut[h] = true
	}
	return cut
}

// remove has packs in the repository that have what is kept alone, in the place of those that have anything else, for which room is needed.
func (p *pruner) remove(room int64) error {
	space, err := diskspace.Of(p.quarantine.repos.dir)
	if err != nil {
		return err
	}
	if space.Free < room {
		return fmt.Errorf("what is needed of its packs must be written anew, which takes %s, and %s are free", units.BytesSize(float64(room)), units.BytesSize(float64(space.Free)))
	}
	dir, err := p.quarantine.directory()
	if err != nil {
		return err
	}
	if p.quarantine.merged, err = p.census.Without(p.ctx, dir, p.kept, p.shallow); err != nil {
		return err
	}
	// Once without the lock, so that it need not be held for long.
	if err := p.still(nil); err != nil {
		return err
	}
	return p.quarantine.Enter(p.ctx.Err, func(repo *Repository) error {
		if err := p.still(slices.Collect(maps.Keys(p.quarantine.identity.held))); err != nil {
			return err
		}
		return p.quarantine.replace(repo)
	})
}

// still reports by its error whether all that the repository needs now, and what it is told to hold, is kept. Errors: Unavailable.
func (p *pruner) still(held []plumbing.Hash) error {
	shallow, err := p.repo.Shallow()
	if err != nil {
		return err
	}
	if !slices.Equal(shallow, p.shallow) { // what was cut may not be so any more
		return errLater
	}
	roots, _, err := p.roots()
	if err != nil {
		return err
	}
	newer, err := p.census.Newer()
	if err != nil {
		return err
	}
	err = p.census.Mark(p.ctx, p.kept, slices.Concat(roots, newer, held), p.cut(), false)
	if errors.Is(err, objects.ErrNotMarked) {
		return errLater
	}
	return err
}
