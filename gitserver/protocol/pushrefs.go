package protocol

import (
	"context"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/refs"
	"github.com/fandoghpaas/fandogh/gitserver/repository"
)

// makeImage makes the image's row on the first push.
func (p *push) makeImage(ctx context.Context) (catalog.Image, error) {
	image, err := p.handler.images.CreateImage(ctx, catalog.NewImage{Ref: p.ref, OwnerID: p.user.User.ID})
	if catalog.CodeOf(err) == catalog.Conflict {
		return p.handler.images.Image(ctx, p.ref) // another first push was faster
	}
	return image, err
}

// applyRefs takes the objects in and changes the refs: all of them or none when
// the push is atomic, else each by itself. An error means that none has moved; what befell
// a ref later is in its command. The image must still be the one that was checked: a deletion
// removes its row first and then, by the lock, the repository.
func (p *push) applyRefs(ctx context.Context, image catalog.Image) error {
	stillThere := func() error {
		now, err := p.handler.images.Image(ctx, p.ref)
		if err == nil && now.ID != image.ID || catalog.CodeOf(err) == catalog.NotFound {
			err = catalog.Errorf(catalog.Conflict, "%s was deleted in the meantime; push again to create it anew", p.ref)
		}
		return err
	}
	return p.quarantine.Enter(stillThere, func(repo *repository.Repository) error {
		for _, c := range p.req.commands {
			if c.err == nil && c.isDelete() && !c.isNothing() {
				c.err = repo.CheckDeletion(c.change.Name)
			}
		}
		if p.keepAtomic(); !p.anyLeft() {
			return nil
		}
		if err := p.quarantine.Install(repo); err != nil {
			return err
		}
		p.changeRefs(repo)
		var before []plumbing.Hash
		for _, c := range p.moved {
			if !c.change.Old.IsZero() {
				before = append(before, c.change.Old)
			}
		}
		p.release = p.quarantine.Hold(before)
		if err := repo.PointHead(); err != nil {
			p.handler.log.Error("failed to update HEAD", "image", p.ref, "error", err)
		}
		return nil
	})
}

// changeRefs does what is left of the commands. After an error it is looked at what was done: a ref
// that has moved is reported as moved.
func (p *push) changeRefs(repo *repository.Repository) {
	var todo []*command
	var changes []refs.Change
	for _, c := range p.req.commands {
		if c.err == nil && !p.attached[c] && !c.isNothing() {
			todo, changes = append(todo, c), append(changes, c.change)
		}
	}
	refused, failure := repo.Refs.Update(changes, p.req.can("atomic"))
	for i, c := range todo {
		why := failure
		if why == nil {
			why = refused[i]
		} else if now, _, err := refs.Read(repo.Refs, c.change.Name); err == nil && now == c.change.New {
			p.handler.log.Error("refs were updated, but the update reported an error", "image", p.ref, "ref", c.change.Name, "error", failure)
			why = nil
		}
		if why != nil {
			c.err = why
			continue
		}
		p.moved = append(p.moved, c)
	}
}

// undo puts refs back, each that is still as this push left it.
func (p *push) undo(names []string) {
	back := map[string]bool{}
	for _, name := range names {
		back[name] = true
	}
	var changes []refs.Change
	for _, c := range p.moved {
		if back[c.change.Name] {
			changes = append(changes, refs.Change{Name: c.change.Name, Old: c.change.New, New: c.change.Old})
		}
	}
	if len(changes) == 0 {
		return
	}
	err := p.handler.repos.Change(p.ref, func(repo *repository.Repository) error { return p.putBack(repo, changes) })
	if err != nil {
		p.handler.log.Error("failed to restore refs", "image", p.ref, "refs", names, "error", err)
	}
}

func (p *push) putBack(repo *repository.Repository, changes []refs.Change) error {
	refused, err := repo.Refs.Update(changes, false)
	for i, c := range changes {
		why := err
		if why == nil {
			why = refused[i]
		}
		if why != nil {
			p.handler.log.Error("failed to restore a ref", "image", p.ref, "ref", c.Name, "error", why)
			continue
		}
		p.audit.Info("ref restored", "image", p.ref, "ref", c.Name, "old", hexOf(c.Old), "new", hexOf(c.New))
	}
	if err := repo.PointHead(); err != nil {
		p.handler.log.Error("failed to update HEAD", "image", p.ref, "error", err)
	}
	return nil
}

// hexOf is an object's name, empty for none.
func hexOf(h plumbing.Hash) string {
	if h.IsZero() {
		return ""
	}
	return h.String()
}
