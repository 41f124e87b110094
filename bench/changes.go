package main

import (
	"context"
	"fmt"
	"os"
)

// warmUp is how many rounds of pushes come before those that count: freshly
// started programs still prepare themselves, ours networks for RUN steps.
const warmUp = 2

// changes measures an app's changes and then the same commits under new tags.
func (b *bench) changes(ctx context.Context, c pushCase) ([]measure, error) {
	w, err := c.tree(ctx, b, 0)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(w.dir) //nolint:errcheck // it goes with the rest
	return b.changesOf(ctx, w, c)
}

func (b *bench) changesOf(ctx context.Context, w *workTree, c pushCase) ([]measure, error) {
	sides, err := b.sides(ctx)
	if err != nil {
		return nil, err
	}
	var first measure
	if err := pushFirst(ctx, w, sides, 0, &first); err != nil {
		return nil, err
	}
	changed := c.measure()
	again := measure{row: 3, what: "push, the same commit under a new tag", size: changed.size, n: changed.n, unit: "s", goal: c.again}
	warming := warmUp
	if c.rounds <= 2 { // of so large an app that the first push was enough
		warming = 0
	}
	for i := range warming + c.rounds {
		if i == warming {
			changed.ours, changed.peer, again.ours, again.peer = nil, nil, nil, nil
		}
		if err = w.changeAndPush(ctx, sides, c, i, &changed, &again); err != nil {
			break
		}
	}
	if c.dockerfile != "" || c.inFolder > 0 {
		return measured(changed), err
	}
	return measured(changed, again), err
}

// changeAndPush pushes a change of one file, and the same commit once more.
func (w *workTree) changeAndPush(ctx context.Context, sides [2]side, c pushCase, round int, changed, again *measure) error {
	tag := fmt.Sprintf("v%d", round)
	if err := w.write(w.fileName(round%c.files), prose(uint64(1_000_000+round), c.size)); err != nil {
		return err
	}
	if err := w.commit(ctx, tag); err != nil {
		return err
	}
	if err := w.git(ctx, "tag", tag+"-again"); err != nil {
		return err
	}
	if err := measurePush(ctx, w, sides, round, tag, changed); err != nil {
		return err
	}
	return measurePush(ctx, w, sides, round, tag+"-again", again)
}

// changesAndMore measures changes, pushes in which every file is another, and
// BuildKit's own part of the work.
func (b *bench) changesAndMore(ctx context.Context, c pushCase) ([]measure, error) {
	w, err := c.tree(ctx, b, 0)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(w.dir) //nolint:errcheck // it goes with the rest
	all, err := b.changesOf(ctx, w, c)
	if err != nil {
		return all, err
	}
	rewritten, err := b.rewritten(ctx, w, c)
	all = append(all, measured(rewritten)...)
	if err != nil {
		return all, err
	}
	alone, err := b.alone(ctx, w, c.shown(), c.files, max(2, min(4, b.rounds)))
	return append(all, alone...), err
}

// rewritten measures pushes in which every file is another.
func (b *bench) rewritten(ctx context.Context, w *workTree, c pushCase) (measure, error) {
	m := c.measure()
	m.what, m.goal = "push, every file changed: large app", 0
	sides, err := b.sides(ctx)
	if err != nil {
		return m, err
	}
	for round := range min(3, b.rounds) {
		if err := w.fill(ctx, c.files, c.size, uint64(10_000_000*(round+1))); err != nil {
			return m, err
		}
		tag := fmt.Sprintf("rewritten%d", round)
		if err := w.commit(ctx, tag); err != nil {
			return m, err
		}
		if err := measurePush(ctx, w, sides, round, tag, &m); err != nil {
			return m, err
		}
	}
	return m, nil
}

// firsts measures first pushes, each of another app to another repository.
func (b *bench) firsts(ctx context.Context, c pushCase) ([]measure, error) {
	m := c.measure()
	sides, err := b.sides(ctx)
	for round := 0; err == nil && round < c.rounds; round++ {
		err = b.first(ctx, sides, c, round, &m)
	}
	return measured(m), err
}

func (b *bench) first(ctx context.Context, sides [2]side, c pushCase, round int, to *measure) error {
	w, err := c.tree(ctx, b, uint64(20_000_000*(round+2)))
	if err != nil {
		return err
	}
	defer os.RemoveAll(w.dir) //nolint:errcheck // it goes with the rest
	return pushFirst(ctx, w, sides, round, to)
}

// pushFirst pushes to repositories that are not there yet.
func pushFirst(ctx context.Context, w *workTree, sides [2]side, round int, to *measure) error {
	for _, s := range sides {
		if err := s.prepare(ctx, w.app); err != nil {
			return err
		}
	}
	if err := w.pack(ctx); err != nil {
		return err
	}
	return measurePush(ctx, w, sides, round, "first", to)
}

func measurePush(ctx context.Context, w *workTree, sides [2]side, round int, tag string, to *measure) error {
	return turn(round, sides, func(at int, s side) error {
		took, err := w.push(ctx, s, tag)
		if err == nil {
			to.add(at, took)
		}
		return err
	})
}
