package builder

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docker/go-units"

	"github.com/fandoghpaas/fandogh/catalog"
)

const slowestShown = 3

// stepSet is an attempt's steps, merged by digest. The zero value is empty. It is safe for concurrent use.
type stepSet struct {
	mu       sync.Mutex
	byDigest map[string]int
	steps    []catalog.Step
}

// put takes a step as it stands now.
func (s *stepSet) put(step catalog.Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byDigest == nil {
		s.byDigest = map[string]int{}
	}
	if at, known := s.byDigest[step.Digest]; known {
		s.steps[at] = step
		return
	}
	s.byDigest[step.Digest] = len(s.steps)
	s.steps = append(s.steps, step)
}

// list returns the steps in the order they started, those that never did last.
func (s *stepSet) list() []catalog.Step {
	s.mu.Lock()
	sorted := slices.Clone(s.steps)
	s.mu.Unlock()
	slices.SortStableFunc(sorted, func(a, b catalog.Step) int {
		if a.StartedAt.IsZero() != b.StartedAt.IsZero() {
			if a.StartedAt.IsZero() {
				return 1
			}
			return -1
		}
		return a.StartedAt.Compare(b.StartedAt)
	})
	return sorted
}

// cached counts the steps that BuildKit took from its cache.
func (s *stepSet) cached() int {
	n := 0
	for _, step := range s.list() {
		if step.Cached {
			n++
		}
	}
	return n
}

// slowest returns the steps that took longest, longest first.
func (s *stepSet) slowest() []catalog.Step {
	ran := slices.DeleteFunc(s.list(), func(step catalog.Step) bool { return step.Cached || took(step) <= 0 })
	slices.SortStableFunc(ran, func(a, b catalog.Step) int { return cmp.Compare(took(b), took(a)) })
	return ran[:min(len(ran), slowestShown)]
}

// platformTime is how long the steps for a platform took, from the first to the last.
type platformTime struct {
	name         string
	began, ended time.Time
	took         time.Duration
}

// platforms returns the times of a build's platforms, sorted by name; none where it has one. What was cached took none.
func (s *stepSet) platforms() []platformTime {
	byName := map[string]platformTime{}
	for _, step := range s.list() {
		if step.Platform == "" {
			continue
		}
		p := byName[step.Platform]
		p.name = step.Platform
		if !step.Cached && took(step) > 0 {
			if p.began.IsZero() {
				p.began = step.StartedAt
			}
			if step.EndedAt.After(p.ended) {
				p.ended = step.EndedAt
			}
			p.took = p.ended.Sub(p.began)
		}
		byName[step.Platform] = p
	}
	return slices.SortedFunc(maps.Values(byName), func(a, b platformTime) int { return strings.Compare(a.name, b.name) })
}

// labelled yields lines of a summary: the first has the label.
func labelled[T any](label string, lines []T) iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		for _, line := range lines {
			if !yield(label, line) {
				return
			}
			label = ""
		}
	}
}

func took(step catalog.Step) time.Duration {
	if step.StartedAt.IsZero() || step.EndedAt.IsZero() {
		return 0
	}
	return step.EndedAt.Sub(step.StartedAt)
}

// summarize ends the log of a build that succeeded.
func (a *attempt) summarize(ctx context.Context, result SolveResult, unchanged string, ended time.Time) {
	reference := a.reference(a.builder.config.PublicRegistry(), a.build.Version)
	if unchanged != "" {
		a.log.sayf("%s: it has that version's layers, and no step was run", unchanged)
	}
	a.log.sayf("")
	a.log.sayf("Built %s in %s", a.name(), humanTime(ended.Sub(a.build.StartedAt)))
	a.log.sayf("  image    %s", reference)
	a.log.sayf("  digest   %s", result.Digest)
	a.log.sayf("  size     %s", humanSize(result.Size))
	if unchanged == "" {
		a.summarizeSteps()
		a.summarizeMiss(ctx)
	}
	a.log.sayf("  pull     docker pull %s", reference)
}

// unchanged says why an image has the layers of an earlier version; empty: it was built.
func (a *attempt) unchanged(result SolveResult) string {
	since := result.SameAs
	if since == "" {
		return ""
	}
	if paths := a.facts.Paths; len(paths) > 0 {
		const most = 5
		names := strings.Join(paths[:min(most, len(paths))], ", ")
		if len(paths) > most {
			names += ", …"
		}
		return fmt.Sprintf("Nothing under paths (%s) has changed since version %s, and all else that this is built from is the same", names, since)
	}
	return "All that this is built from is the same as in version " + since
}

// summarizeSteps says what a build's steps took.
func (a *attempt) summarizeSteps() {
	for label, platform := range labelled("platform", a.steps.platforms()) {
		a.log.sayf("  %-8s %7s  %s", label, humanTime(platform.took), platform.name)
	}
	a.log.sayf("  cached   %d of %s", a.steps.cached(), plural(len(a.steps.steps), "step"))
	for label, step := range labelled("slowest", a.steps.slowest()) {
		a.log.sayf("  %-8s %7s  %s", label, humanTime(took(step)), shorten(step.Name))
	}
}

// nextStep says what the user can do after each outcome; %s is how to ask again.
var nextStep = map[catalog.Outcome]string{
	catalog.OutcomeUserError:      "Fix it and %s.",
	catalog.OutcomeTimeout:        "Make the build faster, or ask the server's administrator for a longer timeout; then %s.",
	catalog.OutcomeOutOfMemory:    "Make the build use less memory, or ask the server's administrator for a higher limit; then %s.",
	catalog.OutcomeProcessLimit:   "Make the build start fewer processes at once, or ask the server's administrator for a higher limit; then %s.",
	catalog.OutcomeDiskLimit:      "Make the build write less, or ask the server's administrator for a higher limit; then %s.",
	catalog.OutcomeCancelled:      "To build it after all, %s.",
	catalog.OutcomeInfrastructure: "This is not your build's fault. Try later, or ask the server's administrator; then %s.",
}

// ownLimit says the same where the limit is one that the repository has set itself.
func (a *attempt) ownLimit(outcome catalog.Outcome) (next string, ok bool) {
	switch own, may := a.limits, a.may; {
	case outcome == catalog.OutcomeTimeout && own.Timeout != may.Timeout:
		return "Make the build faster, or set a longer build.limits.timeout in .fandogh/config.yml; then %s.", true
	case outcome == catalog.OutcomeOutOfMemory && own.Memory != may.Memory:
		return "Make the build use less memory, or set a higher build.limits.memory in .fandogh/config.yml; then %s.", true
	case outcome == catalog.OutcomeProcessLimit && own.PIDs != may.PIDs:
		return "Make the build start fewer processes at once, or set a higher build.limits.pids in .fandogh/config.yml; then %s.", true
	case outcome == catalog.OutcomeDiskLimit && own.Disk != may.Disk:
		return "Make the build write less, or set a higher build.limits.disk in .fandogh/config.yml; then %s.", true
	}
	return "", false
}

// askAgain says how to ask for a build once more, by the way it was asked for. Where the image takes signed tags alone,
// it is empty for what has no tag.
func askAgain(build catalog.Build, signedAlone bool) string {
	kind := "-f"
	switch {
	case signedAlone || build.Signature.Signed():
		kind = "-f -s"
	case build.TagObject != "":
		kind = "-f -a"
	}
	branch := build.Options.Branch
	switch {
	case signedAlone && (branch != "" || build.Trigger == catalog.TriggerUpload):
		return ""
	case build.Trigger == catalog.TriggerUpload:
		return fmt.Sprintf("publish %s again", build.Version)
	case branch != "" && build.Trigger == catalog.TriggerGitHub:
		return fmt.Sprintf("push a new commit of branch %s to GitHub, or rebuild %s", branch, build.Version)
	case branch != "":
		return fmt.Sprintf("push a new commit of branch %s, or rebuild %s", branch, build.Version)
	case build.Trigger == catalog.TriggerGitHub:
		return fmt.Sprintf("push %s to GitHub again (git tag %s %[1]s moves the tag to a new commit, git push -f replaces it there)", build.Tag, kind)
	case build.Trigger == catalog.TriggerRebuild:
		return fmt.Sprintf("rebuild %s, or push %s again (git tag %s %[2]s moves the tag to a new commit)", build.Version, build.Tag, kind)
	}
	return fmt.Sprintf("push %s again (git tag %s %[1]s moves the tag to a new commit)", build.Tag, kind)
}

// explain ends the log of a build that failed.
func (a *attempt) explain(failure *SolveError) {
	a.log.sayf("")
	for _, line := range failure.Detail {
		a.log.sayf("%s", line)
	}
	if len(failure.Detail) > 0 {
		a.log.sayf("")
	}
	a.log.sayf("%s was not built (%s): %s", a.name(), strings.ReplaceAll(string(failure.Outcome), "_", " "), failure.Message)
	next, ok := nextStep[failure.Outcome]
	if own, isOwn := a.ownLimit(failure.Outcome); isOwn {
		next = own
	}
	if failure.Retry == RetryFree {
		next = "Look for a step that uses a lot of memory, or ask the server's administrator why BuildKit stopped; then %s."
	}
	if again := askAgain(a.build, a.refusedTag); ok && again != "" {
		a.log.sayf(next, again)
	}
}

// shorten keeps a step's name on one line of a terminal.
func shorten(name string) string {
	const most = 70
	name = strings.Join(strings.Fields(name), " ")
	if runes := []rune(name); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return name
}

// humanTime rounds to what a person wants to know: "0.3s", "12.4s", "3m20s".
func humanTime(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", max(0, d).Seconds())
	}
	text := d.Round(time.Second).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	return text
}

// humanSize writes bytes in powers of 1000, as registries do: "12.43MB".
func humanSize(bytes int64) string { return units.HumanSize(float64(bytes)) }

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
