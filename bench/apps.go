package main

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// apps is row 10: applications in the shape of real ones, from `git push` until the
// image can be pulled and, with the same push, until a container of it has
// printed a line. Each round is another application in a new repository.
func apps(ctx context.Context, b *bench) ([]measure, error) {
	base, err := b.startBase(ctx)
	if err != nil {
		return nil, err
	}
	defer base.Stop()
	var all []measure
	for _, s := range shapes {
		if ctx.Err() != nil {
			break
		}
		measures, err := b.app(ctx, s, base.image)
		all = append(all, measures...)
		if err != nil {
			all = append(all, b.failure(ctx, measure{row: 10, what: s.name + " app", size: s.shown()}, err))
		}
	}
	return all, nil
}

// moment is one of the pushes of an app's life, and what it is measured by.
type moment struct {
	change      func(w *workTree, s shape, round int) error
	push, whole measure
}

func (s shape) moments() []*moment {
	var all []*moment
	for _, m := range []struct {
		what   string
		change func(*workTree, shape, int) error
	}{
		{"first push", nothing}, {"one source file changed", changeSource}, {"dependencies changed", changeDependencies},
	} {
		push := measure{row: 10, what: s.name + " app, " + m.what, size: s.shown(), n: float64(s.files), unit: "s"}
		whole := push
		whole.what += ", to a running container"
		all = append(all, &moment{m.change, push, whole})
	}
	return all
}

func nothing(*workTree, shape, int) error { return nil }

func changeSource(w *workTree, s shape, round int) error {
	return w.write(w.fileName(round%s.files), prose(seedOf(round)+500_000, s.size))
}

func changeDependencies(w *workTree, s shape, round int) error {
	return w.write(s.lock, prose(seedOf(round)+600_000, s.lockSize))
}

// app measures a shape. The first round does not count: the base comes with it.
func (b *bench) app(ctx context.Context, s shape, base string) ([]measure, error) {
	moments := s.moments()
	sides, err := b.sides(ctx)
	for round := 0; err == nil && round < 1+min(5, b.rounds); round++ {
		if round == 1 {
			moments = s.moments()
		}
		err = b.appRound(ctx, s, base, sides, round, moments)
	}
	var all []measure
	for _, m := range moments {
		all = append(all, measured(m.push, m.whole)...)
	}
	return all, err
}

func (b *bench) appRound(ctx context.Context, s shape, base string, sides [2]side, round int, moments []*moment) error {
	w, err := s.tree(ctx, b, base, round)
	if err != nil {
		return err
	}
	defer os.RemoveAll(w.dir) //nolint:errcheck // it goes with the rest
	for _, s := range sides {
		if err := s.prepare(ctx, w.app); err != nil {
			return err
		}
	}
	for i, m := range moments {
		tag := fmt.Sprintf("v%d", i)
		if err := errors.Join(m.change(w, s, round), w.commit(ctx, tag)); err != nil {
			return err
		}
		if i == 0 {
			if err := w.pack(ctx); err != nil {
				return err
			}
		}
		if err := b.appPush(ctx, w, sides, round, tag, m); err != nil {
			return err
		}
	}
	return nil
}

// appPush takes a push all the way, and checks that both sides' containers say the
// same: what they print follows from the sources and dependencies.
func (b *bench) appPush(ctx context.Context, w *workTree, sides [2]side, round int, tag string, m *moment) error {
	var lines [2]string
	err := turn(round, sides, func(at int, s side) error {
		pushed, err := w.push(ctx, s, tag)
		if err != nil {
			return err
		}
		ran, line, err := b.pullAndRun(ctx, s, w.app, tag)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name(), err)
		}
		m.push.add(at, pushed)
		m.whole.add(at, pushed+ran)
		lines[at] = line
		return nil
	})
	if err == nil && lines[0] != lines[1] {
		return fmt.Errorf("%s:%s says %q on our side, %q on the peer's", w.app, tag, lines[0], lines[1])
	}
	return err
}
