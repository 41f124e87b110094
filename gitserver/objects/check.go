package objects

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
)

// MissingError reports that a pack lacks an object that it or its push names.
type MissingError struct {
	Hash plumbing.Hash
	Type plumbing.ObjectType
}

// Error names the missing object.
func (e *MissingError) Error() string {
	return fmt.Sprintf("missing %s %s", e.Type, e.Hash)
}

// examine checks an object's form and what it names.
func (w *worker) examine(h plumbing.Hash, typ plumbing.ObjectType, data []byte) error {
	var links []Link
	var err error
	switch typ {
	case plumbing.TreeObject:
		links, err = w.trees.check(data)
	case plumbing.CommitObject:
		links, err = w.resolver.in.commitLinks(h, data)
	case plumbing.TagObject:
		var target Link
		if target, err = ParseTag(data); err == nil {
			links = append(links, target)
			w.resolver.in.keepTag(h, target, data)
		}
	}
	for i := 0; i < len(links) && err == nil; i++ {
		err = w.note(links[i])
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", typ, h, err)
	}
	return nil
}

func (in *Incoming) keepTag(h plumbing.Hash, target Link, data []byte) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.tags[h] = target
	if len(data) <= catalog.MaxTag && in.kept+len(data) <= maxTagTexts {
		in.texts[h] = bytes.Clone(data)
		in.kept += len(data)
	}
}

// TagText returns what a tag of the resolved pack or of store says. Errors: ErrNotFound, *LimitError (catalog.MaxTag, and a pack
// has too much of them).
func (in *Incoming) TagText(store *Store, h plumbing.Hash) ([]byte, error) {
	if in != nil {
		if text, ok := in.texts[h]; ok {
			return text, nil
		}
		if _, ok := in.tags[h]; ok {
			return nil, &LimitError{"tag", catalog.MaxTag}
		}
	}
	typ, size, err := store.Header(h)
	switch {
	case err != nil:
		return nil, err
	case typ != plumbing.TagObject:
		return nil, ErrNotFound
	case size > catalog.MaxTag:
		return nil, &LimitError{"tag", catalog.MaxTag}
	}
	return store.GetTyped(h, plumbing.TagObject)
}

func (in *Incoming) commitLinks(h plumbing.Hash, data []byte) ([]Link, error) {
	c, err := ParseCommit(data)
	if err != nil {
		return nil, err
	}
	links := []Link{{c.Tree, plumbing.TreeObject}}
	if in.shallow[h] {
		in.mu.Lock()
		defer in.mu.Unlock()
		in.cut[h] = c.Parents
		return links, nil
	}
	for _, parent := range c.Parents {
		links = append(links, Link{parent, plumbing.CommitObject})
	}
	return links, nil
}

// note checks that what a link names is of its type, now or when all objects are
// known.
func (w *worker) note(l Link) error {
	seen := &w.noted[binary.LittleEndian.Uint32(l.Hash[:])%notedLinks]
	if *seen == l {
		return nil
	}
	*seen = l
	if e := w.resolver.in.table.find(l.Hash); e != nil {
		return l.mustBe(e.typ)
	}
	w.resolver.in.mu.Lock()
	defer w.resolver.in.mu.Unlock()
	if known, ok := w.resolver.in.pending[l.Hash]; ok {
		return l.mustBe(known)
	}
	w.resolver.in.pending[l.Hash] = l.Type
	if len(w.resolver.in.pending) < w.resolver.in.purgeAt {
		return nil
	}
	return w.resolver.in.purge()
}

// minPurge is how many links are kept before those are dropped that can be checked
// by now.
const minPurge = 1 << 15

// purge is called with mu held.
func (in *Incoming) purge() error {
	for h, want := range in.pending {
		if e := in.table.find(h); e != nil {
			if err := (Link{h, want}).mustBe(e.typ); err != nil {
				return err
			}
			delete(in.pending, h)
		}
	}
	in.purgeAt = max(minPurge, 2*len(in.pending))
	return nil
}

func (l Link) mustBe(typ plumbing.ObjectType) error {
	if typ != l.Type {
		return corrupt("%s is a %s, not a %s", l.Hash, typ, l.Type)
	}
	return nil
}

// Connected reports by its error whether store has what the pack leads to and does not have itself. Errors: *MissingError.
func (in *Incoming) Connected(store *Store) error {
	for h, want := range in.pending {
		typ, err := in.TypeOf(store, h)
		if errors.Is(err, ErrNotFound) {
			return &MissingError{h, want}
		}
		if err == nil {
			err = Link{h, want}.mustBe(typ)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// TypeOf looks an object up in the resolved pack and in store.
// Errors: ErrNotFound.
func (in *Incoming) TypeOf(store *Store, h plumbing.Hash) (plumbing.ObjectType, error) {
	if in != nil {
		if e := in.table.find(h); e != nil {
			return e.typ, nil
		}
	}
	typ, _, err := store.Header(h)
	return typ, err
}

// ErrTagChain reports that a tag is of a tag, of a tag and so on, beyond all use.
var ErrTagChain = fmt.Errorf("%w: more than %d tags in a row", ErrCorrupt, maxTagChain)

const maxTagChain = 100

// Peel follows tags in the resolved pack and in store. Errors: ErrNotFound, ErrTagChain.
func (in *Incoming) Peel(store *Store, h plumbing.Hash) (Link, error) {
	for range maxTagChain + 1 {
		if in != nil {
			if target, ok := in.tags[h]; ok {
				h = target.Hash
				continue
			}
			if e := in.table.find(h); e != nil {
				return Link{h, e.typ}, nil
			}
		}
		typ, _, err := store.Header(h)
		if err != nil || typ != plumbing.TagObject {
			return Link{h, typ}, err
		}
		data, err := store.GetTyped(h, plumbing.TagObject)
		if err != nil {
			return Link{}, err
		}
		target, err := ParseTag(data)
		if err != nil {
			return Link{}, err
		}
		h = target.Hash
	}
	return Link{}, ErrTagChain
}

// Peel follows tags to what they mean in the end. Errors: ErrNotFound, ErrTagChain.
func (s *Store) Peel(h plumbing.Hash) (Link, error) { return (*Incoming)(nil).Peel(s, h) }

// NewShallow returns the commits whose parents neither the pack nor store
// have, which the sender said are its history's ends.
func (in *Incoming) NewShallow(store *Store) ([]plumbing.Hash, error) {
	var ends []plumbing.Hash
	for commit, parents := range in.cut {
		for _, parent := range parents {
			_, err := in.TypeOf(store, parent)
			if errors.Is(err, ErrNotFound) {
				ends = append(ends, commit)
				break
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return ends, nil
}
