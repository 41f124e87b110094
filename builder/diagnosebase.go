package builder

import (
	"context"
	"regexp"
	"slices"

	"github.com/fandoghpaas/fandogh/catalog"
)

// pinnedBase is the image in the name of a FROM's step.
var pinnedBase = regexp.MustCompile(`\] FROM (\S+@sha256:[0-9a-f]{64})`)

// changedBase returns the base image of the stage of an instruction as it was and as it is, where it is another one and the instruction is the first that
// builds on it; empty: it is the same, or not known.
func (b *Builder) changedBase(ctx context.Context, was, now *examined, at int) (before, after string, err error) {
	stage := now.instructions[at].stage
	for i, one := range now.instructions[:at] {
		if one.stage == stage && one.word != "FROM" && len(now.of[i]) > 0 { // it came from the cache, on this base
			return "", "", nil
		}
	}
	if after = now.baseOf(stage, now.steps); after == "" {
		return "", "", nil
	}
	steps, err := b.store.Steps(ctx, was.build.ID)
	if err != nil {
		return "", "", err
	}
	if before = was.baseOf(stage, steps); before == "" || before == after {
		return "", "", nil
	}
	return before, after, nil
}

// baseOf returns the image that a stage begins with, as a build's steps name it; empty: it begins with a stage, or it is not known.
func (d *dockerfile) baseOf(stage int, steps []catalog.Step) string {
	from := slices.IndexFunc(d.instructions, func(i instruction) bool { return i.stage == stage && i.word == "FROM" && i.base < 0 })
	if from < 0 {
		return ""
	}
	for _, step := range steps {
		if found := pinnedBase.FindStringSubmatch(step.Name); found != nil && d.instructionOf(step.Name) == from {
			return found[1]
		}
	}
	return ""
}
