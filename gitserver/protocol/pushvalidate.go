package protocol

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/refs"
	"github.com/fandoghpaas/fandogh/gitserver/repository"
)

// validate resolves the pack and checks every command by itself.
func (p *push) validate(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-p.sideband.lost:
			cancel()
		case <-ctx.Done():
		}
	}()
	if n := p.quarantine.Count(); n >= 1000 && !p.req.can("quiet") {
		fmt.Fprintln(progress{p.sideband}, p.speaker.Text("Checking %d objects", n))
	}
	if err := p.quarantine.Check(ctx); err != nil {
		return err
	}
	repo, err := p.quarantine.Repository()
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, c := range p.req.commands {
		if c.err = p.checkCommand(repo, c); c.err == nil && seen[c.change.Name] {
			c.err = catalog.Errorf(catalog.Invalid, "%s is updated twice in one push", c.change.Name)
		}
		seen[c.change.Name] = true
	}
	p.keepAtomic()
	return nil
}

func (p *push) checkCommand(repo *repository.Repository, c *command) error {
	if err := refs.CheckName(c.change.Name); err != nil {
		return err
	}
	if c.isDelete() {
		if c.isNothing() { // as git's own server has it
			fmt.Fprintln(progress{p.sideband}, p.speaker.Text("warning: %s does not exist, so there is nothing to delete", c.change.Name))
		}
		return nil
	}
	target, err := p.quarantine.Peel(c.change.New)
	if errors.Is(err, objects.ErrNotFound) {
		return notPushed(repo, c)
	}
	if errors.Is(err, objects.ErrTagChain) {
		return repository.TooManyTags(c.change.Name)
	}
	if err != nil {
		return err
	}
	if strings.HasPrefix(c.change.Name, "refs/heads/") && (target.Type != plumbing.CommitObject || target.Hash != c.change.New) {
		return catalog.Errorf(catalog.Invalid, "branch %s must point to a commit", strings.TrimPrefix(c.change.Name, "refs/heads/"))
	}
	return p.checkUnbuiltTag(repo, c, target.Hash)
}

// notPushed says that a command's object is missing. Git leaves out what is behind the refs that it was shown,
// also where a shallow clone has pushed those without it.
func notPushed(repo *repository.Repository, c *command) error {
	ends, err := repo.Shallow()
	if err != nil {
		return err
	}
	why := ""
	if len(ends) > 0 {
		short := c.change.Name[strings.LastIndexByte(c.change.Name, '/')+1:]
		why = fmt.Sprintf(": git assumes that it is here, behind what a shallow clone has pushed; push it from a clone without newer commits (git clone --single-branch --branch %s …)", short)
	}
	return catalog.Errorf(catalog.Invalid, "%s points to object %s, which was not pushed%s", c.change.Name, c.change.New, why)
}

// checkUnbuiltTag looks at a tag that the client could not know of. The same
// commit attaches to its build; whether another may replace it is for
// PreReceive to say.
func (p *push) checkUnbuiltTag(repo *repository.Repository, c *command, commit plumbing.Hash) error {
	if !p.isUnbuiltTag(c.change.Name) || !c.change.Old.IsZero() {
		return nil
	}
	current, ok, err := refs.Read(repo.Refs, c.change.Name)
	if !ok || err != nil {
		return err
	}
	target, err := repo.Objects.Peel(current)
	if err != nil {
		return err
	}
	if target.Hash == commit {
		p.attached[c] = true
	}
	c.change.Old = current
	return nil
}

// updates returns the commands that are left, as the catalog knows them.
func (p *push) updates(ctx context.Context) ([]catalog.RefUpdate, error) {
	var updates []catalog.RefUpdate
	for _, c := range p.req.commands {
		if c.err != nil || c.isNothing() {
			continue
		}
		u := catalog.RefUpdate{Name: c.change.Name}
		if !c.change.Old.IsZero() && !p.isUnbuiltTag(c.change.Name) {
			u.Old = c.change.Old.String()
		}
		if !c.isDelete() {
			object := c.change.New
			if p.attached[c] {
				object = c.change.Old // the ref stays
			}
			u.New = object.String()
			target, err := p.quarantine.Peel(object)
			if err != nil {
				return nil, err
			}
			if target.Type == plumbing.CommitObject {
				u.Commit = target.Hash.String()
				if u.Signature, err = p.signature(ctx, u); err != nil {
					return nil, err
				}
			}
		}
		updates = append(updates, u)
	}
	return updates, nil
}

// signature finds out who signed a tag.
func (p *push) signature(ctx context.Context, u catalog.RefUpdate) (catalog.TagSignature, error) {
	name, isTag := u.Tag()
	if !isTag || u.Annotated() == "" || p.handler.tags == nil {
		return catalog.TagSignature{}, nil
	}
	text, err := p.quarantine.ReadTag(plumbing.NewHash(u.New))
	if catalog.CodeOf(err) == catalog.TooLarge {
		return catalog.TagSignature{Reason: catalog.MessageOf(err)}, nil
	}
	if err != nil {
		return catalog.TagSignature{}, err
	}
	return p.handler.tags.VerifyTag(ctx, p.ref.Namespace, name, text)
}

// packError says in words for the pusher why a pack was not taken.
func (p *push) packError(err error) error {
	var limit *objects.LimitError
	var missing *objects.MissingError
	switch {
	case errors.As(err, &limit):
		return catalog.Errorf(catalog.TooLarge, "%v; leave large files out of the history, or ask the server's administrator to raise the limit", limit)
	case errors.As(err, &missing) && len(p.req.shallow) > 0:
		return catalog.Errorf(catalog.Invalid, "%v, because it comes from a shallow clone; run git fetch --unshallow and push again", missing)
	case errors.As(err, &missing):
		return catalog.Errorf(catalog.Invalid, "%v; run git fsck in your clone, or push from a complete one", missing)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return catalog.Wrap(catalog.Invalid, err, "the push was interrupted before all objects arrived; push again")
	case errors.Is(err, objects.ErrCorrupt):
		return catalog.Wrap(catalog.Invalid, err, "the pushed objects are not valid: %s", strings.TrimPrefix(err.Error(), objects.ErrCorrupt.Error()+": "))
	}
	return err
}
