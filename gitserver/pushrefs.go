package gitserver

import (
	"context"
	"path/filepath"

	"github.com/fandoghpaas/fandogh/catalog"
)

// image returns the image's row, made on the first push.
func (p *push) image(ctx context.Context) (catalog.Image, error) {
	image, err := p.images.Image(ctx, p.ref)
	if catalog.CodeOf(err) != catalog.NotFound {
		return image, err
	}
	image, err = p.images.CreateImage(ctx, catalog.NewImage{Ref: p.ref, OwnerID: p.identity.User.ID})
	if catalog.CodeOf(err) == catalog.Conflict {
		return p.images.Image(ctx, p.ref) // another first push was faster
	}
	return image, err
}

// moveRefs takes the objects in and changes the refs: all of them or none when
// the push is atomic, else each by itself.
func (p *push) moveRefs() error {
	defer p.repos.lock(p.ref)()
	repo, err := p.repos.openOrCreate(p.ref)
	if err != nil {
		return err
	}
	defer discard(repo)
	if err := repo.isStill(p.place); err != nil {
		return err
	}
	if p.incoming != nil {
		ends, err := p.incoming.NewShallow(repo.Store)
		if err != nil {
			return err
		}
		// The ends are known before the objects that need them.
		if err := repo.addShallow(ends); err != nil {
			return err
		}
		if err := p.incoming.Install(filepath.Join(repo.dir, "objects")); err != nil {
			return err
		}
	}
	var todo []*command
	for _, c := range p.req.commands {
		if c.err == nil && !p.attached[c] {
			todo = append(todo, c)
		}
	}
	if p.req.can("atomic") {
		changes := make([]refChange, len(todo))
		for i, c := range todo {
			changes[i] = c.refChange
		}
		if err := repo.updateRefs(changes); err != nil {
			p.refuseAll(err)
			return nil
		}
		p.moved = todo
	} else {
		for _, c := range todo {
			if err := repo.updateRefs([]refChange{c.refChange}); err != nil {
				p.refuse(c.Name, err)
				continue
			}
			p.moved = append(p.moved, c)
		}
	}
	return repo.pointHead()
}

// undo puts refs back whose builds could not be queued.
func (p *push) undo(names []string) {
	if len(names) == 0 {
		return
	}
	defer p.repos.lock(p.ref)()
	repo, err := p.repos.open(p.ref)
	if err != nil {
		p.log.Error("put refs back", "image", p.ref, "error", err)
		return
	}
	defer discard(repo)
	for _, name := range names {
		for _, c := range p.moved {
			if c.Name != name {
				continue
			}
			if err := repo.updateRefs([]refChange{{Name: name, Old: c.New, New: c.Old}}); err != nil {
				p.log.Error("put a ref back", "image", p.ref, "ref", name, "error", err)
			}
		}
	}
}
