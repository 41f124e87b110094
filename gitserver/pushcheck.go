package gitserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

// check resolves the pack and judges every command by itself.
func (p *push) check(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-p.band.lost:
			cancel()
		case <-ctx.Done():
		}
	}()
	if place, err := os.Stat(p.repos.path(p.ref)); err == nil {
		p.place = place
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	store, err := objects.OpenStore(filepath.Join(p.repos.path(p.ref), "objects"))
	if err != nil {
		return err
	}
	defer discard(store)
	if p.incoming != nil {
		if n := p.incoming.Count(); n >= 1000 && !p.req.can("quiet") {
			fmt.Fprintf(progress{p.band}, "Checking %d objects\n", n)
		}
		if err := p.incoming.Resolve(ctx, store); err != nil {
			return err
		}
	}
	seen := map[string]bool{}
	for _, c := range p.req.commands {
		if seen[c.Name] {
			p.refuse(c.Name, catalog.Errorf(catalog.Invalid, "%s is updated twice in one push", c.Name))
		}
		seen[c.Name] = true
		if err := p.checkCommand(store, c); err != nil {
			p.refuse(c.Name, err)
		}
	}
	p.keepAtomic()
	return nil
}

func (p *push) checkCommand(store *objects.Store, c *command) error {
	if err := checkRefName(c.Name); err != nil {
		return err
	}
	if c.isDelete() {
		if c.Old.IsZero() {
			return catalog.Errorf(catalog.NotFound, "%s does not exist", c.Name)
		}
		return nil
	}
	target, err := p.incoming.Peel(store, c.New)
	if errors.Is(err, objects.ErrNotFound) {
		return catalog.Errorf(catalog.Invalid, "%s names object %s, which was not pushed", c.Name, c.New)
	}
	if err != nil {
		return err
	}
	if strings.HasPrefix(c.Name, "refs/heads/") && (target.Type != plumbing.CommitObject || target.Hash != c.New) {
		return catalog.Errorf(catalog.Invalid, "branch %s must be a commit", strings.TrimPrefix(c.Name, "refs/heads/"))
	}
	return p.checkUnsettled(store, c, target.Hash)
}

// checkUnsettled looks at a tag that the client could not know of. The same
// commit attaches to its build; whether another may replace it is for
// PreReceive to say.
func (p *push) checkUnsettled(store *objects.Store, c *command, commit plumbing.Hash) error {
	if !p.isUnsettled(c.Name) || !c.Old.IsZero() {
		return nil
	}
	repo, err := p.repos.open(p.ref)
	if catalog.CodeOf(err) == catalog.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	defer discard(repo)
	current, ok, err := repo.readRef(c.Name)
	if !ok || err != nil {
		return err
	}
	target, err := store.Peel(current)
	if err != nil {
		return err
	}
	if target.Hash == commit {
		p.attached[c] = true
	}
	c.Old = current
	return nil
}

// updates returns the commands that are left, as the catalog knows them.
func (p *push) updates() ([]catalog.RefUpdate, error) {
	store, err := objects.OpenStore(filepath.Join(p.repos.path(p.ref), "objects"))
	if err != nil {
		return nil, err
	}
	defer discard(store)
	var updates []catalog.RefUpdate
	for _, c := range p.req.commands {
		if c.err != nil {
			continue
		}
		u := catalog.RefUpdate{Name: c.Name}
		if !c.Old.IsZero() && !p.isUnsettled(c.Name) {
			u.Old = c.Old.String()
		}
		if !c.isDelete() {
			u.New = c.New.String()
			target, err := p.incoming.Peel(store, c.New)
			if err != nil {
				return nil, err
			}
			if target.Type == plumbing.CommitObject {
				u.Commit = target.Hash.String()
			}
		}
		updates = append(updates, u)
	}
	return updates, nil
}

// packError says in words for the pusher why a pack was not taken.
func (p *push) packError(err error) error {
	var limit *objects.LimitError
	var missing *objects.MissingError
	switch {
	case errors.As(err, &limit):
		return catalog.Errorf(catalog.TooLarge, "%v; leave large files out of the history, or ask the operator to raise it", limit)
	case errors.As(err, &missing) && len(p.req.shallow) > 0:
		return catalog.Errorf(catalog.Invalid, "%v, because it comes from a shallow clone; run git fetch --unshallow and push again", missing)
	case errors.As(err, &missing):
		return catalog.Errorf(catalog.Invalid, "%v; run git fsck in your clone, or push from a complete one", missing)
	case errors.Is(err, objects.ErrCorrupt):
		return catalog.Wrap(catalog.Invalid, err, "the pushed objects are refused: %s", strings.TrimPrefix(err.Error(), objects.ErrCorrupt.Error()+": "))
	}
	return err
}
