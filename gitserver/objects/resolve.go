package objects

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sort"
	"sync/atomic"

	"github.com/go-git/go-git/v5/plumbing"
	"golang.org/x/sync/errgroup"
)

// MissingError tells that a pack lacks an object that it or its push names.
type MissingError struct {
	Hash plumbing.Hash
	Type plumbing.ObjectType
}

// Error names the missing object.
func (e *MissingError) Error() string {
	return fmt.Sprintf("the push lacks %s %s", e.Type, e.Hash)
}

// Resolve rebuilds every delta, checks every object's form and then that
// everything the objects name is in the pack or in store. A store that took in
// only packs which passed is thus always complete, so nothing older has to be
// walked. Errors: ErrCorrupt, *LimitError, *MissingError.
func (in *Incoming) Resolve(ctx context.Context, store *Store) error {
	r := &resolver{in: in, pending: int64(len(in.deltas))}
	r.index()
	if err := r.run(ctx); err != nil {
		return err
	}
	if left := atomic.LoadInt64(&r.pending); left > 0 {
		return corrupt("%d deltas have no base in the pack; push with git's --no-thin", left)
	}
	in.sortEntries()
	return in.connected(store)
}

// resolver rebuilds deltas from their bases downwards, one tree of deltas a goroutine.
type resolver struct {
	in      *Incoming
	offsets []int32                   // OFS deltas by base offset
	byHash  bool                      // there are REF deltas
	hashes  map[plumbing.Hash][]int32 // REF deltas by base, guarded by in.mu
	pending int64                     // deltas not rebuilt yet
}

func (r *resolver) index() {
	entries := r.in.entries
	r.hashes = map[plumbing.Hash][]int32{}
	for _, i := range r.in.deltas {
		if entries[i].typ == plumbing.OFSDeltaObject {
			r.offsets = append(r.offsets, i)
		} else {
			r.hashes[entries[i].baseHash] = append(r.hashes[entries[i].baseHash], i)
		}
	}
	r.byHash = len(r.hashes) > 0
	slices.SortFunc(r.offsets, func(a, b int32) int {
		return cmp.Compare(entries[a].baseOffset, entries[b].baseOffset)
	})
}

// children takes the deltas of entry i out of the index. REF deltas are taken
// only once, should the pack hold their base twice.
func (r *resolver) children(i int32) []int32 {
	e := &r.in.entries[i]
	low := sort.Search(len(r.offsets), func(k int) bool { return r.in.entries[r.offsets[k]].baseOffset >= e.offset })
	high := low
	for high < len(r.offsets) && r.in.entries[r.offsets[high]].baseOffset == e.offset {
		high++
	}
	kids := r.offsets[low:high:high]
	if r.byHash {
		r.in.mu.Lock()
		defer r.in.mu.Unlock()
		if byHash := r.hashes[e.hash]; len(byHash) > 0 {
			delete(r.hashes, e.hash)
			kids = append(kids, byHash...)
		}
	}
	return kids
}

func (r *resolver) run(ctx context.Context) error {
	if len(r.in.deltas) == 0 {
		return nil
	}
	// Entries change while roots are looked for, so note which are whole now.
	isDelta := make([]bool, len(r.in.entries))
	for _, i := range r.in.deltas {
		isDelta[i] = true
	}
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() error {
			for {
				i := next.Add(1) - 1
				if i >= int64(len(isDelta)) {
					return nil
				}
				if isDelta[i] {
					continue
				}
				if err := r.tree(ctx, int32(i)); err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}

// heldBytes bounds what one goroutine keeps of bases that it will need again;
// beyond it they are rebuilt.
const heldBytes = 64 << 20

// frame is one object on the way from a root to a delta.
type frame struct {
	entry int32
	data  []byte // nil: given up, rebuild it
	kids  []int32
}

// tree rebuilds all that is made from one whole object. A few bytes of deltas may
// ask for hours of work, so it looks at ctx before each one.
func (r *resolver) tree(ctx context.Context, root int32) error {
	kids := r.children(root)
	if len(kids) == 0 {
		return nil
	}
	typ := r.in.entries[root].typ
	stack := []frame{{entry: root, kids: kids}}
	var held int64
	for len(stack) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		top := &stack[len(stack)-1]
		if len(top.kids) == 0 {
			held -= int64(len(top.data))
			stack = stack[:len(stack)-1]
			continue
		}
		if top.data == nil {
			if err := r.rebuild(stack); err != nil {
				return err
			}
			held += int64(len(top.data))
		}
		kid := top.kids[0]
		top.kids = top.kids[1:]
		base := top.data
		if len(top.kids) == 0 {
			held -= int64(len(top.data))
			top.data = nil
		}
		data, err := r.patch(base, kid, typ)
		if err != nil {
			return err
		}
		if err := r.settle(kid, typ, data); err != nil {
			return err
		}
		if kids := r.children(kid); len(kids) > 0 {
			if len(stack) > maxDeltaChain {
				return corrupt("a chain of more than %d deltas", maxDeltaChain)
			}
			stack = append(stack, frame{kid, data, kids})
			held += int64(len(data))
		}
		for i := 0; held > heldBytes && i < len(stack)-1; i++ {
			held -= int64(len(stack[i].data))
			stack[i].data = nil
		}
	}
	return nil
}

// rebuild makes the top frame's data again from the nearest one that is there.
func (r *resolver) rebuild(stack []frame) error {
	from := len(stack) - 1
	for from > 0 && stack[from].data == nil {
		from--
	}
	data := stack[from].data
	if data == nil {
		var err error
		if data, err = r.stored(stack[0].entry); err != nil {
			return err
		}
	}
	for _, f := range stack[from+1:] {
		var err error
		if data, err = r.patch(data, f.entry, r.in.entries[f.entry].typ); err != nil {
			return err
		}
	}
	stack[len(stack)-1].data = data
	return nil
}

// stored inflates what the pack holds for an entry, a delta for a delta.
func (r *resolver) stored(i int32) ([]byte, error) {
	offset := r.in.entries[i].offset
	h, err := readEntryHeader(r.in.file, offset)
	if err != nil {
		return nil, err
	}
	return inflate(r.in.file, offset+h.length, h.size)
}

func (r *resolver) patch(base []byte, i int32, typ plumbing.ObjectType) ([]byte, error) {
	delta, err := r.stored(i)
	if err != nil {
		return nil, err
	}
	_, size, err := deltaSizes(delta)
	if err != nil {
		return nil, err
	}
	if err := r.in.countInflated(size, typ != plumbing.BlobObject); err != nil {
		return nil, err
	}
	return applyDelta(base, delta, r.in.limits.ObjectBytes)
}

// settle records what a delta turned out to be.
func (r *resolver) settle(i int32, typ plumbing.ObjectType, data []byte) error {
	e := &r.in.entries[i]
	if !e.hash.IsZero() {
		return corrupt("object at %d is its own base", e.offset)
	}
	e.hash = plumbing.ComputeHash(typ, data)
	e.typ, e.size = typ, int64(len(data))
	atomic.AddInt64(&r.pending, -1)
	return r.in.examine(e.hash, typ, data)
}

// examine checks an object's form and notes what it names.
func (in *Incoming) examine(h plumbing.Hash, typ plumbing.ObjectType, data []byte) error {
	var links []Link
	var err error
	switch typ {
	case plumbing.TreeObject:
		links, err = checkTree(data, nil)
	case plumbing.CommitObject:
		var c Commit
		if c, err = ParseCommit(data); err != nil {
			break
		}
		links = append(links, Link{c.Tree, plumbing.TreeObject})
		if in.shallow[h] {
			in.mu.Lock()
			in.cut[h] = c.Parents
			in.mu.Unlock()
			break
		}
		for _, parent := range c.Parents {
			links = append(links, Link{parent, plumbing.CommitObject})
		}
	case plumbing.TagObject:
		var target Link
		if target, err = ParseTag(data); err == nil {
			links = append(links, target)
			in.mu.Lock()
			in.tags[h] = target
			in.mu.Unlock()
		}
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", typ, h, err)
	}
	return in.note(h, links)
}

func (in *Incoming) note(from plumbing.Hash, links []Link) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, l := range links {
		known, ok := in.links[l.Hash]
		if !ok {
			in.links[l.Hash] = l.Type
		} else if known != l.Type {
			return corrupt("%s takes %s for a %s, another object for a %s", from, l.Hash, l.Type, known)
		}
	}
	return nil
}

func (in *Incoming) sortEntries() {
	in.sorted = make([]int32, len(in.entries))
	for i := range in.sorted {
		in.sorted[i] = int32(i)
	}
	slices.SortFunc(in.sorted, func(a, b int32) int {
		return bytes.Compare(in.entries[a].hash[:], in.entries[b].hash[:])
	})
}

func (in *Incoming) find(h plumbing.Hash) *entry {
	i, ok := slices.BinarySearchFunc(in.sorted, h, func(i int32, h plumbing.Hash) int {
		return bytes.Compare(in.entries[i].hash[:], h[:])
	})
	if !ok {
		return nil
	}
	return &in.entries[in.sorted[i]]
}

func (in *Incoming) connected(store *Store) error {
	for h, want := range in.links {
		typ, err := in.TypeOf(store, h)
		if errors.Is(err, ErrNotFound) {
			return &MissingError{h, want}
		}
		if err != nil {
			return err
		}
		if typ != want {
			return corrupt("%s is a %s, not a %s", h, typ, want)
		}
	}
	return nil
}

// TypeOf looks an object up in the resolved pack and in store.
// Errors: ErrNotFound.
func (in *Incoming) TypeOf(store *Store, h plumbing.Hash) (plumbing.ObjectType, error) {
	if in != nil {
		if e := in.find(h); e != nil {
			return e.typ, nil
		}
	}
	typ, _, err := store.Header(h)
	return typ, err
}

// Peel follows tags in the resolved pack and in store. Errors: ErrNotFound.
func (in *Incoming) Peel(store *Store, h plumbing.Hash) (Link, error) {
	if in != nil {
		for range maxTagChain {
			target, ok := in.tags[h]
			if !ok {
				break
			}
			h = target.Hash
		}
		if e := in.find(h); e != nil {
			return Link{h, e.typ}, nil
		}
	}
	return store.Peel(h)
}

const maxTagChain = 10

// Peel follows tags to what they mean in the end. Errors: ErrNotFound.
func (s *Store) Peel(h plumbing.Hash) (Link, error) {
	for range maxTagChain {
		typ, _, err := s.Header(h)
		if err != nil || typ != plumbing.TagObject {
			return Link{h, typ}, err
		}
		data, err := s.GetTyped(h, plumbing.TagObject)
		if err != nil {
			return Link{}, err
		}
		target, err := ParseTag(data)
		if err != nil {
			return Link{}, err
		}
		h = target.Hash
	}
	return Link{}, corrupt("more than %d tags in a row", maxTagChain)
}

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
