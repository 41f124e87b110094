package objects

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/go-git/go-git/v5/plumbing"
	"golang.org/x/sync/errgroup"
)

// Resolve rebuilds every delta, checks every object's form and then that
// everything the objects name is in the pack or in store. A store that took in
// only packs which passed is thus always complete, so nothing older has to be
// walked. Errors: ErrCorrupt, *LimitError, *MissingError.
func (in *Incoming) Resolve(ctx context.Context, store *Store) error {
	if in.entries.n >= frugalFrom {
		defer store.shared.budget.beFrugal()()
	}
	var writing errgroup.Group
	// Install wants it on disk, and the disk is idle now.
	writing.Go(in.file.Sync)
	err := in.resolve(ctx, store)
	if syncErr := writing.Wait(); err == nil {
		err = syncErr
	}
	return err
}

func (in *Incoming) resolve(ctx context.Context, store *Store) error {
	r := &resolver{in: in, budget: store.shared.budget, pending: int64(in.deltas), byHash: len(in.refKids) > 0, sent: int32(in.entries.n)}
	in.table = newEntryTable(&in.entries, len(in.refKids))
	for i := range int32(in.entries.n) {
		if in.entries.at(i).delta {
			continue
		}
		if err := in.table.add(i); err != nil {
			return err
		}
	}
	// What is named comes before what names it, so that most links are checked as
	// they are read and need not be kept.
	for _, typ := range []plumbing.ObjectType{plumbing.BlobObject, plumbing.TreeObject, plumbing.CommitObject, plumbing.TagObject} {
		if err := r.run(ctx, typ); err != nil {
			return err
		}
	}
	if err := r.complete(ctx, store); err != nil {
		return err
	}
	in.refKids = nil
	if left := atomic.LoadInt64(&r.pending); left > 0 {
		return corrupt("%d deltas have no base, neither in the pack nor in the repository", left)
	}
	return in.Connected(store)
}

// resolver rebuilds deltas from their bases downwards, one tree of deltas a goroutine.
type resolver struct {
	in      *Incoming
	budget  *Budget
	byHash  bool       // there are bases that are named by their hashes
	mu      sync.Mutex // guards in.refKids
	pending int64      // deltas not rebuilt yet
	sent    int32      // entries that were sent; those behind them are the store's, and good
}

// run resolves the objects of one type.
func (r *resolver) run(ctx context.Context, typ plumbing.ObjectType) error {
	var next atomic.Int64
	next.Store(int64(r.in.entries.n))
	group, ctx := errgroup.WithContext(ctx)
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() error {
			w := newWorker(r)
			// Backwards, as git sends a directory before those in it, and new commits
			// before old ones.
			for i := next.Add(-1); i >= 0; i = next.Add(-1) {
				if e := r.in.entries.at(int32(i)); e.delta || e.typ != typ {
					continue
				}
				if err := w.tree(ctx, int32(i)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// kids returns the first delta of an entry whose hash is known. Those that name
// their base by hash are taken only once, should the pack hold it twice.
func (r *resolver) kids(e *entry) int32 {
	if !r.byHash {
		return e.kid
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	first, ok := r.in.refKids[e.hash]
	if !ok {
		return e.kid
	}
	delete(r.in.refKids, e.hash)
	if e.kid == noEntry {
		return first
	}
	last := r.in.entries.at(e.kid)
	for last.next != noEntry {
		last = r.in.entries.at(last.next)
	}
	last.next = first
	return e.kid
}

// heldBytes bounds what one goroutine keeps of bases that it will need again;
// beyond it they are rebuilt.
const heldBytes = 16 << 20

// frame is one object on the way from a root to a delta.
type frame struct {
	entry int32
	kid   int32  // the next delta to rebuild from it
	data  []byte // nil: given up, rebuild it
}

// tree checks a whole object and rebuilds all that is made from it. A few bytes of
// deltas may ask for hours of work, so it looks at ctx before each one.
func (w *worker) tree(ctx context.Context, root int32) error {
	e := w.resolver.in.entries.at(root)
	typ, kids := e.typ, w.resolver.kids(e)
	if kids == noEntry && typ == plumbing.BlobObject {
		return nil
	}
	defer w.endTurn()
	data, err := w.stored(ctx, root, w.take(maxSpare))
	if err != nil {
		return err
	}
	if root < w.resolver.sent {
		if err := w.examine(e.hash, typ, data); err != nil {
			return err
		}
	}
	stack := append(w.stack[:0], frame{root, kids, data})
	held := int64(len(data))
	for len(stack) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		top := &stack[len(stack)-1]
		if top.kid == noEntry {
			held -= int64(len(top.data))
			w.giveBack(top.data)
			*top = frame{}
			stack = stack[:len(stack)-1]
			continue
		}
		if top.data == nil {
			if err := w.rebuild(ctx, stack); err != nil {
				return err
			}
			held += int64(len(top.data))
		}
		kid := top.kid
		top.kid = w.resolver.in.entries.at(kid).next
		data, err := w.patch(ctx, top.data, kid, typ)
		if err != nil {
			return err
		}
		if top.kid == noEntry {
			held -= int64(len(top.data))
			w.giveBack(top.data)
			top.data = nil
		}
		if err := w.resolved(kid, typ, data); err != nil {
			return err
		}
		kids := w.resolver.kids(w.resolver.in.entries.at(kid))
		if kids == noEntry {
			w.giveBack(data)
			continue
		}
		if len(stack) > maxDeltaChain {
			return corrupt("a chain of more than %d deltas", maxDeltaChain)
		}
		stack = append(stack, frame{kid, kids, data})
		held += int64(len(data))
		for i := 0; held > heldBytes && i < len(stack)-1; i++ {
			held -= int64(len(stack[i].data))
			stack[i].data = nil
		}
	}
	w.stack = stack
	return nil
}

// rebuild makes the top frame's data again from the nearest one that is there.
func (w *worker) rebuild(ctx context.Context, stack []frame) error {
	from := len(stack) - 1
	for from > 0 && stack[from].data == nil {
		from--
	}
	data := stack[from].data
	if data == nil {
		var err error
		if data, err = w.stored(ctx, stack[0].entry, nil); err != nil {
			return err
		}
	}
	for i, f := range stack[from+1:] {
		made, err := w.patch(ctx, data, f.entry, w.resolver.in.entries.at(f.entry).typ)
		if err != nil {
			return err
		}
		if i > 0 {
			w.giveBack(data)
		}
		data = made
	}
	stack[len(stack)-1].data = data
	return nil
}

// shortestDelta is git's own bound, in bytes.
const shortestDelta = 4

// patch makes an object from its base and a delta. The caller owns it.
func (w *worker) patch(ctx context.Context, base []byte, i int32, typ plumbing.ObjectType) ([]byte, error) {
	delta, err := w.stored(ctx, i, w.delta)
	if err != nil {
		return nil, err
	}
	if cap(delta) <= maxSpare {
		w.delta = delta
	}
	if len(delta) < shortestDelta {
		return nil, corrupt("a delta of %d bytes", len(delta)) // which git does not read
	}
	_, size, _, err := deltaSizes(delta)
	if err != nil {
		return nil, err
	}
	if err := w.resolver.in.countInflated(size, typ != plumbing.BlobObject); err != nil {
		return nil, err
	}
	if limit := w.resolver.in.limits.ObjectBytes; limit > 0 && size > limit {
		return nil, &LimitError{"object", limit}
	}
	if err := w.awaitTurn(ctx, size); err != nil {
		return nil, err
	}
	return applyDelta(w.take(size), base, delta)
}

// resolved records what a delta turned out to be.
func (w *worker) resolved(i int32, typ plumbing.ObjectType, data []byte) error {
	e := w.resolver.in.entries.at(i)
	w.hasher.begin(typ, int64(len(data)))
	_, _ = w.hasher.Write(data) // it never fails
	e.hash, e.typ = w.hasher.name(), typ
	if err := w.resolver.in.table.add(i); err != nil {
		return err
	}
	atomic.AddInt64(&w.resolver.pending, -1)
	return w.examine(e.hash, typ, data)
}
