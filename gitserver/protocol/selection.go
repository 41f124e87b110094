package protocol

import (
	"context"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/repository"
)

// selection collects the objects to send.
type selection struct {
	ctx    context.Context
	repo   *repository.Repository
	filter objectFilter
	tick   func(n int) // called now and then with how many objects there are

	names objects.Hashes // of what is sent and what the client has
	state []objectState  // by number
	sent  []plumbing.Hash
	near  map[plumbing.Hash]plumbing.Hash // of sent objects: one at the same path that the client has; nil: not wanted

	bases   []plumbing.Hash            // trees of commits that the client has
	entries map[plumbing.Hash]treeBase // of trees that the client has
}

type objectState struct {
	known bool
	depth int32 // of a tree: how deep it was met at the least
}

// treeBase is what a tree that the client has holds, by name.
type treeBase map[string]baseEntry

type baseEntry struct {
	hash plumbing.Hash
	tree bool
}

// maxBases bounds with how many trees that the client has one is compared.
const maxBases = 32

func newSelection(ctx context.Context, repo *repository.Repository, filter objectFilter, tick func(int)) *selection {
	return &selection{ctx: ctx, repo: repo, filter: filter, tick: tick, entries: map[plumbing.Hash]treeBase{}}
}

// has reports whether the client has an object. What it was not worth to look for
// is not among them.
func (s *selection) has(h plumbing.Hash) bool {
	i, ok := s.names.Find(h)
	return ok && s.state[i].known
}

// sends reports whether an object is sent.
func (s *selection) sends(h plumbing.Hash) bool {
	i, ok := s.names.Find(h)
	return ok && !s.state[i].known
}

// know notes that the client has an object.
func (s *selection) know(h plumbing.Hash) {
	if _, added := s.names.Add(h); added {
		s.state = append(s.state, objectState{known: true})
	}
}

// send takes an object, unless it was taken or the client has it.
func (s *selection) send(h plumbing.Hash) bool {
	if _, added := s.names.Add(h); !added {
		return false
	}
	s.state = append(s.state, objectState{})
	if s.sent = append(s.sent, h); len(s.sent)%1024 == 0 {
		s.tick(len(s.sent))
	}
	return true
}

// knowTree notes the tree of a commit that the client has.
func (s *selection) knowTree(root plumbing.Hash) {
	if len(s.bases) < maxBases && !s.has(root) {
		s.know(root)
		s.bases = append(s.bases, root)
	}
}

// pendingTree is a tree that is to be walked, with those that the client has at
// the same path.
type pendingTree struct {
	hash  plumbing.Hash
	bases []plumbing.Hash
	depth int
}

// tree takes a commit's tree with all below it that the filter lets pass.
func (s *selection) tree(root plumbing.Hash) error {
	if !s.enter(root, 0) {
		return nil
	}
	return s.walk(pendingTree{root, s.bases, 0})
}

// enter takes a tree and reports whether it must be walked. With a limit of depth one
// that was met deeper is walked again.
func (s *selection) enter(h plumbing.Hash, depth int) bool {
	if depth >= s.filter.maxDepth {
		return false
	}
	if s.send(h) {
		s.state[len(s.state)-1].depth = int32(depth) //nolint:gosec // no pack holds more
		return true
	}
	i, _ := s.names.Find(h)
	at := &s.state[i]
	if s.filter.maxDepth == unfiltered || at.known || int(at.depth) <= depth {
		return false
	}
	at.depth = int32(depth) //nolint:gosec // as above
	return true
}

// walk takes what is below a tree.
func (s *selection) walk(root pendingTree) error {
	for stack := []pendingTree{root}; len(stack) > 0; {
		next := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if err := s.ctx.Err(); err != nil {
			return err
		}
		data, err := s.repo.Objects.GetTyped(next.hash, plumbing.TreeObject)
		if err != nil {
			return err
		}
		var bases []treeBase
		for _, h := range next.bases {
			base, err := s.base(h)
			if err != nil {
				return err
			}
			bases = append(bases, base)
		}
		err = objects.EachEntry(data, func(mode uint32, name []byte, h plumbing.Hash) error {
			switch mode {
			case objects.ModeSubmodule:
				return nil
			case objects.ModeTree:
				if s.enter(h, next.depth+1) {
					stack = append(stack, pendingTree{h, s.beside(h, bases, name, true), next.depth + 1})
				}
				return nil
			}
			return s.blob(h, next.depth+1, bases, name)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *selection) blob(h plumbing.Hash, depth int, bases []treeBase, name []byte) error {
	if depth >= s.filter.maxDepth || s.filter.maxBlob == 0 {
		return nil
	}
	if s.filter.maxBlob < unfiltered && !s.names.Has(h) {
		_, size, err := s.repo.Objects.Header(h)
		if err != nil || size >= s.filter.maxBlob {
			return err
		}
	}
	if s.send(h) && s.near != nil {
		s.beside(h, bases, name, false)
	}
	return nil
}

// beside returns what trees that the client has hold by a name. An object is near
// to the first.
func (s *selection) beside(h plumbing.Hash, bases []treeBase, name []byte, tree bool) []plumbing.Hash {
	var found []plumbing.Hash
	for _, base := range bases {
		if e, ok := base[string(name)]; ok && e.tree == tree && !slices.Contains(found, e.hash) {
			found = append(found, e.hash)
		}
	}
	if s.near != nil && len(found) > 0 {
		s.near[h] = found[0]
	}
	return found
}

// base reads a tree that the client has, with all that it holds.
func (s *selection) base(h plumbing.Hash) (treeBase, error) {
	if base, ok := s.entries[h]; ok {
		return base, nil
	}
	data, err := s.repo.Objects.GetTyped(h, plumbing.TreeObject)
	if err != nil {
		return nil, err
	}
	base := treeBase{}
	err = objects.EachEntry(data, func(mode uint32, name []byte, h plumbing.Hash) error {
		if mode != objects.ModeSubmodule {
			s.know(h)
			base[string(name)] = baseEntry{h, mode == objects.ModeTree}
		}
		return nil
	})
	s.entries[h] = base
	return base, err
}

// wanted takes an object that was asked for by its name, whatever the filter
// says, with what it leads to; commits are taken elsewhere.
func (s *selection) wanted(h plumbing.Hash) error {
	for {
		typ, _, err := s.repo.Objects.Header(h)
		if err != nil || typ == plumbing.CommitObject {
			return err
		}
		isNew := s.send(h)
		switch typ {
		case plumbing.TreeObject:
			if !isNew {
				return nil
			}
			// Its own entries are as deep as a commit's tree.
			return s.walk(pendingTree{hash: h, depth: -1})
		case plumbing.TagObject:
			data, err := s.repo.Objects.GetTyped(h, typ)
			if err != nil {
				return err
			}
			target, err := objects.ParseTag(data)
			if err != nil {
				return err
			}
			h = target.Hash
		default:
			return nil
		}
	}
}
