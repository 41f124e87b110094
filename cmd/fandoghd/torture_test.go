//go:build torture

package main

import (
	"context"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
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
	seed := seedFrom(t, "TORTURE_SEED")
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt, syscall.SIGTERM)
	t.Cleanup(stop)
	w := newTorture(ctx, t, seed)
	w.warmUp = min(time.Minute, limit/6)
	began := time.Now()
	for round := 1; time.Since(began) < limit; round++ {
		w.round(round, time.Since(began) < limit*6/10)
		w.check(false)
		w.checkLife()
		w.stopIfNeeded()
		t.Logf("round %d: %s", round, w.ledger.summary())
	}
	w.check(true)
	w.checkLife()
	w.checkDeliveries()
	w.stopIfNeeded()
	if len(w.ledger.all(kept)) == 0 {
		t.Error("nothing was ever acknowledged; nothing was tested")
	}
}

// torture is a load under which the daemon is killed.
type torture struct {
	*load
	life   life
	warmUp time.Duration // when a life's memory is first taken
}

func newTorture(ctx context.Context, t *testing.T, seed uint64) *torture {
	w := &torture{load: newLoad(ctx, t, seed)}
	w.faults, w.registries = true, 2
	w.mountData()
	w.set()
	t.Cleanup(w.end)
	w.start()
	w.become()
	for i := range 2 {
		w.add("pusher", 500, w.newApp(i).act)
	}
	w.add("registry client", 700, w.registryClient)
	w.add("puller", 1500, w.puller)
	w.add("uploader", 2500, w.newUploader("upload").act)
	w.add("deleter", 3000, w.deleter)
	w.add("image deleter", 3000, w.newImageDeleter().act)
	w.add("collector", 5000, w.collector)
	w.add("half-open client", 1000, w.newHalfOpen().act)
	return w
}

// set configures the daemon and `fandoghd admin` alike.
func (t *torture) set() {
	for name, value := range map[string]string{
		"BUILDER_TIMEOUT": "2m", "BUILDER_PARALLEL": "3", "REGISTRY_GRACE": "125s", "REGISTRY_GC_INTERVAL": "10s", "GIT_GC_INTERVAL": "5s", "GIT_GRACE": "1m",
		"BUILDER_LIMITS_FREE_DISK": "64MiB", "BUILDER_MANAGED_KEEP_CACHE": "256MiB", "WEBHOOKS_ALLOW_PRIVATE": "true",
		"SSH_HANDSHAKE_TIMEOUT": "5s", "HTTP_IDLE_TIMEOUT": "10s",
		"DISK_MIN_FREE": "0", "DISK_MAX_USED": "100", // this is about a disk that is full
	} {
		t.Setenv("FANDOGH_"+name, value)
	}
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
	clients.Go(func() { t.act(over, actors) })
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
