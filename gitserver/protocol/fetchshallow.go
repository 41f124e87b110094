package protocol

import (
	"errors"
	"fmt"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

// deepening reports whether the client asked for less, or more, than all that is
// new.
func (f *fetch) deepening() bool {
	return f.request.depth > 0 || f.request.since > 0 || len(f.request.without) > 0
}

// shallowUpdate notifies the client where its history will end, if that changes.
func (f *fetch) shallowUpdate() (changes bool, err error) {
	clients, err := f.clientsEnds()
	if err != nil {
		return false, err
	}
	if f.deepening() {
		ends, inside, err := f.newEnds(clients)
		if err != nil {
			return true, err
		}
		if err := f.sendEnds(clients, ends, inside); err != nil {
			return true, err
		}
	}
	// Behind its own ends the client has nothing.
	for _, i := range clients {
		f.history.commits[i].cut = true
	}
	return f.deepening(), nil
}

// clientsEnds returns those of the client's ends of history that are known here.
func (f *fetch) clientsEnds() (ends []int32, err error) {
	for _, h := range f.request.shallow.All() {
		typ, _, err := f.session.repo.Objects.Header(h)
		if errors.Is(err, objects.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if typ == plumbing.CommitObject {
			ends = append(ends, f.history.number(h))
		}
	}
	return ends, nil
}

// newEnds returns where the client's history will end, and tells of commits
// before that.
func (f *fetch) newEnds(clients []int32) (ends []int32, inside func(int32) bool, err error) {
	g := f.history
	switch {
	case f.request.depth == allHistory && len(g.grafts) == 0:
		inside, err := f.continued(clients)
		return nil, inside, err
	case f.request.depth > 0 && f.request.asked("deepen-relative"):
		missed, err := f.unreached(clients)
		if err != nil {
			return nil, nil, err
		}
		reached := slices.DeleteFunc(slices.Clone(clients), func(i int32) bool { return slices.Contains(missed, i) })
		return g.boundary(reached, f.request.depth+1)
	case f.request.depth > 0:
		return g.boundary(f.starts, f.request.depth)
	}
	without, err := f.excluded()
	if err != nil {
		return nil, nil, err
	}
	commits, _, err := g.between(f.starts, without, f.request.since)
	if err == nil && len(commits) == 0 {
		err = catalog.Errorf(catalog.Invalid, "no commits are left to send; choose an earlier time or exclude fewer refs")
	}
	if err != nil {
		return nil, nil, err
	}
	return g.border(commits)
}

// continued reports of the client's ends whether what is behind them may be sent. The wants
// need not lead there, for a branch may be gone, but refs must: nothing else is ours to give.
func (f *fetch) continued(clients []int32) (func(int32) bool, error) {
	behind := map[int32][]int32{}
	var all []int32
	for _, i := range clients {
		c, err := f.history.commit(i)
		if err != nil {
			return nil, err
		}
		behind[i] = c.parents
		all = append(all, c.parents...)
	}
	missed, err := f.unreached(all)
	return func(i int32) bool {
		return !slices.ContainsFunc(behind[i], func(p int32) bool { return slices.Contains(missed, p) })
	}, err
}

// excluded returns the commits of the refs whose history the client does not want.
func (f *fetch) excluded() (commits []int32, err error) {
	for _, name := range f.request.without {
		var found []offered
		for _, pattern := range []string{"%s", "refs/%s", "refs/tags/%s", "refs/heads/%s"} {
			full := fmt.Sprintf(pattern, name)
			if i := slices.IndexFunc(f.refs, func(o offered) bool { return o.name == full }); i >= 0 {
				found = append(found, f.refs[i])
			}
		}
		if len(found) != 1 {
			return nil, catalog.Errorf(catalog.Invalid, "%.100q matches %d refs; give one branch or tag to exclude", name, len(found))
		}
		target, err := f.session.repo.Objects.Peel(found[0].peeled)
		if err != nil {
			return nil, err
		}
		if target.Type == plumbing.CommitObject {
			commits = append(commits, f.history.number(target.Hash))
		}
	}
	return commits, nil
}

// sendEnds sends what changes, and has the walks end, and begin, accordingly.
func (f *fetch) sendEnds(clients, ends []int32, inside func(int32) bool) error {
	g := f.history
	for _, i := range ends {
		if !slices.Contains(clients, i) {
			if err := f.session.out.Encodef("shallow %s", g.hash(i)); err != nil {
				return err
			}
		}
	}
	for _, i := range clients {
		if !inside(i) || g.grafts[g.hash(i)] {
			continue
		}
		if err := f.session.out.Encodef("unshallow %s", g.hash(i)); err != nil {
			return err
		}
		c, err := g.commit(i)
		if err != nil {
			return err
		}
		f.starts = append(f.starts, c.parents...)
		f.bases = append(f.bases, i)
	}
	for _, i := range ends {
		g.commits[i].cut = true
	}
	return nil
}
