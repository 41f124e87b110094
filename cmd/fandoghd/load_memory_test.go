//go:build torture || soak

package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
)

// memoryOf returns what the kernel says of a process's memory, such as VmRSS, what is resident, in MiB.
func memoryOf(t testing.TB, pid int, what string) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Error(err)
	}
	_, rest, _ := strings.Cut(string(text), what+":")
	kib, err := strconv.Atoi(strings.Fields(rest + " -")[0])
	if err != nil {
		t.Errorf("%s of %s: %v", what, text, err)
	}
	return kib >> 10
}

// heap returns the daemon's memory that is in use after a collection, in MiB.
func (t *load) heap() (n int) {
	text := t.profile("heap?gc=1&debug=1")
	_, rest, _ := strings.Cut(text, "\n# HeapAlloc = ")
	if _, err := fmt.Sscan(rest, &n); err != nil && t.ctx.Err() == nil {
		t.Errorf("live heap: %v: %.200s", err, text)
	}
	return n >> 20
}

// profile returns one of the daemon's profiles as text.
func (t *load) profile(query string) string { return t.asAdmin("/debug/pprof/" + query) }

// asAdmin returns what an administrator gets.
func (t *load) asAdmin(path string) string {
	r, err := http.NewRequestWithContext(t.ctx, "GET", "http://"+t.env["HTTP"]+path, nil)
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

func (t *load) goroutines() (n int) {
	text := t.profile("goroutine?debug=1")
	if _, err := fmt.Sscanf(text, "goroutine profile: total %d", &n); err != nil && t.ctx.Err() == nil {
		t.Errorf("goroutines: %v: %.200s", err, text)
	}
	return n
}
