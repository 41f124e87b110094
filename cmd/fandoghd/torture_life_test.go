//go:build torture

package main

import (
	"time"
)

// life is one daemon from its start to its end.
type life struct {
	began      time.Time
	rss, heap  int // MiB, resident and live, after some time
	goroutines int // when nothing happened first
}

func (t *torture) start() {
	t.Helper()
	t.load.start()
	t.life = life{began: time.Now()}
}

// A life's memory and goroutines, when nothing happens, may be so much more than they were first.
// What is resident depends on when the collector last ran and on the race detector;
// the live heap, after a collection, does not.
const (
	moreTimes, moreMiB = 2, 200
	moreHeapMiB        = 64
	moreGoroutines     = 40
)

// checkLife holds memory and goroutines to what they were.
func (t *torture) checkLife() {
	if t.ctx.Err() != nil {
		return
	}
	l := &t.life
	goroutines := t.goroutines()
	if l.goroutines == 0 {
		l.goroutines = goroutines
	}
	for deadline := time.Now().Add(timeout); goroutines > l.goroutines+moreGoroutines && time.Now().Before(deadline); goroutines = t.goroutines() {
		wait(t.ctx, 200*time.Millisecond)
	}
	if goroutines > l.goroutines+moreGoroutines {
		t.Errorf("%d goroutines, at first %d:\n%s", goroutines, l.goroutines, t.profile("goroutine?debug=1"))
	}
	rss, heap := memoryOf(t, t.daemon.cmd.Process.Pid, "VmRSS"), t.heap()
	t.Logf("after %s: %d MiB resident (at first %d), %d MiB live (%d), %d goroutines (%d)",
		time.Since(l.began).Round(time.Second), rss, l.rss, heap, l.heap, goroutines, l.goroutines)
	if l.rss == 0 && time.Since(l.began) > t.warmUp {
		l.rss, l.heap = rss, heap
	}
	if l.rss > 0 && rss > moreTimes*l.rss+moreMiB {
		t.Errorf("%d MiB resident, %d MiB after %s", rss, l.rss, t.warmUp)
	}
	if l.rss > 0 && heap > l.heap+moreHeapMiB {
		t.Errorf("%d MiB of live heap, %d MiB after %s:\n%s", heap, l.heap, t.warmUp, t.profile("heap?debug=1"))
	}
}
