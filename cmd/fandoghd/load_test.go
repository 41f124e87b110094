//go:build torture || soak

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// load is one daemon, its clients and what these were told.
type load struct {
	*testing.T
	ctx        context.Context // ends by an interrupt
	seed       uint64
	faults     bool // are made: what is cut off or refused by them is none of the daemon's
	env        environment
	dir        string
	daemon     *child
	adminToken string
	actors     []*role
	apps       []*app
	uploaders  []*uploader
	keepLast   int             // versions that retention keeps of each image; 0: all
	pulled     map[string]bool // images of which a pull keeps one from retention
	registries int             // images that are pushed to the registry alone
	receiver   *receiver
	ledger     ledger
	dice       *rand.Rand // of what is no client's
	links      string     // the machine's network interfaces before
	lastEvent  int64
	told       []wanted // events that are to be delivered

	mu     sync.Mutex
	counts map[string]int
}

// role is one kind of client. Its act is one thing that such a client does, and ends soon after over does.
type role struct {
	name  string
	dice  *rand.Rand
	pause int // milliseconds between two acts, at most
	act   func(over context.Context, dice *rand.Rand)
}

// newLoad makes the clients' part of a daemon that is not started yet.
func newLoad(ctx context.Context, t *testing.T, seed uint64) *load {
	dir := t.TempDir()
	w := &load{T: t, ctx: ctx, seed: seed, dir: dir, daemon: newChild(dir), env: environment{"HOME": dir}, counts: map[string]int{}, pulled: map[string]bool{}, ledger: ledger{made: map[string]int{}}, links: linkNames(t), dice: rand.New(rand.NewPCG(seed, 99))}
	t.Cleanup(func() { t.Logf("what happened:\n%s", w.summary()) })
	w.receiver = newReceiver(t, w)
	return w
}

// add makes a client of a kind, with choices of its own.
func (t *load) add(name string, pause int, act func(context.Context, *rand.Rand)) {
	t.actors = append(t.actors, &role{name, rand.New(rand.NewPCG(t.seed, uint64(len(t.actors)))), pause, act})
}

// act lets clients act until over ends, each on its own, and waits until they are done.
func (t *load) act(over context.Context, actors []*role) {
	var clients sync.WaitGroup
	for _, a := range actors {
		clients.Go(func() {
			for over.Err() == nil {
				a.act(over, a.dice)
				wait(over, time.Duration(a.dice.IntN(a.pause))*time.Millisecond)
			}
		})
	}
	clients.Wait()
}

func (t *load) count(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[what]++
}

func (t *load) summary() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var lines []string
	for what, n := range t.counts {
		lines = append(lines, fmt.Sprintf("%6d %s", n, what))
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[7:], b[7:]) })
	return strings.Join(lines, "\n")
}

// seedFrom returns what a variable says, else one of the time's.
func seedFrom(t *testing.T, variable string) uint64 {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv(variable); text != "" {
		if _, err := fmt.Sscan(text, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d", seed)
	return seed
}

func orElse(text, fallback string) string {
	if text == "" {
		return fallback
	}
	return text
}

// stopIfNeeded ends the test when something was wrong or it was interrupted; the daemon's whole log is kept then.
func (t *load) stopIfNeeded() {
	t.Helper()
	if t.ctx.Err() != nil {
		t.Fatal("interrupted")
	}
	if !t.Failed() {
		return
	}
	to := fmt.Sprintf("%s/fandoghd-%d.log", os.TempDir(), t.seed)
	text, err := os.ReadFile(t.daemon.data + ".log")
	if err == nil {
		err = os.WriteFile(to, text, 0o600)
	}
	t.Fatalf("the daemon's whole log is in %s (%v); it ends so:\n%s", to, err, t.daemon.logTail())
}

// cut notes that a client was refused or cut off, which nothing but a fault that was made is a reason for.
func (t *load) cut(what string, err error) {
	t.count(what)
	if !t.faults && err != nil && t.ctx.Err() == nil {
		t.Errorf("%s: %v", what, err)
	}
}

// wait returns after a time, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
