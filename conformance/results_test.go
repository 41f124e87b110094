package conformance

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
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
	lines  []line
	notRun map[string]string // clients that could not run, with the reason
}

type line struct {
	group, name string
	by          string // the client with its version, where it is not git's
	decided     string // why the two sides differ as they should
	took        time.Duration
	diffs       []string
}

// report runs a case and records how it ended.
func report(t *testing.T, group, name string, run func() []string) {
	t.Helper()
	reportBy(t, "", "", group, name, run)
}

// reportBy is report for a case of a client, which may differ for a reason.
func reportBy(t *testing.T, by, decided, group, name string, run func() []string) {
	t.Helper()
	started := time.Now()
	diffs := run()
	if interrupted.Load() { // the env is gone: nothing of this is true
		t.FailNow()
	}
	l := line{group: group, name: name, by: by, decided: decided, took: time.Since(started), diffs: diffs}
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

// reportNotRun records why a client's cases were left out.
func reportNotRun(client, why string) {
	results.Lock()
	defer results.Unlock()
	if results.notRun == nil {
		results.notRun = map[string]string{}
	}
	if results.notRun[client] == "" {
		fmt.Printf("not run: %s: %s\n", client, why)
	}
	results.notRun[client] = why
}

func (l line) verdict() string {
	switch {
	case len(l.diffs) > 0:
		return "DIFFER"
	case l.decided != "":
		return "decided"
	}
	return "same"
}

// writeResults writes the tables to the files that CONFORMANCE_OUT and COMPATIBILITY_OUT name.
func writeResults() error {
	if out := os.Getenv("COMPATIBILITY_OUT"); out != "" && len(results.lines) > 0 {
		if err := os.WriteFile(out, []byte(compatibility()), 0o644); err != nil {
			return err
		}
	}
	out := os.Getenv("CONFORMANCE_OUT")
	if out == "" || len(results.lines) == 0 {
		return nil
	}
	return os.WriteFile(out, []byte(page()), 0o644)
}

// compatibility is the page of what clients do here and with the servers they were written for.
func compatibility() string {
	var b strings.Builder
	b.WriteString("# Compatibility\n\nWhat a stock client does here, beside the same with the reference server on the same input: what it prints, how it ends, and what the server " +
		"holds afterwards. `make conformance` makes this page.\n\n")
	b.WriteString("Where the result is a reason, the two differ, and should.\n\n")
	fmt.Fprintf(&b, "| client | reference | what | result |\n|---|---|---|---|\n")
	client, err := exec.Command("git", "--version").Output()
	if err != nil {
		client = []byte("git")
	}
	for _, l := range sorted(results.lines) {
		who, server, what := strings.TrimSpace(string(client)), "git's receive-pack and upload-pack", l.name
		switch l.group {
		case gitGroup:
		case registryGroup:
			_, what, _ = strings.Cut(l.name, ": ")
			who, server = l.by, "distribution"
		default:
			continue
		}
		result := l.verdict()
		if result == "decided" {
			result = l.decided
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", who, server, escape(what), escape(result))
	}
	for _, n := range notRun {
		fmt.Fprintf(&b, "| %s | distribution | | not run: %s |\n", n.client, n.why)
	}
	for _, name := range slices.Sorted(maps.Keys(results.notRun)) {
		fmt.Fprintf(&b, "| %s | distribution | | not run: %s |\n", name, escape(results.notRun[name]))
	}
	return b.String()
}

// gitGroup is the group of what git does.
const gitGroup = "git"

func sorted(lines []line) []line {
	lines = slices.Clone(lines)
	slices.SortFunc(lines, func(x, y line) int { return strings.Compare(x.group+"\x00"+x.name, y.group+"\x00"+y.name) })
	return lines
}

func page() string {
	var b strings.Builder
	b.WriteString("# Conformance\n\nEvery case is built by a push to Fandogh and by the plain Dockerfile frontend of the same BuildKit, and the images are compared. In the groups git and registry a client does the same with git's own server and with distribution's registry.\n\n")
	b.WriteString("| group | cases | same | decided | differ |\n|---|---:|---:|---:|---:|\n")
	var groups []string
	counts, all := map[string]map[string]int{}, map[string]int{}
	for _, l := range results.lines {
		if counts[l.group] == nil {
			groups = append(groups, l.group)
			counts[l.group] = map[string]int{}
		}
		counts[l.group][l.verdict()]++
		all[l.verdict()]++
	}
	slices.Sort(groups)
	row := func(name, mark string, n map[string]int) {
		fmt.Fprintf(&b, "| %[2]s%[1]s%[2]s |", name, mark)
		for _, cell := range []int{n["same"] + n["decided"] + n["DIFFER"], n["same"], n["decided"], n["DIFFER"]} {
			fmt.Fprintf(&b, " %[2]s%[1]d%[2]s |", cell, mark)
		}
		b.WriteString("\n")
	}
	for _, g := range groups {
		row(g, "", counts[g])
	}
	row("all", "**", all)
	b.WriteString("\nWhat may differ, and nothing else:\n\n")
	for _, a := range allowed {
		fmt.Fprintf(&b, "- %s: %s.\n", a.what, a.why)
	}
	lines := sorted(results.lines)
	b.WriteString("\n| group | case | result |\n|---|---|---|\n")
	for _, l := range lines {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", l.group, escape(l.name), l.verdict())
	}
	if all["DIFFER"] > 0 {
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
