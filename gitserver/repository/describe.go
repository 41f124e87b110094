package repository

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/refs"
)

const (
	// maxDescribed bounds how many commits are looked at for the nearest tag.
	maxDescribed = 100_000
	// maxCandidates is of how many tags the nearest is searched, as git has it.
	maxCandidates = 10
)

// knownTag is a tag of a commit.
type knownTag struct {
	name      string
	object    plumbing.Hash // the tag object of an annotated tag, else the commit
	annotated bool
	at        int64 // the tagger's time
}

// tagsFor returns the tags of each commit that a checkout may tell of. Tags that Fandogh made for commits of branches
// are none, and of the commit itself there is only what it is built for: another push of the same commit changes nothing.
func (r *Repository) tagsFor(commit plumbing.Hash, as catalog.CheckedOut) (map[plumbing.Hash][]knownTag, error) {
	tags := map[plumbing.Hash][]knownTag{}
	err := refs.Each(r.Refs, "refs/tags/", func(f refs.Ref) error {
		tagged, ok, err := r.commitOf(f.Hash)
		if !ok || err != nil {
			return err
		}
		tag := knownTag{name: strings.TrimPrefix(f.Name, "refs/tags/"), object: f.Hash, annotated: tagged != f.Hash}
		if !tag.annotated && catalog.IsBranchVersion(tag.name, tagged.String()) || tagged == commit && as.Branch == "" && tag.name != as.Tag {
			return nil
		}
		if tag.annotated {
			data, err := r.Objects.GetTyped(f.Hash, plumbing.TagObject)
			if err != nil {
				return err
			}
			tag.at = taggedAt(data)
		}
		tags[tagged] = append(tags[tagged], tag)
		return nil
	})
	for _, of := range tags {
		slices.SortStableFunc(of, func(a, b knownTag) int {
			if a.annotated != b.annotated {
				if a.annotated {
					return -1
				}
				return 1
			}
			return cmp.Compare(b.at, a.at)
		})
	}
	return tags, err
}

// taggedAt returns when a tag was made.
func taggedAt(data []byte) int64 {
	header, _, _ := strings.Cut(string(data), "\n\n")
	for line := range strings.Lines(header) {
		if strings.HasPrefix(line, "tagger ") {
			return objects.LineTime([]byte(line))
		}
	}
	return 0
}

// Describe implements catalog.Tree.
func (t *tree) Describe(ctx context.Context, as catalog.CheckedOut) (string, error) {
	tags, err := t.repo.tagsFor(t.commit, as)
	if err != nil {
		return "", err
	}
	shortly := catalog.ShortCommit(t.commit.String())
	if own := tags[t.commit]; len(own) > 0 {
		return own[0].name, nil
	}
	if len(tags) == 0 {
		return shortly, nil
	}
	w, err := newDescriber(ctx, t.repo, tags)
	if err != nil {
		return "", err
	}
	nearest, err := w.nearest(t.commit)
	if nearest == nil || err != nil {
		return shortly, err
	}
	return fmt.Sprintf("%s-%d-g%s", nearest.name, nearest.depth, shortly), nil
}

// describer walks history from a commit on, the newest commits first, as git describe does.
type describer struct {
	ctx   context.Context
	repo  *Repository
	tags  map[plumbing.Hash][]knownTag
	ends  map[plumbing.Hash]bool // whose parents are not here
	queue commitQueue
	seen  map[plumbing.Hash]*queuedCommit
	found []*candidate
}

// candidate is a tag that was met.
type candidate struct {
	name  string
	depth int    // commits that it does not lead to
	flag  uint16 // marks those it does
}

func newDescriber(ctx context.Context, repo *Repository, tags map[plumbing.Hash][]knownTag) (*describer, error) {
	shallow, err := repo.Shallow()
	w := &describer{ctx: ctx, repo: repo, tags: tags, ends: map[plumbing.Hash]bool{}, seen: map[plumbing.Hash]*queuedCommit{}}
	for _, end := range shallow {
		w.ends[end] = true
	}
	return w, err
}

// nearest returns the tag to which fewest commits do not belong; nil where none is, or the history is too long.
func (w *describer) nearest(from plumbing.Hash) (*candidate, error) {
	if err := w.push(from, 0); err != nil {
		return nil, err
	}
	walked := 0
	for len(w.queue) > 0 && len(w.found) < min(maxCandidates, len(w.tags)) {
		next := heap.Pop(&w.queue).(*queuedCommit)
		if walked++; walked > maxDescribed {
			return nil, nil
		}
		w.meet(next, walked)
		w.count(next.flags)
		if err := w.follow(next); err != nil {
			return nil, err
		}
	}
	if len(w.found) == 0 {
		return nil, nil
	}
	best := slices.MinFunc(w.found, func(a, b *candidate) int { return cmp.Compare(a.depth, b.depth) })
	return w.finish(best, walked)
}

// meet makes a candidate of a commit with a tag.
func (w *describer) meet(c *queuedCommit, walked int) {
	tags := w.tags[c.hash]
	if len(tags) == 0 {
		return
	}
	one := &candidate{name: tags[0].name, depth: walked - 1, flag: 1 << len(w.found)}
	w.found = append(w.found, one)
	c.flags |= one.flag
}

// count adds a commit to the depth of the candidates that do not lead to it.
func (w *describer) count(flags uint16) {
	for _, one := range w.found {
		if flags&one.flag == 0 {
			one.depth++
		}
	}
}

// finish counts what the walk has left for the best candidate.
func (w *describer) finish(best *candidate, walked int) (*candidate, error) {
	for len(w.queue) > 0 {
		next := heap.Pop(&w.queue).(*queuedCommit)
		if walked++; walked > maxDescribed {
			return nil, nil
		}
		if next.flags&best.flag == 0 {
			best.depth++
		} else if !slices.ContainsFunc(w.queue, func(c *queuedCommit) bool { return c.flags&best.flag == 0 }) {
			break // all that is left belongs to it
		}
		if err := w.follow(next); err != nil {
			return nil, err
		}
	}
	return best, nil
}

// follow queues a commit's parents.
func (w *describer) follow(c *queuedCommit) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if w.ends[c.hash] {
		return nil
	}
	for _, parent := range c.parents {
		if err := w.push(parent, c.flags); err != nil {
			return err
		}
	}
	return nil
}

func (w *describer) push(h plumbing.Hash, flags uint16) error {
	if known, ok := w.seen[h]; ok {
		known.flags |= flags
		return nil
	}
	c, err := w.repo.Commit(h)
	if err != nil {
		return err
	}
	q := &queuedCommit{hash: h, parents: c.Parents, at: c.Time, flags: flags, order: len(w.seen)}
	w.seen[h] = q
	heap.Push(&w.queue, q)
	return nil
}

type queuedCommit struct {
	hash    plumbing.Hash
	parents []plumbing.Hash
	at      int64
	flags   uint16
	order   int // equal times go in the order they were met
}

// commitQueue is a heap of commits, the newest first.
type commitQueue []*queuedCommit

func (q commitQueue) Len() int { return len(q) }
func (q commitQueue) Less(i, j int) bool {
	if q[i].at != q[j].at {
		return q[i].at > q[j].at
	}
	return q[i].order < q[j].order
}
func (q commitQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *commitQueue) Push(c any)   { *q = append(*q, c.(*queuedCommit)) }
func (q *commitQueue) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}
