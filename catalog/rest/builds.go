package rest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
)

// builds serves the two shapes in use: the contract's array, and one object
// about the newest build for clients that poll with image_offset.
func (c *call) builds() (any, error) {
	timestamps, err := c.boolean("with_timestamp")
	if err != nil {
		return nil, err
	}
	if c.r.URL.Query().Has("image_offset") {
		return c.pollBuild(timestamps)
	}
	_, version, err := c.version()
	if err != nil {
		return nil, err
	}
	return list(c, func(page catalog.Page) ([]buildWithLog, error) {
		return c.buildsWithLogs(version.ID, page, timestamps)
	}, func(b buildWithLog) int64 { return b.id }, func(b buildWithLog) api.Build { return b.Build })
}

type buildWithLog struct {
	api.Build
	id int64
}

func (c *call) buildsWithLogs(versionID int64, page catalog.Page, timestamps bool) ([]buildWithLog, error) {
	builds, err := c.server.config.Store.ListBuilds(c.r.Context(), versionID, page)
	if err != nil {
		return nil, err
	}
	var out []buildWithLog
	room := mostLogs
	for _, b := range builds {
		log, err := c.boundedLog(b, timestamps, room)
		if err != nil {
			return nil, err
		}
		room -= len(log)
		out = append(out, buildWithLog{id: b.ID, Build: api.Build{
			Logs:      log,
			StartDate: api.Time{Time: b.StartedAt},
			EndDate:   api.Time{Time: b.EndedAt},
			State:     string(b.State),
		}})
	}
	return out, nil
}

// mostLogs bounds the logs of all builds in one answer, in bytes: a log may have 64 MiB, and a
// version many builds.
const mostLogs = 8 << 20

// boundedLog returns the beginning of a build's log, and says where the rest is.
func (c *call) boundedLog(b catalog.Build, timestamps bool, room int) (string, error) {
	if gone := b.CheckLog(); gone != nil {
		return "(" + catalog.MessageOf(gone) + ")", nil
	}
	var log strings.Builder
	for skip := 0; log.Len() < room; {
		lines, err := c.server.config.Logs.ReadLog(c.r.Context(), b.ID, skip, pollLines)
		if err != nil {
			return "", err
		}
		if len(lines) == 0 {
			return log.String(), nil
		}
		if skip > 0 {
			log.WriteByte('\n')
		}
		for i, line := range lines {
			if i > 0 {
				log.WriteByte('\n')
			}
			if log.WriteString(lineText(line, timestamps)); log.Len() >= room {
				break
			}
		}
		skip += len(lines)
	}
	fmt.Fprintf(&log, "\n… (the rest is left out; get the full log at …/builds/%d/log)", b.Number)
	return log.String(), nil
}

// pollLines bounds one answer to a polling client, which gives up after 3.5 s.
const pollLines = 10_000

func (c *call) pollBuild(timestamps bool) (api.BuildLog, error) {
	offset, err := strconv.Atoi(c.r.URL.Query().Get("image_offset"))
	if err != nil || offset < 0 {
		return api.BuildLog{}, catalog.FieldErrorf("image_offset", "image_offset must be a number, 0 or greater")
	}
	// The state is read before the log: a client that sees that the build ended stops
	// asking, and must have all of its lines by then.
	build, err := c.newestBuild()
	if err != nil {
		return api.BuildLog{}, err
	}
	lines, err := c.server.config.Logs.ReadLog(c.r.Context(), build.ID, offset, pollLines)
	if err != nil {
		return api.BuildLog{}, err
	}
	state := build.State
	switch {
	case len(lines) == pollLines && state.Ended():
		state = catalog.Building // there may be more to fetch
	case state == catalog.BuildFailed:
		state = catalog.Failed // the one failure these clients know
	}
	return api.BuildLog{Logs: joinLines(lines, timestamps), LinesCount: offset + len(lines), State: string(state), StartDate: api.Time{Time: build.StartedAt}, EndDate: api.Time{Time: build.EndedAt}}, nil
}

// boolean reads a query parameter as its clients write it: True, False, 1, …
func (c *call) boolean(name string) (bool, error) {
	text := c.r.URL.Query().Get(name)
	if text == "" {
		return false, nil
	}
	value, err := strconv.ParseBool(text)
	if err != nil {
		return false, catalog.FieldErrorf(name, "%s must be true or false", name)
	}
	return value, nil
}

func joinLines(lines []catalog.LogLine, timestamps bool) string {
	var b strings.Builder
	for i, line := range lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(lineText(line, timestamps))
	}
	return b.String()
}

// lineText prefixes a line with how long into the build it was printed.
func lineText(line catalog.LogLine, timestamps bool) string {
	text := strings.ToValidUTF8(line.Text, "\uFFFD")
	if !timestamps {
		return text
	}
	at := line.Offset.Truncate(time.Millisecond)
	return fmt.Sprintf("[%02d:%06.3f] %s", int(at.Minutes()), (at % time.Minute).Seconds(), text)
}

func (c *call) buildDetail(b catalog.Build) (api.BuildDetail, error) {
	steps, err := c.server.config.Store.Steps(c.r.Context(), b.ID)
	if err != nil {
		return api.BuildDetail{}, err
	}
	queue, err := c.queue(b)
	if err != nil {
		return api.BuildDetail{}, err
	}
	return api.BuildDetail{
		Number:   b.Number,
		State:    string(b.State),
		Trigger:  string(b.Trigger),
		Outcome:  string(b.Outcome),
		Message:  b.Message,
		Commit:   b.Commit,
		Options:  b.Options.Words(c.mayDo(catalog.ActionWrite) == nil),
		QueuedAt: api.Time{Time: b.QueuedAt},
		Start:    api.Time{Time: b.StartedAt},
		End:      api.Time{Time: b.EndedAt},
		Steps:    convertAll(steps, stepOf),
		Queue:    queue,
	}, nil
}

// queue says where a build stands that waits; nil for others.
func (c *call) queue(b catalog.Build) (*api.Queue, error) {
	if b.State != catalog.Pending {
		return nil, nil
	}
	place, err := c.server.config.Control.Queued(c.r.Context(), b.ID)
	if catalog.CodeOf(err) == catalog.NotFound { // it started meanwhile
		return nil, nil
	}
	return &api.Queue{Place: place.Place, Waiting: place.Waiting, Running: place.Running, Why: place.Why}, err
}

func stepOf(s catalog.Step) api.Step {
	out := api.Step{Name: s.Name, Platform: s.Platform, Start: api.Time{Time: s.StartedAt}, Cached: s.Cached, Error: s.Error}
	if !s.StartedAt.IsZero() && !s.EndedAt.IsZero() {
		out.Millis = s.EndedAt.Sub(s.StartedAt).Milliseconds()
	}
	return out
}

// numberedBuild returns the build that the path names by its number.
func (c *call) numberedBuild(ctx context.Context) (catalog.Build, error) {
	number, err := strconv.Atoi(c.r.PathValue("build"))
	if err != nil {
		return catalog.Build{}, catalog.FieldErrorf("build", "%q is not a valid build number", c.r.PathValue("build"))
	}
	_, version, err := c.version()
	if err != nil {
		return catalog.Build{}, err
	}
	return c.server.config.Store.BuildByNumber(ctx, version.ID, number)
}

// diagnosis says why a build was slow.
func (c *call) diagnosis() (api.Diagnosis, error) {
	ctx := c.r.Context()
	build, err := c.numberedBuild(ctx)
	if err != nil {
		return api.Diagnosis{}, err
	}
	steps, err := c.server.config.Store.Steps(ctx, build.ID)
	if err != nil {
		return api.Diagnosis{}, err
	}
	found, err := c.server.config.Diagnoses.Diagnose(ctx, build, steps)
	out := api.Diagnosis{Dockerfile: found.Dockerfile}
	if miss := found.Miss; miss != nil {
		out.Miss = &api.CacheMiss{Line: miss.Line, Instruction: miss.Instruction, Millis: stepOf(miss.Step).Millis, Cause: string(miss.Cause), Since: miss.Since,
			Files: orEmpty(miss.Files), Changed: miss.Changed, Args: orEmpty(miss.Args), BaseWas: miss.BaseWas, BaseIs: miss.BaseIs}
		if advice := miss.Advice; advice.Kind != "" {
			out.Miss.Advice = &api.Advice{Kind: string(advice.Kind), Line: advice.Line, Copy: advice.Copy, Run: advice.Run, Names: orEmpty(advice.Names)}
		}
	}
	return out, err
}

// orEmpty keeps null out of the JSON.
func orEmpty(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}
