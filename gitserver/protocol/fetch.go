package protocol

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/packets"
	"github.com/fandoghpaas/fandogh/gitserver/repository"
)

// fetch answers one request.
type fetch struct {
	session      *fetchSession
	request      *fetchRequest
	history      *history
	refs         []offered
	starts       []int32 // commits to send from
	haves        []int32 // commits that both have
	bases        []int32 // further commits of which the client has all files
	unmet        []int32 // wanted commits of which no haves were met yet
	checkedHaves int     // len(haves) when unmet was found
}

// begin checks what a client wants.
func (s *fetchSession) begin(q *fetchRequest) (*fetch, error) {
	if err := s.allowed(s.ctx); err != nil {
		return nil, err
	}
	if err := q.checkDepth(); err != nil {
		return nil, err
	}
	f := &fetch{session: s, request: q, checkedHaves: -1}
	var err error
	if f.history, err = newHistory(s.ctx, s.repo); err != nil {
		return nil, err
	}
	if f.refs, err = s.offers(); err != nil {
		return nil, err
	}
	var doubtful []int32
	for _, h := range q.wants.All() {
		target, err := s.repo.Objects.Peel(h)
		if errors.Is(err, objects.ErrNotFound) {
			return nil, notOurs(h)
		}
		if errors.Is(err, objects.ErrTagChain) {
			return nil, repository.TooManyTags(h.String())
		}
		if err != nil {
			return nil, err
		}
		if target.Type != plumbing.CommitObject {
			continue
		}
		i := f.history.number(target.Hash)
		f.starts = append(f.starts, i)
		if !s.shown[h] {
			doubtful = append(doubtful, i)
		}
	}
	f.unmet = slices.Clone(f.starts)
	return f, f.checkReachable(doubtful)
}

func notOurs(h plumbing.Hash) error {
	return catalog.Errorf(catalog.NotFound, "not our ref %s; fetch again, the refs may have changed", h)
}

// checkReachable refuses commits that no ref leads to. Files and trees may be had
// by any client that knows their names, as in git.
func (f *fetch) checkReachable(commits []int32) error {
	missed, err := f.unreached(commits)
	if err == nil && len(missed) > 0 {
		err = notOurs(f.history.hash(missed[0]))
	}
	return err
}

// unreached returns those of commits that no ref leads to.
func (f *fetch) unreached(commits []int32) ([]int32, error) {
	if len(commits) == 0 {
		return nil, nil
	}
	var tips []int32
	for _, o := range f.refs {
		typ, _, err := f.session.repo.Objects.Header(o.peeled)
		if err != nil {
			return nil, err
		}
		if typ == plumbing.CommitObject {
			tips = append(tips, f.history.number(o.peeled))
		}
	}
	return f.history.unreached(tips, commits)
}

// have takes what the client says it has, and reports whether it is here too.
func (f *fetch) have(h plumbing.Hash) (bool, error) {
	typ, _, err := f.session.repo.Objects.Header(h)
	if errors.Is(err, objects.ErrNotFound) {
		return false, nil
	}
	if err == nil && typ == plumbing.CommitObject && len(f.haves) < packets.MaxRequest/50 {
		f.haves = append(f.haves, f.history.number(h))
	}
	return err == nil, err
}

// enough reports whether each wanted commit follows on one that both have, so that
// no more need be asked.
func (f *fetch) enough() (bool, error) {
	if len(f.haves) == 0 {
		return false, nil
	}
	if len(f.haves) == f.checkedHaves {
		return len(f.unmet) == 0, nil
	}
	f.checkedHaves = len(f.haves)
	var common marks
	oldest := int64(1<<63 - 1)
	for _, i := range f.haves {
		common.set(i, markSeen)
		c, err := f.history.commit(i)
		if err != nil {
			return false, err
		}
		oldest = min(oldest, c.time)
	}
	left := f.unmet[:0]
	for k, i := range f.unmet {
		met := false
		err := f.history.walk([]int32{i}, oldest, func(i int32) bool {
			met = common.has(i, markSeen)
			return met
		})
		if err != nil {
			return false, err
		}
		if !met {
			f.unmet = append(left, f.unmet[k:]...)
			return false, nil
		}
	}
	f.unmet = left
	return true, nil
}

// send sends the pack. From here on the client reads a sideband, if it knows
// that, and is shown there what goes wrong.
func (f *fetch) send() error {
	if err := f.session.w.Flush(); err != nil {
		return err
	}
	b := newSideband(f.session.raw, f.request.can)
	stop := b.keepAlive(f.session.keepAlive)
	err := f.sendPack(b)
	stop()
	if err != nil {
		if f.session.ctx.Err() != nil {
			err = goingDown(err)
		}
		return b.fatal(err)
	}
	return b.end()
}

func (f *fetch) sendPack(b *sidebandWriter) error {
	if err := f.session.allowed(f.session.ctx); err != nil {
		return err
	}
	words := progress{b}
	quiet := f.request.asked("no-progress")
	last := time.Now()
	tick := func(n int) {
		if now := time.Now(); !quiet && now.Sub(last) > progressEvery {
			fmt.Fprintf(words, "Enumerating objects: %d\r", n)
			last = now
		}
	}
	s, err := f.choose(tick)
	if err != nil {
		return err
	}
	if !quiet {
		n := len(s.sent)
		fmt.Fprintf(words, "Enumerating objects: %d, done.\nCounting objects: 100%% (%[1]d/%[1]d), done.\n", n)
	}
	options := objects.PackOptions{OffsetDeltas: f.request.asked("ofs-delta")}
	if s.near != nil {
		options.Has, options.Near = s.has, s.near
	}
	return f.session.repo.Objects.WritePack(f.session.ctx, b, s.sent, options)
}

// progressEvery is how often a person is shown how far it is.
const progressEvery = time.Second

// choose finds the objects that the client lacks.
func (f *fetch) choose(tick func(int)) (*selection, error) {
	commits, edge, err := f.history.between(f.starts, f.haves, 0)
	if err != nil {
		return nil, err
	}
	s := newSelection(f.session.ctx, f.session.repo, f.request.filter, tick)
	// A client that left objects out may lack what deltas would be made on.
	if f.request.asked("thin-pack") && !f.request.filter.active() {
		s.near = map[plumbing.Hash]plumbing.Hash{}
	}
	for _, i := range commits {
		s.send(f.history.hash(i))
	}
	if err := f.addTags(s); err != nil {
		return nil, err
	}
	if f.request.filter.maxDepth == 0 {
		return s, nil
	}
	for _, i := range slices.Concat(edge, f.bases, f.haves[:min(len(f.haves), maxBases)]) {
		c, err := f.history.commit(i)
		if err != nil {
			return nil, err
		}
		s.knowTree(c.tree)
	}
	for _, i := range commits {
		c, err := f.history.commit(i)
		if err == nil {
			err = s.tree(c.tree)
		}
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

// addTags takes wanted objects that are no commits, and with include-tag the
// annotated tags of what is sent.
func (f *fetch) addTags(s *selection) error {
	for _, h := range f.request.wants.All() {
		if err := s.wanted(h); err != nil {
			return err
		}
	}
	if !f.request.asked("include-tag") {
		return nil
	}
	for _, o := range f.refs {
		if o.peeled != o.object && s.sends(o.peeled) {
			if err := s.wanted(o.object); err != nil {
				return err
			}
		}
	}
	return nil
}
