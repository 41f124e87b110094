//go:build torture

package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// life is one daemon from its start to its end.
type life struct {
	began      time.Time
	rss, heap  int // MiB, resident and live, after some time
	goroutines int // when nothing happened first
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
	rss, heap := t.rss(), t.heap()
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

// rss returns the daemon's resident memory in MiB.
func (t *torture) rss() int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", t.daemon.cmd.Process.Pid))
	if err != nil {
		t.Error(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(rest + " -")[0])
	if err != nil {
		t.Errorf("VmRSS of %s: %v", text, err)
	}
	return kib >> 10
}

// heap returns the daemon's memory that is in use after a collection, in MiB.
func (t *torture) heap() (n int) {
	text := t.profile("heap?gc=1&debug=1")
	_, rest, _ := strings.Cut(text, "\n# HeapAlloc = ")
	if _, err := fmt.Sscan(rest, &n); err != nil && t.ctx.Err() == nil {
		t.Errorf("live heap: %v: %.200s", err, text)
	}
	return n >> 20
}

// profile returns one of the daemon's profiles as text.
func (t *torture) profile(query string) string {
	r, err := http.NewRequestWithContext(t.ctx, "GET", "http://"+t.env["HTTP"]+"/debug/pprof/"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	r.Header.Set("Authorization", "JWT "+t.adminToken)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer response.Body.Close() //nolint:errcheck // read only
	text, _ := io.ReadAll(response.Body)
	return string(text)
}

func (t *torture) goroutines() (n int) {
	text := t.profile("goroutine?debug=1")
	if _, err := fmt.Sscanf(text, "goroutine profile: total %d", &n); err != nil && t.ctx.Err() == nil {
		t.Errorf("goroutines: %v: %.200s", err, text)
	}
	return n
}
