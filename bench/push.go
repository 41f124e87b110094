package main

import (
	"cmp"
	"context"
	"fmt"
)

const (
	copyAll = "FROM scratch\nWORKDIR /app\nCOPY . .\n"
	copyRun = "FROM scratch\nCOPY busybox /bin/busybox\nWORKDIR /app\nCOPY src src\nRUN [\"/bin/busybox\", \"touch\", \"made\"]\n"
)

const (
	smallChange = "push, one file changed: small app"
	largeChange = "push, one file changed: large app"
)

// smallPushes is row 1, and row 3 for small apps.
func smallPushes(ctx context.Context, b *bench) ([]measure, error) {
	const size = 2000
	cases := []pushCase{{row: 1, what: smallChange, files: 20, size: size, goal: 0.6, again: 0.3, rounds: b.rounds}}
	if b.scale {
		cases = append(cases,
			pushCase{row: 1, what: smallChange, files: 2, size: size, rounds: b.rounds},
			pushCase{row: 1, what: smallChange, files: 200, size: size, rounds: b.rounds})
	}
	return b.each(ctx, cases, b.changes), nil
}

// largePushes is row 2, and row 3 for large apps. What the goals do not ask for,
// a push of nothing but changes and BuildKit alone, comes too.
func largePushes(ctx context.Context, b *bench) ([]measure, error) {
	const size, wide = 7870, 20_000 // 7,500 of them are 59 MB
	rounds, few := min(5, b.rounds), min(3, b.rounds)
	large := pushCase{row: 2, what: largeChange, files: 7500, size: size, goal: 0.10, again: 0.3, rounds: rounds}
	all := b.each(ctx, []pushCase{large}, b.changesAndMore)
	changes := []pushCase{
		{row: 2, what: "push, one file changed, a RUN after the COPY", dockerfile: copyRun, files: 7500, size: size, goal: 0.25, rounds: rounds},
		{row: 2, what: "push, one file changed: wide directory", files: wide, inFolder: wide, size: 200, rounds: few},
	}
	if b.scale {
		changes = append(changes,
			pushCase{row: 2, what: largeChange, files: 750, size: size, rounds: rounds},
			pushCase{row: 2, what: largeChange, files: 75000, size: size, rounds: 2})
	}
	all = append(all, b.each(ctx, changes, b.changes)...)
	return append(all, b.each(ctx, []pushCase{
		{row: 2, what: "first push: large app", files: 7500, size: size, goal: 0.5, rounds: few},
		{row: 2, what: "first push: wide directory", files: wide, inFolder: wide, size: 200, rounds: few},
	}, b.firsts)...), nil
}

type pushCase struct {
	row         int
	what        string
	dockerfile  string // copyAll when empty
	files, size int
	inFolder    int     // fifty when 0
	goal        float64 // for what
	again       float64 // for the same commit under a new tag
	rounds      int
}

func (c pushCase) shown() string {
	shown := fmt.Sprintf("%d files, %.1f MB", c.files, float64(c.files*c.size)/1e6)
	if c.inFolder == c.files {
		shown += ", one directory"
	}
	return shown
}

func (c pushCase) measure() measure {
	return measure{row: c.row, what: c.what, size: c.shown(), n: float64(c.files), unit: "s", goal: c.goal}
}

// tree makes the case's app. Its contents follow from the seed.
func (c pushCase) tree(ctx context.Context, b *bench, seed uint64) (*workTree, error) {
	w, err := b.emptyTree(ctx, fmt.Sprintf("app%d-%d-%d-%d", c.files, c.inFolder, len(c.dockerfile), seed))
	if err != nil {
		return nil, err
	}
	w.inFolder = cmp.Or(c.inFolder, w.inFolder)
	if err := w.write("Dockerfile", cmp.Or(c.dockerfile, copyAll)); err != nil {
		return nil, err
	}
	if c.dockerfile != "" {
		if err := w.copyBusybox(); err != nil {
			return nil, err
		}
	}
	if err := w.fill(ctx, c.files, c.size, seed); err != nil {
		return nil, err
	}
	return w, w.commit(ctx, "first")
}
