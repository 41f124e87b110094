package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
)

// warmUp is how many rounds of pushes come before those that count: freshly
// started programs still prepare themselves, ours networks for RUN steps.
const warmUp = 2

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
		if err := w.copyProgram("busybox"); err != nil {
			return nil, err
		}
	}
	if err := w.fill(ctx, c.files, c.size, seed); err != nil {
		return nil, err
	}
	return w, w.commit(ctx, "first")
}

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
	alone, err := b.alone(ctx, w, c.shown(), c.files, 4)
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
