package conformance

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// interrupted is set when the run is ended by a signal.
var interrupted atomic.Bool

// results are one line a case.
var results struct {
	sync.Mutex
	lines []line
}

type line struct {
	group, name string
	took        time.Duration
	diffs       []string
}

// report runs a case and records how it ended.
func report(t *testing.T, group, name string, run func() []string) {
	t.Helper()
	started := time.Now()
	diffs := run()
	if interrupted.Load() { // the world is gone: nothing of this is true
		t.FailNow()
	}
	l := line{group, name, time.Since(started), diffs}
	results.Lock()
	defer results.Unlock()
	results.lines = append(results.lines, l)
	if everything {
		fmt.Printf("%-6s %6.1fs  %s: %s\n", l.verdict(), l.took.Seconds(), group, name)
	}
	if err := writeResults(); err != nil { // at once: a run that is ended early must not lose all
		t.Error(err)
	}
	for _, d := range diffs {
		t.Error(d)
	}
}

func (l line) verdict() string {
	if len(l.diffs) > 0 {
		return "DIFFER"
	}
	return "same"
}

// writeResults writes the table to the file that CONFORMANCE_OUT names.
func writeResults() error {
	out := os.Getenv("CONFORMANCE_OUT")
	if out == "" || len(results.lines) == 0 {
		return nil
	}
	return os.WriteFile(out, []byte(page()), 0o644)
}

func page() string {
	var b strings.Builder
	b.WriteString("# Conformance\n\nEvery case is built by a push to Fandogh and by the plain Dockerfile frontend of the same BuildKit, and the images are compared.\n\n")
	b.WriteString("| group | cases | same | differ |\n|---|---:|---:|---:|\n")
	var groups []string
	same, differ := map[string]int{}, map[string]int{}
	for _, l := range results.lines {
		if same[l.group]+differ[l.group] == 0 {
			groups = append(groups, l.group)
		}
		if len(l.diffs) > 0 {
			differ[l.group]++
		} else {
			same[l.group]++
		}
	}
	slices.Sort(groups)
	sum := [2]int{}
	for _, g := range groups {
		fmt.Fprintf(&b, "| %s | %d | %d | %d |\n", g, same[g]+differ[g], same[g], differ[g])
		sum[0], sum[1] = sum[0]+same[g], sum[1]+differ[g]
	}
	fmt.Fprintf(&b, "| **all** | **%d** | **%d** | **%d** |\n\nWhat may differ, and nothing else:\n\n", sum[0]+sum[1], sum[0], sum[1])
	for _, a := range allowed {
		fmt.Fprintf(&b, "- %s: %s.\n", a.what, a.why)
	}
	lines := slices.Clone(results.lines)
	slices.SortFunc(lines, func(x, y line) int { return strings.Compare(x.group+"\x00"+x.name, y.group+"\x00"+y.name) })
	b.WriteString("\n| group | case | result |\n|---|---|---|\n")
	for _, l := range lines {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", l.group, escape(l.name), l.verdict())
	}
	if sum[1] > 0 {
		b.WriteString("\n## Differences\n")
	}
	for _, l := range lines {
		if len(l.diffs) > 0 {
			fmt.Fprintf(&b, "\n### %s: %s\n\n", l.group, l.name)
		}
		for _, d := range l.diffs {
			fmt.Fprintf(&b, "    %s\n", strings.ReplaceAll(d, "\n", "\n    "))
		}
	}
	return b.String()
}

func escape(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
