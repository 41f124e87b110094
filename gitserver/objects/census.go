package objects

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"
)

// Census is all that the packs of a store have at one moment, by number. It is good until the store is closed.
type Census struct {
	store *Store
	packs []*packFile
	known map[string]bool // packs, by name
	names Hashes          // of what packs have
}

// Set is some of the packed objects of a Census.
type Set []uint64

func (s Set) has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }
func (s Set) add(i int)      { s[i/64] |= 1 << (i % 64) }

// ErrNotMarked reports that a walk met an object that it was to find marked.
var ErrNotMarked = errors.New("an object is needed again")

// Census looks at what is in the store's storage now.
func (s *Store) Census() (*Census, error) {
	if err := s.rescan(); err != nil {
		return nil, err
	}
	names, err := s.storage.Names()
	if err != nil {
		return nil, err
	}
	c := &Census{store: s, known: map[string]bool{}}
	for _, name := range names {
		c.known[name] = true
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, p := range s.packs {
		if !c.known[p.name] {
			continue // it was removed since the store was opened
		}
		c.packs = append(c.packs, p)
		for i := range p.index.n {
			c.names.Add(p.index.name(i))
		}
	}
	return c, nil
}

// NewSet returns one with nothing in it.
func (c *Census) NewSet() Set { return make(Set, (c.names.Len()+63)/64) }

// Unmarked visits the objects that are not in a set.
func (c *Census) Unmarked(set Set, visit func(plumbing.Hash)) {
	for i, h := range c.names.All() {
		if !set.has(i) {
			visit(h)
		}
	}
}

// Marked reports whether a packed object is in a set.
func (c *Census) Marked(set Set, h plumbing.Hash) bool {
	i, ok := c.names.Find(h)
	return ok && set.has(i)
}

// EachMarked visits the objects that are in a set, until visit fails.
func (c *Census) EachMarked(set Set, visit func(plumbing.Hash) error) error {
	for i, h := range c.names.All() {
		if !set.has(i) {
			continue
		}
		if err := visit(h); err != nil {
			return err
		}
	}
	return nil
}

// Newer returns the objects of packs that came since.
func (c *Census) Newer() ([]plumbing.Hash, error) {
	now, err := c.store.Census()
	if err != nil {
		return nil, err
	}
	var newer []plumbing.Hash
	for _, p := range now.packs {
		for i := 0; i < p.index.n && !c.known[p.name]; i++ {
			newer = append(newer, p.index.name(i))
		}
	}
	return newer, nil
}

// Mark adds to a set the packed objects that roots lead to, themselves among them. cut are commits whose parents are not needed. What is
// marked leads to what is marked. Errors: ErrNotFound (something that a root leads to is missing), and where nothing may be added
// ErrNotMarked (something would be).
func (c *Census) Mark(ctx context.Context, set Set, roots []plumbing.Hash, cut map[plumbing.Hash]bool, mayAdd bool) error {
	w := &markWalk{census: c, set: set, cut: cut, mayAdd: mayAdd}
	for _, root := range roots {
		if err := w.meet(Link{Hash: root, Type: plumbing.AnyObject}); err != nil {
			return err
		}
		for len(w.left) > 0 {
			next := w.left[len(w.left)-1]
			w.left = w.left[:len(w.left)-1]
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := w.follow(next); err != nil {
				return fmt.Errorf("%s: %w", next.Hash, err)
			}
		}
	}
	return nil
}

type markWalk struct {
	census *Census
	set    Set
	cut    map[plumbing.Hash]bool
	mayAdd bool
	others Hashes // met, and in no pack of the census
	left   []Link
}

// meet notes an object that something leads to, and is to be followed when it is met for the first time.
func (w *markWalk) meet(l Link) error {
	if i, packed := w.census.names.Find(l.Hash); packed {
		if w.set.has(i) {
			return nil
		}
		if !w.mayAdd {
			return fmt.Errorf("%s: %w", l.Hash, ErrNotMarked)
		}
		w.set.add(i)
	} else if _, added := w.others.Add(l.Hash); !added {
		return nil
	} else if _, _, err := w.census.store.Header(l.Hash); err != nil {
		return fmt.Errorf("%s: %w", l.Hash, err)
	}
	if l.Type != plumbing.BlobObject {
		w.left = append(w.left, l)
	}
	return nil
}

func (w *markWalk) follow(l Link) (err error) {
	if l.Type == plumbing.AnyObject {
		if l.Type, _, err = w.census.store.Header(l.Hash); err != nil || l.Type == plumbing.BlobObject {
			return err
		}
	}
	data, err := w.census.store.GetTyped(l.Hash, l.Type)
	if err != nil {
		return err
	}
	links, err := LinksOf(l.Type, data, w.cut[l.Hash])
	for i := 0; i < len(links) && err == nil; i++ {
		err = w.meet(links[i])
	}
	return err
}

// LinksOf returns what an object names that must be in its repository: a submodule's commit need not be, nor the parents of a commit at which
// history is cut. Errors: ErrCorrupt.
func LinksOf(typ plumbing.ObjectType, data []byte, cut bool) (links []Link, err error) {
	switch typ {
	case plumbing.CommitObject:
		c, err := ParseCommit(data)
		if err != nil {
			return nil, err
		}
		links = append(links, Link{c.Tree, plumbing.TreeObject})
		for i := 0; i < len(c.Parents) && !cut; i++ {
			links = append(links, Link{c.Parents[i], plumbing.CommitObject})
		}
	case plumbing.TreeObject:
		err = EachEntry(data, func(mode uint32, _ []byte, h plumbing.Hash) error {
			switch mode {
			case ModeSubmodule: // its commit lives elsewhere
			case ModeTree:
				links = append(links, Link{h, plumbing.TreeObject})
			default:
				links = append(links, Link{h, plumbing.BlobObject})
			}
			return nil
		})
	case plumbing.TagObject:
		target, err := ParseTag(data)
		return []Link{target}, err
	}
	return links, err
}

// Weigh returns the bytes of the objects that are not kept, and those of the packs that have any of them.
func (c *Census) Weigh(kept Set) (unneeded, of int64, err error) {
	for _, p := range c.packs {
		before := unneeded
		for i := range p.index.n {
			if c.keeps(kept, p.index.name(i)) {
				continue
			}
			offset, _ := p.index.offset(i)
			end, err := p.entryEnd(offset)
			if err != nil {
				return 0, 0, err
			}
			unneeded += end - offset
		}
		if unneeded > before {
			of += p.size
		}
	}
	return unneeded, of, nil
}

func (c *Census) keeps(kept Set, h plumbing.Hash) bool {
	i, ok := c.names.Find(h)
	return !ok || kept.has(i)
}

// Without makes one pack in dir, which exists and is the caller's to remove, of those that have an object which is not kept,
// without these; nil when there are none. cut are the commits whose parents the store does not have. As with Merge, the pack is read
// back and checked; it leads to nothing that is not kept.
func (c *Census) Without(ctx context.Context, dir string, kept Set, cut []plumbing.Hash) (*Merged, error) {
	var from []*packFile
	for _, p := range c.packs {
		for i := range p.index.n {
			if !c.keeps(kept, p.index.name(i)) {
				from = append(from, p)
				break
			}
		}
	}
	if len(from) == 0 {
		return nil, nil
	}
	keep := func(h plumbing.Hash) bool { return c.keeps(kept, h) }
	m, err := c.store.rewrite(ctx, dir, from, cut, keep)
	if err != nil || m.pack == nil {
		return m, err
	}
	for h := range m.pack.pending {
		if !keep(h) {
			return nil, errors.Join(corrupt("%s is needed and was not to be kept", h), m.Close())
		}
	}
	return m, nil
}
