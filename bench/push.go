package main

import (
	"context"
	"fmt"
)

// warmUp is how many rounds of pushes come before those that count: freshly
// started programs still prepare themselves, ours networks for RUN steps.
const warmUp = 2

const copyAll = "FROM scratch\nCOPY . /app/\n"

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

// largePushes is row 2, and row 3 for large apps.
func largePushes(ctx context.Context, b *bench) ([]measure, error) {
	const size = 7870 // 7,500 of them are 59 MB
	measures, err := b.pushes(ctx, pushCase{row: 2, what: "push, one file changed: large app", files: 7500, size: size, goal: 0.25, rounds: min(5, b.rounds)})
	if err != nil || !b.scale {
		return measures, err
	}
	for _, c := range []struct{ files, rounds int }{{750, min(5, b.rounds)}, {75000, 1}} {
		more, err := b.pushes(ctx, pushCase{row: 2, what: "push, one file changed: large app", files: c.files, size: size, rounds: c.rounds})
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
	files, size int
	goal        float64
	rounds      int
}

// pushes measures an app's changes and then the same commits under new tags.
func (b *bench) pushes(ctx context.Context, c pushCase) ([]measure, error) {
	sides, err := b.sides(ctx)
	if err != nil {
		return nil, err
	}
	w, err := b.newWorkTree(ctx, fmt.Sprintf("app%d", c.files), copyAll, c.files, c.size)
	if err != nil {
		return nil, err
	}
	for _, s := range sides {
		if err := s.prepare(ctx, w.app); err != nil {
			return nil, err
		}
		if _, err := w.push(ctx, s, "first"); err != nil {
			return nil, err
		}
	}
	size := fmt.Sprintf("%d files, %.1f MB", c.files, float64(c.files*c.size)/1e6)
	changed := measure{row: c.row, what: c.what, size: size, n: float64(c.files), unit: "s", goal: c.goal}
	again := measure{row: 3, what: "push, the same commit under a new tag", size: size, n: float64(c.files), unit: "s"}
	if c.goal > 0 {
		again.goal = 0.3
	}
	for i := range warmUp + c.rounds {
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
		m.ours, m.peer = m.ours[warmUp:], m.peer[warmUp:]
	}
	measures := []measure{changed, again}
	if c.row == 2 && c.goal > 0 {
		floors, err := b.floors(ctx, w, size, c.files, 4)
		return append(measures, floors...), err
	}
	return measures, nil
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
