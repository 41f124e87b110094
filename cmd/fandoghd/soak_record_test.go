//go:build soak

package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// sampleEvery is how often memory and disk are looked at.
const sampleEvery = 15 * time.Second

// record is what was sampled of the daemon, by what it is.
type record map[string][]float64

const (
	heapLive   = "live heap, MiB"
	resident   = "resident, MiB"
	goroutines = "goroutines"
	ofBuildkit = "buildkitd: anonymous memory, MiB"
	images     = "disk: registry, MiB"
	cache      = "disk: build_cache, MiB"
	otherDisk  = "disk: all but git and the build cache, MiB"
)

// watch takes samples until over ends.
func (w *soak) watch(over context.Context) {
	w.record = record{}
	ends, _ := over.Deadline()
	middle := time.Now().Add(time.Until(ends) / 2)
	defer w.keepProfile("end")
	for wait(over, sampleEvery); over.Err() == nil; wait(over, sampleEvery) {
		if len(w.profiles) == 0 && time.Now().After(middle) {
			w.keepProfile("middle")
		}
		w.record.add(resident, float64(memoryOf(w.T, w.daemon.cmd.Process.Pid, "VmRSS")))
		w.record.add(heapLive, float64(w.heap()))
		w.record.add(goroutines, float64(w.goroutines()))
		if pid := w.buildkitd(); pid > 0 {
			w.record.add(ofBuildkit, float64(memoryOf(w.T, pid, "RssAnon")))
		}
		rest := 0.0
		for kind, size := range measureData(w.daemon.data) {
			mib := float64(size) / (1 << 20)
			w.record.add("disk: "+kind+", MiB", mib)
			if kind != "build_cache" && kind != "repos" {
				rest += mib
			}
		}
		w.record.add(otherDisk, rest)
	}
}

// keepProfile writes profiles of the heap, after a collection, and of the goroutines to where they outlive the test.
func (w *soak) keepProfile(when string) {
	for kind, query := range map[string]string{"heap": "heap?gc=1", "goroutines": "goroutine?debug=1"} {
		to := fmt.Sprintf("%s/soak-%d-%s.%s", os.TempDir(), w.seed, when, kind)
		if err := os.WriteFile(to, []byte(w.profile(query)), 0o600); err != nil {
			w.Error(err)
		}
		w.profiles = append(w.profiles, to)
	}
}

func (w *soak) buildkitd() int {
	out, _ := exec.Command("pgrep", "-o", "-f", "^[^ ]*buildkitd .*"+w.daemon.data).Output()
	pid, _ := strconv.Atoi(string(bytes.TrimSpace(out))) // between two of them there is none
	return pid
}

func (r record) add(what string, value float64) { r[what] = append(r[what], value) }

// A third of the run is for memory and disk to settle; what is there in the last third may be so much more than in
// the middle one. Disk goes up and down by a grace time's worth of pushes.
var mayGrow = map[string]struct{ times, more float64 }{
	heapLive:   {1.15, 4},
	resident:   {1.15, 24},
	goroutines: {1.2, 40},
	ofBuildkit: {1.2, 16},
	otherDisk:  {1.2, 16},
	cache:      {1.2, 64},
}

// settled is the shortest run that says something: image data go after twice the grace time.
const settled = 15 * time.Minute

// judge returns what grew.
func (r record) judge(limit time.Duration) (faults []string) {
	if limit < settled {
		return nil
	}
	for _, what := range slices.Sorted(maps.Keys(mayGrow)) {
		samples, may := r[what], mayGrow[what]
		if len(samples) < 9 {
			faults = append(faults, fmt.Sprintf("%s: %d samples say nothing", what, len(samples)))
			continue
		}
		third, look := len(samples)/3, middle
		if !strings.HasPrefix(what, "disk: ") {
			look = slices.Min[[]float64] // what is under way comes on top of it; a leak lifts it
		}
		before, after := look(samples[third:2*third]), look(samples[2*third:])
		if after > before*may.times+may.more {
			faults = append(faults, fmt.Sprintf("%s: %.0f in the middle third, %.0f in the last", what, before, after))
		}
	}
	return faults
}

func middle(samples []float64) float64 {
	sorted := slices.Sorted(slices.Values(samples))
	return sorted[len(sorted)/2]
}

// plot draws all that was sampled, a line each, from the least to the most of it, with the medians of the thirds.
func (r record) plot() string {
	const columns, levels = 60, "▁▂▃▄▅▆▇█"
	var out strings.Builder
	fmt.Fprintf(&out, "%-46s %8s %8s %8s %8s %8s\n", "", "least", "most", "first ⅓", "middle ⅓", "last ⅓")
	for _, what := range slices.Sorted(maps.Keys(r)) {
		samples := r[what]
		least, most := slices.Min(samples), slices.Max(samples)
		third := max(len(samples)/3, 1)
		fmt.Fprintf(&out, "%-46s %8.1f %8.1f %8.1f %8.1f %8.1f\n", what, least, most,
			middle(samples[:third]), middle(samples[min(third, len(samples)-1):max(2*third, 1+min(third, len(samples)-1))]), middle(samples[min(2*third, len(samples)-1):]))
		for i := range min(columns, len(samples)) {
			part := samples[i*len(samples)/min(columns, len(samples)) : (i+1)*len(samples)/min(columns, len(samples))]
			level := 0
			if most > least {
				level = int((slices.Max(part) - least) / (most - least) * 7)
			}
			out.WriteRune([]rune(levels)[level])
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// What grows is told of, and what goes up and down, or is there from the start, is not.
func TestSoakJudges(t *testing.T) {
	steady, leak, busy := []float64{}, []float64{}, []float64{}
	for i := range 60 {
		steady = append(steady, 100)
		leak = append(leak, 100+float64(2*i))
		busy = append(busy, 20+float64(i%7*i/10))
	}
	whole := record{resident: steady, goroutines: steady, ofBuildkit: steady, otherDisk: steady, cache: steady}
	for name, of := range map[string]struct {
		heap   []float64
		faults int
	}{"steady": {steady, 0}, "a leak": {leak, 1}, "more and more under way": {busy, 0}, "nothing": {nil, 1}} {
		whole[heapLive] = of.heap
		if faults := whole.judge(settled); len(faults) != of.faults {
			t.Errorf("%s: %q", name, faults)
		}
	}
	if faults := whole.judge(settled - 1); len(faults) > 0 {
		t.Errorf("of a short run: %q", faults)
	}
}
