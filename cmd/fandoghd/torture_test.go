//go:build torture

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestTorture has clients of every kind at work at once, while the daemon and its buildkitd are killed at
// random moments and the disk is full now and then, and after every round holds what is left to what clients were told.
// In the last part of its time the daemon lives on, and its memory and goroutines are looked at.
// TORTURE_TIME bounds the rounds ("10m"), TORTURE_SEED repeats a run's choices, not its timing. An interrupt ends it and
// cleans up.
func TestTorture(t *testing.T) {
	toolsOnPath(t)
	limit, err := time.ParseDuration(orElse(os.Getenv("TORTURE_TIME"), "2m"))
	if err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("TORTURE_SEED"); text != "" {
		if _, err := fmt.Sscan(text, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d", seed)
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt, syscall.SIGTERM)
	t.Cleanup(stop)
	w := newTorture(ctx, t, seed)
	w.warmUp = min(time.Minute, limit/6)
	began := time.Now()
	for round := 1; time.Since(began) < limit; round++ {
		w.round(round, time.Since(began) < limit*6/10)
		w.check(false)
		w.stopIfNeeded(seed)
		t.Logf("round %d: %s", round, w.ledger.summary())
	}
	w.check(true)
	w.checkDeliveries()
	w.stopIfNeeded(seed)
	if len(w.ledger.all(kept)) == 0 {
		t.Error("nothing was ever acknowledged; nothing was tested")
	}
}

func orElse(text, fallback string) string {
	if text == "" {
		return fallback
	}
	return text
}

// torture is one daemon, its clients and what these were told.
type torture struct {
	*testing.T
	ctx        context.Context // ends by an interrupt
	env        environment
	dir        string
	daemon     *child
	adminToken string
	links      string // the machine's network interfaces before
	dice       *rand.Rand
	actors     []*role
	apps       []*app
	receiver   *receiver
	ledger     ledger
	life       life
	warmUp     time.Duration // when a life's memory is first taken
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

func newTorture(ctx context.Context, t *testing.T, seed uint64) *torture {
	dir := t.TempDir()
	w := &torture{T: t, ctx: ctx, dir: dir, daemon: newChild(dir), env: environment{"HOME": dir}, dice: rand.New(rand.NewPCG(seed, 99)), counts: map[string]int{}}
	w.links = linkNames(t)
	t.Cleanup(func() { t.Logf("what happened:\n%s", w.summary()) })
	w.mountData()
	w.receiver = newReceiver(t, w)
	w.set()
	t.Cleanup(w.end)
	w.start()
	w.become()
	add := func(name string, pause int, act func(context.Context, *rand.Rand)) {
		w.actors = append(w.actors, &role{name, rand.New(rand.NewPCG(seed, uint64(len(w.actors)))), pause, act})
	}
	for i := range 2 {
		w.apps = append(w.apps, w.newApp(i))
		add("pusher", 500, w.apps[i].act)
	}
	add("registry client", 700, w.registryClient)
	add("puller", 1500, w.puller)
	add("uploader", 2500, w.newUploader().act)
	add("deleter", 3000, w.deleter)
	add("image deleter", 3000, w.newImageDeleter().act)
	add("collector", 5000, w.collector)
	add("half-open client", 1000, w.newHalfOpen().act)
	return w
}

// set configures the daemon and `fandoghd admin` alike.
func (t *torture) set() {
	for name, value := range map[string]string{
		"BUILDER_TIMEOUT": "2m", "BUILDER_PARALLEL": "3", "REGISTRY_GRACE": "125s", "REGISTRY_GC_INTERVAL": "10s",
		"BUILDER_LIMITS_FREE_DISK": "64MiB", "BUILDER_MANAGED_KEEP_CACHE": "256MiB", "WEBHOOKS_ALLOW_PRIVATE": "true",
		"SSH_HANDSHAKE_TIMEOUT": "5s", "HTTP_IDLE_TIMEOUT": "10s",
		"DISK_MIN_FREE": "0", "DISK_MAX_USED": "100", // this is about a disk that is full
	} {
		t.Setenv("FANDOGH_"+name, value)
	}
}

func (t *torture) count(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[what]++
}

func (t *torture) summary() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var lines []string
	for what, n := range t.counts {
		lines = append(lines, fmt.Sprintf("%6d %s", n, what))
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[7:], b[7:]) })
	return strings.Join(lines, "\n")
}

// round lets every client act until the fault has happened, and sees that the daemon is back.
func (t *torture) round(round int, kills bool) {
	over, end := context.WithCancel(t.ctx)
	defer end()
	actors := t.actors
	if full := t.dice.IntN(3) == 0; full {
		actors = append(slices.Clone(actors), &role{"disk", rand.New(rand.NewPCG(t.dice.Uint64(), 0)), 4000, t.fillDisk})
	}
	var clients sync.WaitGroup
	for _, a := range actors {
		clients.Go(func() {
			for over.Err() == nil {
				a.act(over, a.dice)
				wait(over, time.Duration(a.dice.IntN(a.pause))*time.Millisecond)
			}
		})
	}
	wait(over, time.Duration(2000+t.dice.IntN(10_000))*time.Millisecond) // the moment of the fault
	restart := t.fault(over, round, kills)
	end()
	clients.Wait()
	if restart && t.ctx.Err() == nil {
		t.start()
	}
}

// fault does what this round is about, and reports whether the daemon ended.
func (t *torture) fault(over context.Context, round int, kills bool) (restart bool) {
	fault := t.dice.IntN(10)
	if !kills {
		fault %= 5
	}
	t.Logf("round %d: fault %d", round, fault)
	switch {
	case t.ctx.Err() != nil || fault < 2:
	case fault < 5:
		t.count("buildkitd killed")
		_ = t.daemon.killBuildkitd() // between two of them there is none
		wait(over, time.Duration(t.dice.IntN(5000))*time.Millisecond)
	case fault < 6:
		t.count("daemon stopped")
		if err := t.daemon.terminate(); err != nil {
			t.Errorf("SIGTERM: %v", err)
		}
		return true
	default:
		t.count("daemon killed")
		if fault < 8 {
			_ = t.daemon.killBuildkitd()
		}
		if err := t.daemon.kill(); err != nil {
			t.Error(err)
		}
		return true
	}
	return false
}

// stopIfNeeded ends the test when something was wrong or it was interrupted; the daemon's whole log is kept then.
func (t *torture) stopIfNeeded(seed uint64) {
	t.Helper()
	if t.ctx.Err() != nil {
		t.Fatal("interrupted")
	}
	if !t.Failed() {
		return
	}
	to := fmt.Sprintf("%s/torture-%d.log", os.TempDir(), seed)
	text, err := os.ReadFile(t.daemon.data + ".log")
	if err == nil {
		err = os.WriteFile(to, text, 0o600)
	}
	t.Fatalf("the daemon's whole log is in %s (%v); it ends so:\n%s", to, err, t.daemon.logTail())
}

// wait returns after a time, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
