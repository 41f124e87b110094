package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
)

// How many pushes and lists are measured together: a processor's time is told in hundredths of a second.
const pushesAtOnce, listsAtOnce = 20, 2000

// counting is row 14: what metrics cost of rows 1 and 6. Two daemons of ours are measured in turn, one that counts, in the
// place of ours, and one that does not, in the place of the peer; and what it costs to ask for what was counted.
func counting(ctx context.Context, b *bench) ([]measure, error) {
	counts, err := startDaemon(ctx, b, b.path("counts"))
	if err != nil {
		return nil, err
	}
	defer counts.stop()
	not, err := startDaemon(ctx, b, b.path("counts-not"), "FANDOGH_METRICS_ENABLED=false")
	if err != nil {
		return nil, err
	}
	defer not.stop()
	c := &counted{bench: b, daemons: [2]*daemon{counts, not}}
	if c.token, err = counts.Admin(ctx, "", "token", "create", "admin"); err != nil {
		return nil, err
	}
	pushes, err := c.pushes(ctx)
	if err != nil {
		return pushes, err
	}
	lists, err := c.lists(ctx)
	if err != nil {
		return append(pushes, lists...), err
	}
	scrapes, err := c.scrapes(ctx)
	return slices.Concat(pushes, lists, scrapes), err
}

// counted is two daemons, of which the first one counts.
type counted struct {
	bench   *bench
	daemons [2]*daemon
	token   string // of the first one's administrator
}

// cost is one thing that is done on both.
type cost struct {
	time, processor, times, processors measure // the last two: the ratio of each turn
}

func newCost(what, size, unit string) *cost {
	m := measure{row: 14, what: what + ", metrics on and off", size: size, unit: unit}
	of := func(m measure, more string) measure {
		m.what += more
		return m
	}
	c := &cost{time: m, processor: of(m, ": the daemon's processor time"), times: of(m, ": the ratio of a turn's times"), processors: of(m, ": the ratio of a turn's processor times")}
	c.times.unit, c.processors.unit = "×", "×"
	c.processors.goal = 1.02
	return c
}

func (c *cost) measures() []measure { return []measure{c.time, c.processor, c.times, c.processors} }

// turn measures what do does n times, on both daemons; scale makes the unit of seconds.
func (c *counted) turn(round, n int, scale float64, to *cost, do func(i int, d *daemon) error) error {
	var took, worked [2]float64
	err := turn(round, [2]side{c.daemons[0], c.daemons[1]}, func(at int, _ side) error {
		d := c.daemons[at]
		before, _, err := processorTime(d.Process)
		if err != nil {
			return err
		}
		took[at], err = seconds(func() error {
			for i := range n {
				if err := do(i, d); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		after, _, err := processorTime(d.Process)
		worked[at] = after - before
		to.time.add(at, took[at]*scale/float64(n))
		to.processor.add(at, worked[at]*scale/float64(n))
		return err
	})
	to.times.add(0, took[0]/took[1])
	to.processors.add(0, worked[0]/worked[1])
	return err
}

// scrapes reads the metrics again and again, as Prometheus does once in many seconds.
func (c *counted) scrapes(ctx context.Context) ([]measure, error) {
	const atOnce = 20
	took := measure{row: 14, what: "read the metrics", size: "one scrape", unit: "ms"}
	worked := measure{row: 14, what: "read the metrics: the daemon's processor time", size: "one scrape", unit: "ms"}
	for range c.bench.rounds {
		before, _, err := processorTime(c.daemons[0].Process)
		if err != nil {
			return nil, err
		}
		all, err := seconds(func() error {
			for range atOnce {
				if err := c.daemons[0].ask(ctx, c.token, http.MethodGet, "metrics", nil); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		after, _, err := processorTime(c.daemons[0].Process)
		if err != nil {
			return nil, err
		}
		took.add(0, all*1000/atOnce)
		worked.add(0, (after-before)*1000/atOnce)
	}
	return []measure{took, worked}, nil
}

// pushes is row 1 on both: the same commits, some of them in a row.
func (c *counted) pushes(ctx context.Context) ([]measure, error) {
	app := pushCase{row: 14, what: smallChange, files: 20, size: 2000}
	w, err := app.tree(ctx, c.bench, 0)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(w.dir) //nolint:errcheck // it goes with the rest
	of, unused := newCost(smallChange, app.shown(), "s"), newCost("", "", "")
	for round := range warmUp + c.bench.rounds {
		to := of
		if round < warmUp {
			to = unused
		}
		for i := range pushesAtOnce {
			n := round*pushesAtOnce + i
			if err := w.write(w.fileName(n%app.files), prose(uint64(1_000_000+n), app.size)); err != nil {
				return nil, err
			}
			if err := w.commit(ctx, fmt.Sprintf("v%d", n)); err != nil {
				return nil, err
			}
		}
		err := c.turn(round, pushesAtOnce, 1, to, func(i int, d *daemon) error {
			_, err := w.push(ctx, d, fmt.Sprintf("v%d", round*pushesAtOnce+i))
			return err
		})
		if err != nil {
			return of.measures(), err
		}
	}
	return of.measures(), nil
}

// lists is row 6 on both, of a thousand versions and one client.
func (c *counted) lists(ctx context.Context) ([]measure, error) {
	const size = 1000
	var tokens [2][]string
	for at, d := range c.daemons {
		if err := d.fillVersions(ctx, size); err != nil {
			return nil, err
		}
		var err error
		if tokens[at], err = d.addReaders(ctx); err != nil {
			return nil, err
		}
	}
	of, unused := newCost("list 50 versions, one client", fmt.Sprintf("%d versions", size), "ms"), newCost("", "", "")
	for round := range warmUp + c.bench.rounds {
		to := of
		if round < warmUp {
			to = unused
		}
		err := c.turn(round, listsAtOnce, 1000, to, func(i int, d *daemon) error {
			at := 0
			if d != c.daemons[0] {
				at = 1
			}
			return d.list(ctx, tokens[at][i%readers])
		})
		if err != nil {
			return of.measures(), err
		}
	}
	return of.measures(), nil
}
