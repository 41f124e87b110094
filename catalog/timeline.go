package catalog

import "time"

// TimedStep is a step with what it waited for.
type TimedStep struct {
	Step
	Waited   int           // place of the input that was there last, among the steps; -1: none is known
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
	there := whenThere(steps, places)
	timed := make([]TimedStep, len(steps))
	last := -1
	for i, s := range steps {
		timed[i] = TimedStep{Step: s, Waited: -1}
		for _, input := range s.Inputs {
			if at, ok := places[input]; ok && at != i && !steps[at].EndedAt.IsZero() && (timed[i].Waited < 0 || there[at].After(there[timed[i].Waited])) {
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

// whenThere returns since when there was what each step makes: since it ended, or of one that was in the cache, since its inputs were. BuildKit tells of
// such a step when it needs it, which is often long after.
func whenThere(steps []Step, places map[string]int) []time.Time {
	there, asked := make([]time.Time, len(steps)), make([]bool, len(steps))
	var ask func(i int) time.Time
	ask = func(i int) time.Time {
		if asked[i] {
			return there[i]
		}
		asked[i] = true
		if there[i] = steps[i].EndedAt; !steps[i].Cached {
			return there[i]
		}
		there[i] = time.Time{}
		for _, input := range steps[i].Inputs {
			if at, ok := places[input]; ok {
				if since := ask(at); since.After(there[i]) {
					there[i] = since
				}
			}
		}
		return there[i]
	}
	for i := range steps {
		ask(i)
	}
	return there
}

// before returns the place of the step that one waited for; -1: it waited for none.
func before(timed []TimedStep, at int) int {
	if timed[at].Waited >= 0 {
		return timed[at].Waited
	}
	found := -1
	for i, s := range timed {
		if i != at && !s.EndedAt.IsZero() && !s.EndedAt.After(timed[at].StartedAt) && (found < 0 || !s.EndedAt.Before(timed[found].EndedAt)) {
			found = i
		}
	}
	return found
}
