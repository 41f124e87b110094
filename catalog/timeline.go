package catalog

import "time"

// TimedStep is a step with what it waited for.
type TimedStep struct {
	Step
	Waited   int           // place of the input that ended last, among the steps; -1: none is known
	Critical bool          // it is of those without which the build would have been shorter
	Begin    time.Duration // since the first step started; both are 0 of a step that never did
	Took     time.Duration // 0: it has not ended
}

// Timeline says of steps, in the order in which they started, who waited for whom. The critical path leads back from the step that ended last; where
// the inputs of one are not known, it goes on at the step that had ended last when that one started.
func Timeline(steps []Step) []TimedStep {
	places := make(map[string]int, len(steps))
	for i, s := range steps {
		places[s.Digest] = i
	}
	timed := make([]TimedStep, len(steps))
	last := -1
	for i, s := range steps {
		timed[i] = TimedStep{Step: s, Waited: -1}
		for _, input := range s.Inputs {
			if at, ok := places[input]; ok && at != i && !steps[at].EndedAt.IsZero() && (timed[i].Waited < 0 || steps[at].EndedAt.After(steps[timed[i].Waited].EndedAt)) {
				timed[i].Waited = at
			}
		}
		if s.StartedAt.IsZero() {
			continue
		}
		timed[i].Begin = s.StartedAt.Sub(steps[0].StartedAt)
		if s.EndedAt.IsZero() {
			continue
		}
		timed[i].Took = max(0, s.EndedAt.Sub(s.StartedAt))
		if last < 0 || s.EndedAt.After(steps[last].EndedAt) {
			last = i
		}
	}
	for at := last; at >= 0 && !timed[at].Critical; {
		timed[at].Critical = true
		if at = before(timed, at); at < 0 {
			break
		}
	}
	return timed
}

// before returns the place of the step that one waited for; -1: it waited for none.
func before(timed []TimedStep, at int) int {
	if timed[at].Waited >= 0 {
		return timed[at].Waited
	}
	found := -1
	for i, s := range timed {
		if i != at && !s.EndedAt.IsZero() && !s.EndedAt.After(timed[at].StartedAt) && (found < 0 || s.EndedAt.After(timed[found].EndedAt)) {
			found = i
		}
	}
	return found
}
