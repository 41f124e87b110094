package repository

import (
	"fmt"
	"maps"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

// canonicalPointer is how git-lfs writes a pointer.
const canonicalPointer = "version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n"

// unused returns the Git LFS objects that go when nothing names them.
func (p *pruner) unused() ([]catalog.LFSObject, error) {
	large := p.quarantine.repos.LargeFiles
	if large == nil {
		return nil, nil
	}
	return large.Unused(p.ctx, p.quarantine.ref, p.before)
}

// removeLarge removes those of the unused Git LFS objects that no pointer names which is kept. Errors: Unavailable.
func (p *pruner) removeLarge(unused []catalog.LFSObject) (removed []catalog.LFSObject, err error) {
	unnamed := map[string]bool{}
	for _, o := range unused {
		pointer := plumbing.ComputeHash(plumbing.BlobObject, fmt.Appendf(nil, canonicalPointer, o.OID, o.Size))
		if !p.census.Marked(p.kept, pointer) {
			unnamed[o.OID] = true
		}
	}
	if len(unnamed) == 0 {
		return nil, nil
	}
	spare := func(h plumbing.Hash) error { return p.spareNamed(unnamed, h) }
	if err := p.census.EachMarked(p.kept, spare); err != nil || len(unnamed) == 0 {
		return nil, err
	}
	if err := p.still(nil); err != nil { // once without the lock, as remove does
		return nil, err
	}
	err = p.quarantine.Enter(p.ctx.Err, func(repo *Repository) error {
		if err := p.still(slices.Collect(maps.Keys(p.quarantine.identity.held))); err != nil {
			return err
		}
		loose, err := repo.Objects.Storage().Loose()
		if err != nil {
			return err
		}
		newer, err := p.census.Newer()
		if err != nil {
			return err
		}
		for _, h := range slices.Concat(loose, newer) {
			if err := spare(h); err != nil {
				return err
			}
		}
		if len(unnamed) > 0 {
			removed, err = p.quarantine.repos.LargeFiles.Remove(p.ctx, p.quarantine.ref, slices.Collect(maps.Keys(unnamed)), p.before)
		}
		return err
	})
	return removed, err
}

// spareNamed takes what an object names from the Git LFS objects that are to go. What submodules name, which builds ask the
// image for too, is not in this repository, so that all is spared where a commit may have any.
func (p *pruner) spareNamed(unnamed map[string]bool, h plumbing.Hash) error {
	if len(unnamed) == 0 {
		return nil
	}
	if err := p.ctx.Err(); err != nil {
		return err
	}
	typ, size, err := p.repo.Objects.Header(h)
	switch {
	case err != nil:
		return err
	case typ == plumbing.BlobObject && size < maxPointer:
		text, err := p.repo.Objects.GetTyped(h, typ)
		if pointer, is := parsePointer(text); is && err == nil {
			delete(unnamed, pointer.oid)
		}
		return err
	case typ == plumbing.CommitObject:
		c, err := p.repo.Commit(h)
		if err != nil {
			return err
		}
		root, err := p.repo.Objects.GetTyped(c.Tree, plumbing.TreeObject)
		if err != nil {
			return err
		}
		return objects.EachEntry(root, func(_ uint32, name []byte, _ plumbing.Hash) error {
			if string(name) == ".gitmodules" {
				clear(unnamed)
			}
			return nil
		})
	}
	return nil
}
