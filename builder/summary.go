package builder

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker/go-units"

	"github.com/fandoghpaas/fandogh/catalog"
)

const slowestShown = 3

// stepSet is an attempt's steps, merged by digest. The zero value is empty.
type stepSet struct {
	byDigest map[string]int
	steps    []catalog.Step
}

// put takes a step as it stands now.
func (s *stepSet) put(step catalog.Step) {
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
	sorted := slices.Clone(s.steps)
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
	for _, step := range s.steps {
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

func took(step catalog.Step) time.Duration {
	if step.StartedAt.IsZero() || step.EndedAt.IsZero() {
		return 0
	}
	return step.EndedAt.Sub(step.StartedAt)
}

// summarize ends the log of a build that succeeded.
func (a *attempt) summarize(result SolveResult, ended time.Time) {
	reference := a.reference(a.builder.config.PublicRegistry())
	a.log.sayf("")
	a.log.sayf("Built %s in %s", a.name(), humanTime(ended.Sub(a.build.StartedAt)))
	a.log.sayf("  image    %s", reference)
	a.log.sayf("  digest   %s", result.Digest)
	a.log.sayf("  size     %s", humanSize(result.Size))
	a.log.sayf("  cached   %d of %s", a.steps.cached(), plural(len(a.steps.steps), "step"))
	label := "slowest"
	for _, step := range a.steps.slowest() {
		a.log.sayf("  %-8s %7s  %s", label, humanTime(took(step)), shorten(step.Name))
		label = ""
	}
	a.log.sayf("  pull     docker pull %s", reference)
}

// nextStep says what the user can do after each outcome; %s is how to ask again.
var nextStep = map[catalog.Outcome]string{
	catalog.OutcomeUserError:      "Fix it and %s.",
	catalog.OutcomeTimeout:        "Make the build faster, or ask the server's administrator for a longer timeout; then %s.",
	catalog.OutcomeOutOfMemory:    "Make the build use less memory, or ask the server's administrator for a higher limit; then %s.",
	catalog.OutcomeCancelled:      "To build it after all, %s.",
	catalog.OutcomeInfrastructure: "This is not your build's fault. Try later, or ask the server's administrator; then %s.",
}

// again says how to ask for a build once more, by the way it was asked for; %s is
// the version.
var again = map[catalog.Trigger]string{
	catalog.TriggerPush:    "push %s again (git tag -f %[1]s moves the tag to a new commit)",
	catalog.TriggerUpload:  "publish %s again",
	catalog.TriggerGitHub:  "push %s to GitHub again",
	catalog.TriggerRebuild: "rebuild %s, or push it again",
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
	if failure.Retry == RetryFree {
		next = "Look for a step that uses a lot of memory, or ask the server's administrator why BuildKit stopped; then %s."
	}
	if ok {
		a.log.sayf(next, fmt.Sprintf(again[a.build.Trigger], a.build.Version))
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
