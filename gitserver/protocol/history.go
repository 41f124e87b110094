package protocol

import (
	"container/heap"
	"context"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/repository"
)

// history walks commits. They have numbers, as there may be millions.
type history struct {
	ctx     context.Context
	repo    *repository.Repository
	grafts  hashSet // commits whose parents this repository lacks
	names   objects.Hashes
	commits []commitNode // by number
}

type commitNode struct {
	tree    plumbing.Hash
	time    int64
	parents []int32
	read    bool
	cut     bool // the walk ends here, though there are parents
}

type hashSet map[plumbing.Hash]bool

func setOf(hashes []plumbing.Hash) hashSet {
	set := hashSet{}
	for _, h := range hashes {
		set[h] = true
	}
	return set
}

func newHistory(ctx context.Context, repo *repository.Repository) (*history, error) {
	shallow, err := repo.Shallow()
	return &history{ctx: ctx, repo: repo, grafts: setOf(shallow)}, err
}

// number names a commit, which is not read yet.
func (h *history) number(hash plumbing.Hash) int32 {
	i, added := h.names.Add(hash)
	if added {
		h.commits = append(h.commits, commitNode{})
	}
	return int32(i) //nolint:gosec // commits are fewer
}

func (h *history) hash(i int32) plumbing.Hash { return h.names.All()[i] }

// commit reads a commit; one at the end of this repository's history has no
// parents. What it returns is good until the next call.
func (h *history) commit(i int32) (*commitNode, error) {
	if h.commits[i].read {
		return &h.commits[i], nil
	}
	if err := h.ctx.Err(); err != nil {
		return nil, err
	}
	hash := h.hash(i)
	c, err := h.repo.Commit(hash)
	if err != nil {
		return nil, err
	}
	var parents []int32
	if !h.grafts[hash] {
		for _, p := range c.Parents {
			parents = append(parents, h.number(p))
		}
	}
	n := &h.commits[i]
	n.tree, n.time, n.parents, n.read = c.Tree, c.Time, parents, true
	return n, nil
}

// parents are those that a walk follows.
func (h *history) parents(i int32) ([]int32, error) {
	c, err := h.commit(i)
	if err != nil || c.cut {
		return nil, err
	}
	return c.parents, nil
}

// byTime holds commits, the newest first; of equal ones the one that came first.
type byTime struct {
	g     *history
	queue []queued
	n     int
}

type queued struct {
	time   int64
	order  int
	commit int32
}

func (b *byTime) Len() int { return len(b.queue) }
func (b *byTime) Less(i, j int) bool {
	left, right := &b.queue[i], &b.queue[j]
	return left.time > right.time || left.time == right.time && left.order < right.order
}
func (b *byTime) Swap(i, j int) { b.queue[i], b.queue[j] = b.queue[j], b.queue[i] }
func (b *byTime) Push(x any)    { b.queue = append(b.queue, x.(queued)) }
func (b *byTime) Pop() any {
	last := b.queue[len(b.queue)-1]
	b.queue = b.queue[:len(b.queue)-1]
	return last
}

func (b *byTime) add(i int32) error {
	c, err := b.g.commit(i)
	if err != nil {
		return err
	}
	b.n++
	heap.Push(b, queued{c.time, b.n, i})
	return nil
}

// first is the time of the next commit.
func (b *byTime) first() int64 { return b.queue[0].time }

func (b *byTime) next() int32 { return heap.Pop(b).(queued).commit }

// marks are bits of commits, by number.
type marks []uint8

func (m marks) has(i int32, bit uint8) bool { return int(i) < len(m) && m[i]&bit != 0 }

// set reports whether the bit is new.
func (m *marks) set(i int32, bit uint8) bool {
	if int(i) >= len(*m) {
		*m = append(*m, make([]uint8, int(i)+1-len(*m)+len(*m)/2)...)
	}
	old := (*m)[i]
	(*m)[i] |= bit
	return old&bit == 0
}

const (
	markSeen   = 1 << iota
	markQueued // not looked at yet
	markTheirs // the other side has it, or must not get it
	markEdge
)

// slop is how many commits git looks at after it seems to be done, as clocks
// differ.
const slop = 5

// painting finds what one side of a history has and the other has not, as git
// does: from the newest to the oldest, until only what both have is left.
type painting struct {
	g     *history
	queue byTime
	marks marks
	open  int // queued commits that are not theirs
	// excludes reports that something is theirs: git then counts what is too old, and
	// all behind it, to that, else it only does not look behind it.
	excludes bool
}

// between returns the commits from include on that exclude does not reach and that
// are not older than since, the newest first, and those next to them that
// exclude reaches.
func (h *history) between(include, exclude []int32, since int64) (found, edge []int32, err error) {
	p := &painting{g: h, queue: byTime{g: h}, excludes: len(exclude) > 0}
	for _, i := range exclude {
		if err := p.add(i, true); err != nil {
			return nil, nil, err
		}
	}
	for _, i := range include {
		if err := p.add(i, false); err != nil {
			return nil, nil, err
		}
	}
	left, last := slop, int64(1<<63-1)
	for p.queue.Len() > 0 && left > 0 {
		i := p.queue.next()
		ours, err := p.take(i, since)
		switch {
		case err != nil:
			return nil, nil, err
		case ours:
			found, last = append(found, i), h.commits[i].time
		case p.queue.Len() == 0:
		case last <= p.queue.first() || p.open > 0:
			left = slop
		default:
			left--
		}
	}
	return p.result(found)
}

// take looks at the next commit, and reports whether it is not theirs so far.
func (p *painting) take(i int32, since int64) (ours bool, err error) {
	if p.marks[i] &^= markQueued; !p.marks.has(i, markTheirs) {
		p.open--
	}
	if p.g.commits[i].time < since {
		if !p.excludes {
			return false, nil
		}
		p.marks.set(i, markTheirs)
	}
	theirs := p.marks.has(i, markTheirs)
	parents, err := p.g.parents(i)
	for _, parent := range parents {
		if err == nil {
			err = p.add(parent, theirs)
		}
	}
	return !theirs, err
}

// add queues a commit that was not seen, and paints what is theirs.
func (p *painting) add(i int32, theirs bool) error {
	if theirs {
		p.paint(i)
	}
	if !p.marks.set(i, markSeen) {
		return nil
	}
	if p.marks.set(i, markQueued); !p.marks.has(i, markTheirs) {
		p.open++
	}
	return p.queue.add(i)
}

// paint marks a commit, and what is known of its ancestors, as theirs.
func (p *painting) paint(i int32) {
	for stack := []int32{i}; len(stack) > 0; {
		i, stack = stack[len(stack)-1], stack[:len(stack)-1]
		if !p.marks.set(i, markTheirs) {
			continue
		}
		if p.marks.has(i, markQueued) {
			p.open--
		}
		if c := &p.g.commits[i]; c.read && !c.cut {
			stack = append(stack, c.parents...)
		}
	}
}

func (p *painting) result(found []int32) (ours, edge []int32, err error) {
	for _, i := range found {
		if p.marks.has(i, markTheirs) {
			continue
		}
		ours = append(ours, i)
		parents, err := p.g.parents(i)
		if err != nil {
			return nil, nil, err
		}
		for _, parent := range parents {
			if p.marks.has(parent, markTheirs) && p.marks.set(parent, markEdge) {
				edge = append(edge, parent)
			}
		}
	}
	return ours, edge, nil
}

// boundary returns the commits where a shallow clone ends, and what reports of those that
// are nearer: it ends depth commits away from starts, and where this
// repository's own history ends.
func (h *history) boundary(starts []int32, depth int) (ends []int32, inside func(int32) bool, err error) {
	var seen marks
	level := starts
	for n := 1; len(level) > 0; n++ {
		var next []int32
		for _, i := range level {
			if !seen.set(i, markSeen) {
				continue
			}
			c, err := h.commit(i)
			if err != nil {
				return nil, nil, err
			}
			if h.grafts[h.hash(i)] || n == depth {
				seen.set(i, markEdge)
				ends = append(ends, i)
				continue
			}
			next = append(next, c.parents...)
		}
		level = next
	}
	return ends, seen.inside, nil
}

// inside reports whether a commit was seen and is not at the edge.
func (m marks) inside(i int32) bool { return m.has(i, markSeen) && !m.has(i, markEdge) }

// border returns those of commits that have a parent which is not among them.
func (h *history) border(commits []int32) (ends []int32, inside func(int32) bool, err error) {
	var seen marks
	for _, i := range commits {
		seen.set(i, markSeen)
	}
	for _, i := range commits {
		parents, err := h.parents(i)
		if err != nil {
			return nil, nil, err
		}
		if slices.ContainsFunc(parents, func(p int32) bool { return !seen.has(p, markSeen) }) {
			seen.set(i, markEdge)
			ends = append(ends, i)
		}
	}
	return ends, seen.inside, nil
}

// walk visits commits from starts on, the newest first and none older than since,
// until enough.
func (h *history) walk(starts []int32, since int64, enough func(int32) bool) error {
	var seen marks
	queue := byTime{g: h}
	for next := starts; ; {
		for _, i := range next {
			if !seen.set(i, markSeen) {
				continue
			}
			if err := queue.add(i); err != nil {
				return err
			}
		}
		if queue.Len() == 0 || queue.first() < since {
			return nil
		}
		i := queue.next()
		if enough(i) {
			return nil
		}
		var err error
		if next, err = h.parents(i); err != nil {
			return err
		}
	}
}

// unreached returns those of targets that starts do not lead to.
func (h *history) unreached(starts, targets []int32) (missed []int32, err error) {
	var wanted, met marks
	left := 0
	for _, i := range targets {
		if wanted.set(i, markSeen) {
			left++
		}
	}
	if left == 0 {
		return nil, nil
	}
	err = h.walk(starts, 0, func(i int32) bool {
		if wanted.has(i, markSeen) && met.set(i, markSeen) {
			left--
		}
		return left == 0
	})
	for _, i := range targets {
		if !met.has(i, markSeen) {
			missed = append(missed, i)
		}
	}
	return missed, err
}
