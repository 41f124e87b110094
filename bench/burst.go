package main

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
)

const sleepy = `FROM scratch
COPY busybox /bin/busybox
COPY src /src/
RUN ["/bin/busybox", "sleep", "1"]
`

// burst is row 5: many pushes at once, each to a repository of its own with a
// build of a second.
func burst(ctx context.Context, b *bench) ([]measure, error) {
	sides, err := b.sides(ctx)
	if err != nil {
		return nil, err
	}
	counts := []int{50}
	if b.scale {
		counts = []int{50, 5}
	}
	var all []measure
	for _, count := range counts {
		measures, err := b.burst(ctx, sides, count)
		all = append(all, measures...)
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

func (b *bench) burst(ctx context.Context, sides [2]side, count int) ([]measure, error) {
	total := measure{row: 5, what: "pushes at once, builds of 1 s", size: fmt.Sprintf("%d pushes", count), n: float64(count), unit: "s"}
	memory := measure{row: 5, what: "the daemon's memory meanwhile", size: total.size, n: total.n, unit: "MB", goal: 300}
	if count == 50 {
		total.goal = 0.8
	}
	trees := make([]*workTree, count)
	for i := range trees {
		w, err := b.newWorkTree(ctx, fmt.Sprintf("burst%d-%d", count, i), sleepy, 3, 2000+i)
		if err != nil {
			return nil, err
		}
		if err := w.copyProgram("busybox"); err != nil {
			return nil, err
		}
		for _, s := range sides {
			if err := s.prepare(ctx, w.app); err != nil {
				return nil, err
			}
		}
		trees[i] = w
	}
	for round := range 2 {
		tag := fmt.Sprintf("v%d", round)
		for i, w := range trees {
			if err := w.write(fileName(0), prose(uint64(100_000*count+1000*round+i), 2000)); err != nil {
				return nil, err
			}
			if err := w.commit(ctx, tag); err != nil {
				return nil, err
			}
		}
		for i := range sides {
			s := sides[(i+round)%2]
			if err := b.ourSide.resetPeak(); err != nil {
				return nil, err
			}
			took, err := pushAll(ctx, s, trees, tag)
			if err != nil {
				return nil, err
			}
			if s == sides[0] {
				_, peak := b.ourSide.memory()
				total.ours, memory.ours = append(total.ours, took), append(memory.ours, peak)
			} else {
				total.peer = append(total.peer, took)
			}
		}
	}
	return []measure{total, memory}, nil
}

func pushAll(ctx context.Context, s side, trees []*workTree, tag string) (float64, error) {
	return seconds(func() error {
		var group errgroup.Group
		for _, w := range trees {
			group.Go(func() error {
				_, err := w.push(ctx, s, tag)
				return err
			})
		}
		return group.Wait()
	})
}
