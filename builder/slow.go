package builder

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

const (
	slowStep   = time.Second // from how long a step on that missed the cache its reason is told at the end of the log
	slowLookup = time.Second // how long the end of a log waits for it
)

// summarizeMiss says why a build was slow, where a step of some duration missed the cache and it is known why; nothing of an image's first.
func (a *attempt) summarizeMiss(ctx context.Context) {
	if slowest := a.steps.slowest(); len(slowest) == 0 || took(slowest[0]) < slowStep {
		return // most builds; nothing is looked up for them
	}
	ctx, cancel := context.WithTimeout(ctx, slowLookup)
	defer cancel()
	found, err := a.builder.Diagnose(ctx, a.build, a.steps.list())
	if err != nil {
		a.builder.logger.Debug("failed to find out why a build was slow", "build", a.build.ID, "error", err)
		return
	}
	if miss := found.Miss; miss != nil && miss.Cost >= slowStep && miss.Cause != catalog.MissFirst {
		for label, line := range labelled("slow", whySlow(miss)) {
			a.log.sayf("  %-8s %s", label, a.facts.mask.Text(line))
		}
	}
}

// whySlow tells of a miss in a line, and in another what to do about it.
func whySlow(miss *catalog.CacheMiss) []string {
	lines := []string{fmt.Sprintf("line %d, %s, was not in the cache: %s", miss.Line, shorten(miss.Instruction), missReason(miss))}
	switch advice := miss.Advice; advice.Kind {
	case catalog.AdviceCopyFirst:
		put := advice.Copy
		if advice.Run != "" {
			put += " and " + advice.Run
		}
		lines = append(lines, fmt.Sprintf("put %s before it, and line %d right behind that", put, advice.Line))
	case catalog.AdviceMoveUp:
		lines = append(lines, fmt.Sprintf("move line %d above it", advice.Line))
	case catalog.AdviceIgnore:
		lines = append(lines, "if it does not need them, list them in .dockerignore")
	case catalog.AdviceArgLater:
		lines = append(lines, fmt.Sprintf("declare %s by ARG behind it, if it does not use that", few(advice.Names, len(advice.Names))))
	}
	return lines
}

func missReason(miss *catalog.CacheMiss) string {
	since := "since " + miss.Since
	switch miss.Cause {
	case catalog.MissNoCache:
		return "the build was asked for without the cache"
	case catalog.MissInstruction:
		return "it is new or was changed " + since
	case catalog.MissFiles:
		return few(miss.Files, miss.Changed) + " changed " + since
	case catalog.MissArgs:
		return "build arg " + few(miss.Args, len(miss.Args)) + " changed " + since
	case catalog.MissBase:
		return fmt.Sprintf("its base image changed %s, from %s to %s", since, miss.BaseWas, miss.BaseIs)
	}
	return "neither it nor its files changed " + since + "; the cache no longer had it, or a file of another image changed"
}

// few names the first of some names, and says how many there are besides.
func few(names []string, all int) string {
	const most = 3
	text := strings.Join(names[:min(most, len(names))], ", ")
	if more := all - min(most, len(names)); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
