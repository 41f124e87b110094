package main

import (
	"cmp"
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/fandoghpaas/fandogh/internal/programs"
)

const intro = `# Measured beside what one would wire up by hand

` + "`make bench`" + ` writes this page. Each row runs ours and the peer in turn, in one run on one machine over loopback; figures are medians.
The peer is OpenSSH's server, a bare repository whose ` + "`post-receive`" + ` hook runs ` + "`git archive | tar x`" + ` into a temporary folder and
` + "`buildctl build … --output type=image,push=true`" + `, the same buildkitd, and the distribution project's stand-alone registry.
The daemon runs on its defaults, but for the lines of row 5 that say four at a time (FANDOGH_BUILDER_PARALLEL=4).
There, both SSH servers take any number of connections from one address. In row 8 both registries have the same blobs.
The apps of row 10 install their dependencies, are built and have stages as real ones, with scripts that stand for the tools; a running container is
one that ` + "`runc`" + ` started from what ` + "`crane pull`" + ` wrote into an empty folder, and that has printed a line, the same on both sides.
Client, daemon and peer share the machine: the largest sizes show where it, and not the daemon alone, comes to its end.
Row 12 has no such peer: there stand the same pushes without the other user. The other user's clients run at the lowest priority, as they would not be
on this machine.
First pushes come from packed repositories, which a clone is, and any that has lived a while: else git would search for deltas during the push, for
seconds that are the same on both sides and hide what differs.
A push is timed from ` + "`git push`" + ` until the tag's manifest was fetched. The exponent says how the figure grew from the next smaller
size: 0 not at all, 1 in proportion. ` + "`go run ./bench -tools bin -rows 2 -scale \"\"`" + ` measures one row at its own size,
` + "`-rows 4 -history DIR`" + ` the first push of an existing repository; ` + "`-profile DIR`" + ` writes processor profiles of ours.

`

// report is the page with all results.
func report(ctx context.Context, b *bench, all []measure) string {
	var s strings.Builder
	s.WriteString(intro)
	fmt.Fprintf(&s, "%s, %s\n\n`go run ./bench %s`\n\n", time.Now().UTC().Format(time.DateOnly), machine(), strings.ReplaceAll(strings.Join(os.Args[1:], " "), "  ", ` "" `))
	for _, v := range versions(ctx, b) {
		fmt.Fprintf(&s, "- %s\n", v)
	}
	s.WriteString("\n")
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b measure) int { return cmp.Or(cmp.Compare(a.row, b.row), strings.Compare(a.what, b.what)) })
	s.WriteString(table(sorted))
	return s.String()
}

func machine() string {
	model := "unknown processor"
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	var memory int64
	text, _ = os.ReadFile("/proc/meminfo")
	_, _ = fmt.Sscanf(string(text), "MemTotal: %d", &memory)
	load, _ := os.ReadFile("/proc/loadavg")
	average, _, _ := strings.Cut(string(load), " ")
	return fmt.Sprintf("%d × %s, %d GB of memory, load at the end %s", runtime.NumCPU(), model, memory>>20, average)
}

// versions names the programs that took part.
func versions(ctx context.Context, b *bench) []string {
	all := []string{
		"buildkitd " + builtFrom(b.tool("buildkitd"), "github.com/moby/buildkit"),
		"registry " + builtFrom(b.tool("registry"), "github.com/distribution/distribution/v3"),
	}
	if b.worker != "" {
		all[0] += ", on both sides " + b.worker
	}
	for _, c := range []string{"git --version", "ssh -V", "runc --version", "skopeo --version", "go version"} {
		out, err := programs.Command(ctx, "", nil, "sh", "-c", c+" 2>&1")
		if err != nil {
			continue
		}
		first, _, _ := strings.Cut(out, "\n")
		all = append(all, first)
	}
	return all
}

// builtFrom is the version of a module that a program was built from.
func builtFrom(program, module string) string {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return "of unknown version"
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == module {
			return m.Version
		}
	}
	return "of unknown version"
}
