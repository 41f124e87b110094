package main

import (
	"context"
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"
)

const sleepy = `FROM scratch
COPY busybox /bin/busybox
COPY src /src/
RUN ["/bin/busybox", "sleep", "1"]
`

// asked is the number of pushes at once that the goal is about.
const asked = 50

// bursts are the numbers of pushes at once, the first one also to warm up. Two
// hundred take the three contenders some three minutes on two processors. Five hundred
// would take nine, as these grow: every one is a git, an ssh and what serves them.
var bursts = []int{5, asked, 200}

// Both sides take so many connections from one address, and of one user.
const (
	connections = "2000"
	sshLimits   = "FANDOGH_SSH_MAX_CONNECTIONS=" + connections
	sshAddress  = "FANDOGH_SSH_MAX_CONNECTIONS_PER_ADDRESS=" + connections
	sshUser     = "FANDOGH_SSH_MAX_PER_USER=" + connections
)

// contender is one of those who take the same pushes, and its measures.
type contender struct {
	side
	label  string // of ours
	goal   float64
	took   []float64 // seconds
	memory []float64 // MB, of ours
}

// burst is row 5: many pushes at once, each to a repository of its own with a
// build of a second. Two daemons take part: one as it is by default, with as many
// builds at once as the machine's memory has room for, and one with four, as on a
// machine of 4 GiB. The peer knows no bound.
func burst(ctx context.Context, b *bench) ([]measure, error) {
	p, err := b.peer(ctx)
	if err != nil {
		return nil, err
	}
	four, err := startDaemon(ctx, b, b.path("four"), sshLimits, sshAddress, sshUser, "FANDOGH_BUILDER_PARALLEL=4")
	if err != nil {
		return nil, err
	}
	defer four.stop()
	plain, err := startDaemon(ctx, b, b.path("plain"), sshLimits, sshAddress, sshUser)
	if err != nil {
		return nil, err
	}
	defer plain.stop()
	if err := b.sameWorker(ctx, plain, p); err != nil {
		return nil, err
	}
	var all []measure
	for _, count := range bursts {
		if count > asked && !b.scale {
			break
		}
		measures, err := b.burst(ctx, count, []*contender{
			{side: plain, goal: 0.8}, {side: p}, {side: four, label: ", four at a time"},
		})
		if err != nil {
			return all, err
		}
		if count == asked || b.scale {
			all = append(all, measures...)
		}
	}
	return all, nil
}

// burst measures a daemon, the peer and another daemon.
func (b *bench) burst(ctx context.Context, count int, all []*contender) ([]measure, error) {
	trees, err := b.burstTrees(ctx, count, all)
	if err != nil {
		return nil, err
	}
	rounds := 2
	if count > asked {
		rounds = 1
	}
	for round := range rounds {
		tag := fmt.Sprintf("v%d", round)
		if err := commitAll(ctx, trees, tag, uint64(100_000*count+1000*round)); err != nil {
			return nil, err
		}
		for i := range all {
			if err := all[(i+round)%len(all)].take(ctx, trees, tag); err != nil {
				return nil, err
			}
		}
	}
	var measures []measure
	for _, ours := range []*contender{all[0], all[2]} {
		total := measure{row: 5, what: "pushes at once, builds of 1 s" + ours.label, size: fmt.Sprintf("%d pushes", count), n: float64(count), unit: "s"}
		memory := measure{row: 5, what: "the daemon's memory meanwhile" + ours.label, size: total.size, n: total.n, unit: "MB"}
		total.ours, total.peer, memory.ours = ours.took, all[1].took, ours.memory
		if count == asked && ours.goal > 0 {
			total.goal, memory.goal = ours.goal, 300
		}
		measures = append(measures, total, memory)
	}
	return measures, nil
}

// burstTrees makes the work trees and the repositories that they are pushed to.
func (b *bench) burstTrees(ctx context.Context, count int, all []*contender) ([]*workTree, error) {
	trees := make([]*workTree, count)
	for i := range trees {
		w, err := b.newWorkTree(ctx, fmt.Sprintf("burst%d-%d", count, i), sleepy, 3, 2000+i)
		if err != nil {
			return nil, err
		}
		if err := w.copyBusybox(); err != nil {
			return nil, err
		}
		for _, c := range all {
			if err := c.prepare(ctx, w.app); err != nil {
				return nil, err
			}
		}
		trees[i] = w
	}
	return trees, nil
}

// commitAll changes a file in every tree, each in its own way.
func commitAll(ctx context.Context, trees []*workTree, tag string, seed uint64) error {
	var group errgroup.Group
	group.SetLimit(runtime.NumCPU())
	for i, w := range trees {
		group.Go(func() error {
			if err := w.write(w.fileName(0), prose(seed+uint64(i), 2000)); err != nil {
				return err
			}
			return w.commit(ctx, tag)
		})
	}
	return group.Wait()
}

// take times all pushes at once.
func (c *contender) take(ctx context.Context, trees []*workTree, tag string) error {
	d, ours := c.side.(*daemon)
	if ours {
		if err := resetPeak(d.Process); err != nil {
			return err
		}
	}
	took, err := seconds(func() error {
		var group errgroup.Group
		for _, w := range trees {
			group.Go(func() error {
				_, err := w.push(ctx, c.side, tag)
				return err
			})
		}
		return group.Wait()
	})
	if err != nil {
		return err
	}
	c.took = append(c.took, took)
	if ours {
		_, peak := resident(d.Process)
		c.memory = append(c.memory, peak)
	}
	return nil
}
