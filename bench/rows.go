package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// row is one line of the comparison.
type row struct {
	number int
	run    func(context.Context, *bench) ([]measure, error)
	scale  bool // also at a tenth and a multiple of its size
}

var rows = []row{
	{number: 1, run: smallPushes}, {number: 2, run: largePushes}, {number: 4, run: firstPush}, {number: 5, run: burst},
	{number: 6, run: listing}, {number: 7, run: followers}, {number: 8, run: pulls}, {number: 9, run: start}, {number: 10, run: apps},
	{number: 11, run: fetches}, {number: 12, run: neighbours}, {number: 13, run: pages}, {number: 14, run: counting}, {number: 15, run: backups},
	{number: 16, run: browsers},
}

// choose returns the rows of a list of numbers.
func choose(wanted, scaled string) ([]row, error) {
	var chosen []row
	for number := range strings.SplitSeq(wanted, ",") {
		n, err := strconv.Atoi(number)
		i := slices.IndexFunc(rows, func(r row) bool { return r.number == n })
		if err != nil || i < 0 {
			return nil, fmt.Errorf("there is no row %q", number)
		}
		r := rows[i]
		r.scale = slices.Contains(strings.Split(scaled, ","), number)
		chosen = append(chosen, r)
	}
	return chosen, nil
}

// measureRows measures one row after the other. One that fails does not end the
// rest; an interruption does. Either way what was measured is written.
func (b *bench) measureRows(ctx context.Context, chosen []row) error {
	var all []measure
	for _, r := range chosen {
		b.row.Store(int64(r.number))
		b.scale = r.scale
		started := time.Now()
		measures, err := r.run(ctx, b)
		if err != nil {
			measures = append(measures, b.failure(ctx, measure{row: r.number, what: "the row"}, err))
		}
		all = append(all, measures...)
		fmt.Printf("row %d took %s\n%s\n", r.number, time.Since(started).Round(time.Second), table(measures))
		if b.out != "" {
			// After each row: what was measured must not be lost with the rest.
			if err := os.WriteFile(b.out, []byte(report(context.WithoutCancel(ctx), b, all)), 0o644); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return errors.New("interrupted: the later rows were not measured")
		}
	}
	if failed := failures(all); failed > 0 {
		return fmt.Errorf("%d of the measurements failed; the table says why", failed)
	}
	return nil
}

// failure is a line that tells why something was not measured. Our daemon or the
// peer may be what is broken: the next to ask for them gets new ones.
func (b *bench) failure(ctx context.Context, m measure, err error) measure {
	b.stopSides()
	m.failed = err
	if ctx.Err() != nil {
		m.failed = errors.New("interrupted")
	}
	return m
}

// each measures the cases of a row. One that fails does not end the rest; an
// interruption does.
func (b *bench) each(ctx context.Context, cases []pushCase, run func(context.Context, pushCase) ([]measure, error)) []measure {
	var all []measure
	for _, c := range cases {
		if ctx.Err() != nil {
			break
		}
		measures, err := run(ctx, c)
		all = append(all, measures...)
		if err != nil {
			all = append(all, b.failure(ctx, measure{row: c.row, what: c.what, size: c.shown(), n: float64(c.files)}, err))
		}
	}
	return all
}
