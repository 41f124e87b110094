package main

import (
	"cmp"
	"context"
	"fmt"
)

// warmUp is how many rounds of pushes come before those that count: freshly
// started programs still prepare themselves, ours networks for RUN steps.
const warmUp = 2

const (
	copyAll = "FROM scratch\nCOPY . /app/\n"
	copyRun = "FROM scratch\nCOPY busybox /bin/busybox\nCOPY src /app/src\nRUN [\"/bin/busybox\", \"touch\", \"/app/made\"]\n"
)

// smallPushes is row 1, and row 3 for small apps.
func smallPushes(ctx context.Context, b *bench) ([]measure, error) {
	measures, err := b.pushes(ctx, pushCase{row: 1, what: "push, one file changed: small app", files: 20, size: 2000, goal: 0.6, rounds: b.rounds})
	if err != nil || !b.scale {
		return measures, err
	}
	for _, files := range []int{2, 200} {
		more, err := b.pushes(ctx, pushCase{row: 1, what: "push, one file changed: small app", files: files, size: 2000, rounds: b.rounds})
		if err != nil {
			return measures, err
		}
		measures = append(measures, more...)
	}
	return measures, nil
}

// largePushes is row 2, and row 3 for large apps. What the goal does not ask for,
// a step that needs the copied files and a push of nothing but changes, comes too.
func largePushes(ctx context.Context, b *bench) ([]measure, error) {
	const size = 7870 // 7,500 of them are 59 MB
	measures, err := b.pushes(ctx, pushCase{row: 2, what: "push, one file changed: large app", files: 7500, size: size, goal: 0.25, rounds: min(5, b.rounds)})
	if err != nil || !b.scale {
		return measures, err
	}
	for _, c := range []pushCase{
		{what: "push, one file changed: large app", files: 750, rounds: min(5, b.rounds)},
		{what: "push, one file changed: large app", files: 75000, rounds: 2},
		{what: "push, one file changed, a RUN after the COPY", dockerfile: copyRun, files: 7500, rounds: min(5, b.rounds)},
	} {
		c.row, c.size = 2, size
		more, err := b.pushes(ctx, c)
		if err != nil {
			return measures, err
		}
		measures = append(measures, more...)
	}
	return measures, nil
}

type pushCase struct {
	row         int
	what        string
	dockerfile  string // copyAll when empty
	files, size int
	goal        float64
	rounds      int
}

func (c pushCase) shown() string {
	return fmt.Sprintf("%d files, %.1f MB", c.files, float64(c.files*c.size)/1e6)
}

// pushes measures an app's changes and then the same commits under new tags.
func (b *bench) pushes(ctx context.Context, c pushCase) ([]measure, error) {
	sides, err := b.sides(ctx)
	if err != nil {
		return nil, err
	}
	w, err := b.newWorkTree(ctx, fmt.Sprintf("app%d-%d", c.files, len(c.dockerfile)), cmp.Or(c.dockerfile, copyAll), c.files, c.size)
	if err != nil {
		return nil, err
	}
	first := "first"
	if c.dockerfile != "" {
		first = "first-program"
		if err := w.copyProgram("busybox"); err != nil {
			return nil, err
		}
		if err := w.commit(ctx, first); err != nil {
			return nil, err
		}
	}
	for _, s := range sides {
		if err := s.prepare(ctx, w.app); err != nil {
			return nil, err
		}
		if _, err := w.push(ctx, s, first); err != nil {
			return nil, err
		}
	}
	size := c.shown()
	changed := measure{row: c.row, what: c.what, size: size, n: float64(c.files), unit: "s", goal: c.goal}
	again := measure{row: 3, what: "push, the same commit under a new tag", size: size, n: float64(c.files), unit: "s"}
	if c.goal > 0 {
		again.goal = 0.3
	}
	warming := warmUp
	if c.rounds <= 2 { // of so large an app that the first push was enough
		warming = 0
	}
	for i := range warming + c.rounds {
		tag := fmt.Sprintf("v%d", i)
		if err := w.write(fileName(i%c.files), prose(uint64(1_000_000+i), c.size)); err != nil {
			return nil, err
		}
		if err := w.commit(ctx, tag); err != nil {
			return nil, err
		}
		if err := w.git(ctx, "tag", tag+"-again"); err != nil {
			return nil, err
		}
		for _, m := range []struct {
			tag string
			to  *measure
		}{{tag, &changed}, {tag + "-again", &again}} {
			if err := measurePush(ctx, w, sides, i, m.tag, m.to); err != nil {
				return nil, err
			}
		}
	}
	for _, m := range []*measure{&changed, &again} {
		m.ours, m.peer = m.ours[warming:], m.peer[warming:]
	}
	if c.dockerfile != "" {
		return []measure{changed}, nil
	}
	measures := []measure{changed, again}
	if c.row == 2 && c.goal > 0 {
		rewritten, err := b.rewritten(ctx, w, sides, c)
		if err != nil {
			return measures, err
		}
		alone, err := b.alone(ctx, w, size, c.files, 4)
		return append(append(measures, rewritten), alone...), err
	}
	return measures, nil
}

// rewritten measures pushes in which every file is another.
func (b *bench) rewritten(ctx context.Context, w *workTree, sides [2]side, c pushCase) (measure, error) {
	m := measure{row: c.row, what: "push, every file changed: large app", size: c.shown(), n: float64(c.files), unit: "s"}
	for round := range 3 {
		for i := range c.files {
			if err := w.write(fileName(i), prose(uint64(10_000_000*(round+1)+i), c.size)); err != nil {
				return m, err
			}
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

// measurePush pushes to both sides, beginning with another one each round.
func measurePush(ctx context.Context, w *workTree, sides [2]side, round int, tag string, to *measure) error {
	for i := range sides {
		s := sides[(i+round)%2]
		took, err := w.push(ctx, s, tag)
		if err != nil {
			return err
		}
		if s == sides[0] {
			to.ours = append(to.ours, took)
		} else {
			to.peer = append(to.peer, took)
		}
	}
	return nil
}

// sides returns ours and the peer.
func (b *bench) sides(ctx context.Context) ([2]side, error) {
	d, err := b.ours(ctx)
	if err != nil {
		return [2]side{}, err
	}
	p, err := b.peer(ctx)
	if err != nil {
		return [2]side{}, err
	}
	return [2]side{d, p}, b.sameWorker(ctx, d, p)
}
