package repository

import (
	"bytes"
	"container/heap"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

var _ catalog.Histories = (*Repositories)(nil)

const (
	// maxWalked bounds how many commits are looked at for those since another.
	maxWalked = 10_000
	// maxSubject bounds what is told of an author and of a message's first line, in bytes.
	maxSubject = 300
)

// CommitsSince implements catalog.Histories.
func (r *Repositories) CommitsSince(ctx context.Context, ref catalog.ImageRef, since, until string, limit int) (commits []catalog.CommitInfo, more bool, err error) {
	repo, err := r.Open(ref)
	if err != nil {
		return nil, false, err
	}
	defer objects.Discard(repo)
	walk, err := newDescriber(ctx, repo, nil)
	if err != nil {
		return nil, false, err
	}
	found, more, err := walk.since(plumbing.NewHash(since), plumbing.NewHash(until), limit)
	if err != nil {
		return nil, false, err
	}
	for _, h := range found {
		info, err := repo.commitInfo(h)
		if err != nil {
			return nil, false, err
		}
		commits = append(commits, info)
	}
	return commits, more, nil
}

// ofOlder marks what the older commit leads to.
const ofOlder = 1

// since returns the commits that one leads to and another does not, the newest first, at most limit of them. Where clocks went wrong
// there may be some that both lead to, as git has it.
func (w *describer) since(older, newer plumbing.Hash, limit int) (found []plumbing.Hash, more bool, err error) {
	if err := w.push(newer, 0); err != nil {
		return nil, false, err
	}
	if err := w.push(older, ofOlder); err != nil {
		return nil, false, err
	}
	var all []*queuedCommit
	for walked := 0; slices.ContainsFunc(w.queue, func(c *queuedCommit) bool { return c.flags&ofOlder == 0 }); walked++ {
		next := heap.Pop(&w.queue).(*queuedCommit)
		if walked == maxWalked || len(all) == limit && next.flags&ofOlder == 0 {
			more = true
			break
		}
		if next.flags&ofOlder == 0 {
			all = append(all, next)
		}
		if err := w.follow(next); err != nil {
			return nil, false, err
		}
	}
	for _, c := range all {
		if c.flags&ofOlder == 0 {
			found = append(found, c.hash)
		}
	}
	return found, more, nil
}

func (r *Repository) commitInfo(h plumbing.Hash) (info catalog.CommitInfo, err error) {
	data, err := r.Objects.GetTyped(h, plumbing.CommitObject)
	if err != nil {
		return info, err
	}
	header, message, _ := bytes.Cut(data, []byte("\n\n"))
	info.ID = h.String()
	for line := range bytes.Lines(header) {
		if who, ok := bytes.CutPrefix(line, []byte("author ")); ok {
			name, _, _ := bytes.Cut(who, []byte(" <"))
			info.Author = cut(name)
		}
		if bytes.HasPrefix(line, []byte("committer ")) {
			info.Time = time.Unix(objects.LineTime(line), 0).UTC()
		}
	}
	subject, _, _ := bytes.Cut(bytes.TrimLeft(message, "\n"), []byte("\n"))
	info.Subject = cut(subject)
	return info, nil
}

func cut(text []byte) string {
	return strings.TrimSpace(strings.ToValidUTF8(string(text[:min(len(text), maxSubject)]), "\uFFFD"))
}
