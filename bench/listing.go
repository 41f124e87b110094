package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	listRate    = 2000 // requests per second
	listTime    = 10 * time.Second
	listWorkers = 64
)

// listing is row 6: the newest versions of an image with few and with many of
// them, at a steady rate of requests.
func listing(ctx context.Context, b *bench) ([]measure, error) {
	var all []measure
	for _, size := range []int{1000, 1_000_000} {
		measures, err := b.list(ctx, size)
		if err != nil {
			return all, err
		}
		all = append(all, measures...)
	}
	one, many := all[0], all[len(all)/2]
	growth := measure{row: 6, what: "time to list, a million against a thousand versions", size: "ratio", unit: "×", goal: 1.2,
		ours: []float64{median(many.ours) / median(one.ours)}}
	return append(all, growth), nil
}

func (b *bench) list(ctx context.Context, size int) ([]measure, error) {
	d, tokens, err := b.startFilled(ctx, "list", size)
	if err != nil {
		return nil, err
	}
	defer d.stop()
	shown := fmt.Sprintf("%d versions", size)
	one := measure{row: 6, what: "list 50 versions, one client", size: shown, n: float64(size), unit: "ms"}
	for i := range 2000 {
		took, err := seconds(func() error {
			return d.list(ctx, tokens[i%len(tokens)])
		})
		if err != nil {
			return nil, err
		}
		one.ours = append(one.ours, took*1000)
	}
	latencies, rate, err := d.hammer(ctx, tokens)
	if err != nil {
		return nil, err
	}
	p99 := measure{row: 6, what: fmt.Sprintf("p99 at %d requests/s", listRate), size: shown, n: float64(size), unit: "ms", goal: 10, ours: []float64{quantile(latencies, 0.99)}}
	answered := measure{row: 6, what: "requests answered per second", size: shown, n: float64(size), unit: "/s", goal: listRate * 0.99, atLeast: true, ours: []float64{rate}}
	return []measure{one, p99, answered}, nil
}

func (d *daemon) list(ctx context.Context, token string) error {
	return d.call(ctx, token, http.MethodGet, "images/listed/versions?limit=50", nil)
}

// hammer asks at a steady rate, however slow the answers are, and returns each
// answer's milliseconds since the moment it was due, and the answers per second.
func (d *daemon) hammer(ctx context.Context, tokens []string) ([]float64, float64, error) {
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = listWorkers
	total := int(listTime.Seconds() * listRate)
	latencies := make([]float64, total)
	failures := make([]error, listWorkers)
	due := make(chan int, total)
	started := time.Now()
	var group sync.WaitGroup
	for w := range listWorkers {
		group.Go(func() {
			for i := range due {
				at := started.Add(time.Duration(i) * time.Second / listRate)
				if err := d.list(ctx, tokens[i%len(tokens)]); err != nil {
					failures[w] = err
				}
				latencies[i] = time.Since(at).Seconds() * 1000
			}
		})
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for sent := 0; sent < total && ctx.Err() == nil; {
		<-tick.C
		for ; sent < total && time.Since(started) >= time.Duration(sent)*time.Second/listRate; sent++ {
			due <- sent
		}
	}
	close(due)
	group.Wait()
	return latencies, float64(total) / time.Since(started).Seconds(), errors.Join(failures...)
}
