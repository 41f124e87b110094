package web

import (
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/requests"
)

const (
	shownSteps = 500
	// timelineWidth is that of the whole build in its timeline, and minBar the least of a step's, which is to be seen.
	timelineWidth = 1000
	minBar        = 4
)

// stepRow is a step in the timeline of its build.
type stepRow struct {
	catalog.TimedStep
	WaitedFor int // number in the log of the step that it waited for; 0: for none, or it has no number
	X, Width  int // of its bar, of timelineWidth
	Running   bool
}

// steps returns the steps of a build: of one that runs as they stand now.
func (c *call) steps(build catalog.Build) ([]catalog.Step, error) {
	if build.State.Ended() {
		return c.server.config.Store.Steps(c.r.Context(), build.ID)
	}
	return c.server.config.Running.RunningSteps(build.ID), nil
}

// stepRows draws a timeline.
func stepRows(steps []catalog.Step, now time.Time) []stepRow {
	timed := catalog.Timeline(steps)
	rows := make([]stepRow, len(timed))
	var all time.Duration
	for i, s := range timed {
		running := !s.StartedAt.IsZero() && s.EndedAt.IsZero()
		if running && now.After(s.StartedAt) {
			s.Took = now.Sub(s.StartedAt)
		}
		rows[i] = stepRow{TimedStep: s, Running: running}
		all = max(all, s.Begin+s.Took)
		if s.Waited >= 0 {
			rows[i].WaitedFor = timed[s.Waited].Number
		}
	}
	for i := range rows {
		row := &rows[i]
		if row.StartedAt.IsZero() || all <= 0 {
			continue
		}
		row.Width = max(minBar, int(float64(row.Took)/float64(all)*timelineWidth))
		row.X = max(0, min(int(float64(row.Begin)/float64(all)*timelineWidth), timelineWidth-row.Width))
	}
	return rows[:min(len(rows), shownSteps)]
}

// diagnose looks into a build that has ended. A page that can't be told is complete without it.
func (c *call) diagnose(build catalog.Build, steps []catalog.Step) catalog.Diagnosis {
	if !build.State.Ended() || len(steps) == 0 || build.Commit == "" {
		return catalog.Diagnosis{}
	}
	found, err := c.server.config.Diagnoses.Diagnose(c.r.Context(), build, steps)
	if err != nil {
		requests.Logger(c.r.Context()).Warn("failed to look into a build", "build", build.ID, "error", err)
	}
	return found
}
