// Package refs holds the refs of a repository: names of objects, which move from an object that the mover has seen
// to another (compare-and-set), several in one step.
//
// A Store is opened for a Snapshot, which stays what it was while the store changes, and is closed when it was read.
// Whatever passes refstest.TestStore can be one. Files is git's own packed-refs, replaced as a whole,
// so that stock git reads it; refs in files of their own, as other programs leave them, are read too and taken in. Of any
// name that a client writes, CheckName is asked first.
package refs

import (
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

// Hidden is what the names of Fandogh's own refs begin with: clients neither see nor write them.
const Hidden = "refs/fandogh/"

// Ref is a ref and the object it names.
type Ref struct {
	Name   string
	Hash   plumbing.Hash
	Peeled plumbing.Hash // what an annotated tag means in the end, of others Hash; zero: not known
}

// Change moves a ref from Old to New; zero means there is none.
type Change struct {
	Name     string
	Old, New plumbing.Hash
}

// Store holds the refs of one repository. Whatever passes refstest.TestStore can be one.
type Store interface {
	// Open returns the refs as they are at one moment.
	Open() (Snapshot, error)
	// Update makes changes, each of another ref, in their order and in one step: a reader or a crash
	// sees the refs before or after it. A change that can't be made (the ref is not at Old, or
	// its name can't stand beside another's) has an error in its place of refused, Conflict; when
	// it is to be all or none, every other one has it too. With err nothing was changed, but
	// where a disk fails that is to be looked at.
	Update(changes []Change, allOrNone bool) (refused []error, err error)
}

// Snapshot is what a Store held at one moment.
type Snapshot interface {
	// Each visits the refs whose names begin with prefix, by name.
	Each(prefix string, visit func(Ref) error) error
	// Find returns one ref; ok is false when there is none.
	Find(name string) (ref Ref, ok bool, err error)
	Close() error
}

// Each visits the refs of a store whose names begin with prefix, by name.
func Each(store Store, prefix string, visit func(Ref) error) error {
	snapshot, err := store.Open()
	if err != nil {
		return err
	}
	defer objects.Discard(snapshot)
	return snapshot.Each(prefix, visit)
}

// Read returns one ref of a store; ok is false when there is none.
func Read(store Store, name string) (h plumbing.Hash, ok bool, err error) {
	snapshot, err := store.Open()
	if err != nil {
		return h, false, err
	}
	defer objects.Discard(snapshot)
	f, ok, err := snapshot.Find(name)
	return f.Hash, ok, err
}

// UpdateAll makes all changes or none. Errors: Conflict.
func UpdateAll(store Store, changes ...Change) error {
	refused, err := store.Update(changes, true)
	if i := slices.IndexFunc(refused, func(err error) bool { return err != nil }); err == nil && i >= 0 {
		err = refused[i]
	}
	return err
}

const (
	maxRefName  = 4000 // bytes; no file system takes longer paths of a clone's refs
	maxRefPart  = 250  // a file's name has 255, and git adds .lock
	maxRefParts = 100
)

// CheckName holds git's rules for the full name of a ref that a client writes (git check-ref-format).
// Errors: Invalid, Forbidden.
func CheckName(name string) error {
	bad := func(why string) error {
		return catalog.FieldErrorf("ref", "%q is not a valid ref name: %s", shortened(name), why)
	}
	rest, ok := strings.CutPrefix(name, "refs/")
	parts := strings.Split(rest, "/")
	switch {
	case !ok || len(parts) < 2:
		return bad("it must be refs/heads/…, refs/tags/… or another refs/…/…")
	case strings.HasPrefix(name, Hidden):
		return catalog.Errorf(catalog.Forbidden, "%s… is reserved for the server", Hidden)
	case len(name) > maxRefName:
		return bad("it is longer than 4000 bytes")
	case len(parts) > maxRefParts:
		return bad("it has more than 100 components")
	}
	for _, part := range parts {
		switch {
		case part == "":
			return bad("it has an empty component")
		case part[0] == '.':
			return bad("a component begins with a dot")
		case strings.HasSuffix(part, ".lock"):
			return bad("a component ends with .lock")
		case len(part) > maxRefPart:
			return bad("a component is longer than 250 bytes")
		}
	}
	for _, c := range []byte(name) {
		if c < ' ' || c == 0x7f || strings.IndexByte(` ~^:?*[\`, c) >= 0 {
			return bad("it contains a space, a control character or one of ~^:?*[\\")
		}
	}
	switch {
	case strings.Contains(name, ".."):
		return bad("it contains ..")
	case strings.Contains(name, "@{"):
		return bad("it contains @{")
	case strings.HasSuffix(name, "."):
		return bad("it ends with a dot")
	}
	return nil
}

// shortened is a name as it may be shown.
func shortened(name string) string {
	const most = 200
	if len(name) <= most {
		return name
	}
	return name[:most] + "…"
}

// refTable is a store's refs in memory while changes are made to them.
type refTable struct {
	refs    []Ref                    // by name, as they were
	changed map[string]plumbing.Hash // zero: deleted
	above   map[string]string        // of each name that has new ones below it, one of them
}

func newRefTable(refs []Ref) *refTable {
	return &refTable{refs: refs, changed: map[string]plumbing.Hash{}, above: map[string]string{}}
}

// applyAll makes changes; it returns which can't be made and whether any was made.
func (t *refTable) applyAll(changes []Change, allOrNone bool) (refused []error, any bool) {
	refused = make([]error, len(changes))
	for i, c := range changes {
		refused[i] = t.apply(c)
		if refused[i] == nil {
			any = true
			continue
		}
		if allOrNone {
			for j := range changes {
				refused[j] = refused[i]
			}
			return refused, false
		}
	}
	return refused, any
}

func (t *refTable) apply(c Change) error {
	if t.at(c.Name) != c.Old {
		return catalog.Errorf(catalog.Conflict, "%s has changed in the meantime; fetch and try again", c.Name)
	}
	if c.Old.IsZero() && !c.New.IsZero() {
		if other, ok := t.beside(c.Name); ok {
			return catalog.Errorf(catalog.Conflict, "%s can't exist beside %s; git stores refs as files and directories", c.Name, other)
		}
		for parent := range parents(c.Name) {
			t.above[parent] = c.Name
		}
	}
	t.changed[c.Name] = c.New
	return nil
}

// at returns a ref, zero for none.
func (t *refTable) at(name string) plumbing.Hash {
	if h, ok := t.changed[name]; ok {
		return h
	}
	if i, ok := t.search(name); ok {
		return t.refs[i].Hash
	}
	return plumbing.ZeroHash
}

func (t *refTable) search(name string) (int, bool) {
	return slices.BinarySearchFunc(t.refs, name, func(f Ref, name string) int { return strings.Compare(f.Name, name) })
}

// beside returns a ref below or above a name: a/b beside a.
func (t *refTable) beside(name string) (string, bool) {
	for parent := range parents(name) {
		if !t.at(parent).IsZero() {
			return parent, true
		}
	}
	if below, ok := t.above[name]; ok && !t.at(below).IsZero() {
		return below, true
	}
	i, _ := t.search(name + "/")
	for ; i < len(t.refs) && strings.HasPrefix(t.refs[i].Name, name+"/"); i++ {
		if below := t.refs[i].Name; !t.at(below).IsZero() {
			return below, true
		}
	}
	return "", false
}

// parents yields the names above a name, from refs/x on.
func parents(name string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for i := len("refs/"); i < len(name); i++ {
			if name[i] == '/' && !yield(name[:i]) {
				return
			}
		}
	}
}

// result returns the refs after the changes, by name.
func (t *refTable) result() []Ref {
	refs := make([]Ref, 0, len(t.refs)+len(t.changed))
	for _, f := range t.refs {
		if _, ok := t.changed[f.Name]; !ok {
			refs = append(refs, f)
		}
	}
	for name, h := range t.changed {
		if !h.IsZero() {
			refs = append(refs, Ref{Name: name, Hash: h})
		}
	}
	sortRefs(refs)
	return refs
}

func sortRefs(refs []Ref) {
	slices.SortFunc(refs, func(a, b Ref) int { return strings.Compare(a.Name, b.Name) })
}
