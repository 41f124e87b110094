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
	rss        int // MiB, after some time
	goroutines int // when nothing happened first
}

// A life's memory and goroutines, when nothing happens, may be so much more than they were first.
const (
	moreTimes, moreMiB = 2, 200
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
		t.Errorf("%d goroutines, at first %d:\n%s", goroutines, l.goroutines, t.profile())
	}
	rss := t.rss()
	t.Logf("after %s: %d MiB resident (at first %d), %d goroutines (%d)", time.Since(l.began).Round(time.Second), rss, l.rss, goroutines, l.goroutines)
	if l.rss == 0 && time.Since(l.began) > t.warmUp {
		l.rss = rss
	}
	if l.rss > 0 && rss > moreTimes*l.rss+moreMiB {
		t.Errorf("%d MiB resident, %d MiB after %s", rss, l.rss, t.warmUp)
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

// profile returns the daemon's goroutines, by where they are.
func (t *torture) profile() string {
	r, err := http.NewRequestWithContext(t.ctx, "GET", "http://"+t.env["HTTP"]+"/debug/pprof/goroutine?debug=1", nil)
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
	text := t.profile()
	if _, err := fmt.Sscanf(text, "goroutine profile: total %d", &n); err != nil && t.ctx.Err() == nil {
		t.Errorf("goroutines: %v: %.200s", err, text)
	}
	return n
}
