package web

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/requests"
)

const (
	logPage    = 1000      // lines of a log on one page
	logBytes   = 512 << 10 // of text on one page
	rawLines   = 10_000    // of a log that are read at once
	shownSteps = 500
)

// buildData is what the page of a build shows.
type buildData struct {
	Image    catalog.Image
	Build    catalog.Build
	By       string // who asked; empty: not known any more
	Place    *catalog.QueuePlace
	Steps    []catalog.Step
	Lines    []numberedLine
	LogGone  string // why there is no log any more
	Earlier  string // the page of the lines before, empty: there are none
	Later    string
	Last     int    // line that is shown
	Follow   string // where lines come from that are printed from now on; empty: the build has ended
	MayWrite bool
}

type numberedLine struct {
	Number int
	Parts  []part
}

// BuildPath is the path of the page of a build.
func BuildPath(b catalog.Build) string {
	return pathOf(b.Image.Namespace, b.Image.Name, b.Version, b.Number)
}

// build returns the image and the build that the path names. Errors: NotFound.
func (c *call) build() (catalog.Image, catalog.Build, error) {
	image, version, err := c.version()
	if err != nil {
		return image, catalog.Build{}, err
	}
	number, err := strconv.Atoi(c.r.PathValue("build"))
	if err != nil {
		return image, catalog.Build{}, catalog.Errorf(catalog.NotFound, "%q is not the number of a build", c.r.PathValue("build"))
	}
	build, err := c.server.config.Store.BuildByNumber(c.r.Context(), version.ID, number)
	return image, build, err
}

func (c *call) buildPage() error {
	ctx, store := c.r.Context(), c.server.config.Store
	image, build, err := c.build()
	if err != nil {
		return err
	}
	data := buildData{Image: image, Build: build, MayWrite: c.mayDo(catalog.ActionWrite) == nil}
	if build.UserID != 0 {
		user, err := store.UserByID(ctx, build.UserID)
		if err != nil && catalog.CodeOf(err) != catalog.NotFound {
			return err
		}
		data.By = user.Name
	}
	if data.Place, err = c.place(build); err != nil {
		return err
	}
	if data.Steps, err = store.Steps(ctx, build.ID); err != nil {
		return err
	}
	data.Steps = data.Steps[:min(len(data.Steps), shownSteps)]
	if gone := build.CheckLog(); gone != nil {
		data.LogGone = catalog.MessageOf(gone)
	} else if err := c.readPage(&data); err != nil {
		return err
	}
	return c.show(http.StatusOK, "build", "", data)
}

// readPage reads a page of the log: from the line that is asked for, else the end of it.
func (c *call) readPage(data *buildData) error {
	ctx, logs, id := c.r.Context(), c.server.config.Logs, data.Build.ID
	has := func(lines int) (bool, error) {
		some, err := logs.ReadLog(ctx, id, lines-1, 1)
		return len(some) > 0, err
	}
	from, err := strconv.Atoi(c.r.URL.Query().Get("from"))
	if err != nil || from < 1 {
		count, err := countLines(has)
		if err != nil {
			return err
		}
		from = max(1, count-logPage+1)
	}
	lines, err := logs.ReadLog(ctx, id, from-1, logPage+1)
	if err != nil {
		return err
	}
	here := BuildPath(data.Build)
	room := logBytes
	for i, line := range lines {
		if room -= min(len(line.Text), maxShownLine); i == logPage || room < 0 {
			data.Later = fmt.Sprintf("%s?from=%d", here, from+i)
			break
		}
		data.Lines = append(data.Lines, numberedLine{from + i, parseLine(line.Text)})
	}
	data.Last = from - 1 + len(data.Lines)
	if from > 1 {
		data.Earlier = fmt.Sprintf("%s?from=%d", here, max(1, from-logPage))
	}
	if !data.Build.State.Ended() && data.Later == "" {
		data.Follow = here + "/events"
	}
	return nil
}

// countLines finds how many lines a log has by asking whether it has so many: the log knows where lines are, not how many.
func countLines(has func(lines int) (bool, error)) (int, error) {
	low, high := 0, logPage // low it has
	for {
		ok, err := has(high)
		if err != nil {
			return 0, err
		}
		if !ok {
			break
		}
		low, high = high, 2*high
	}
	for low+1 < high {
		middle := low + (high-low)/2
		ok, err := has(middle)
		if err != nil {
			return 0, err
		}
		if ok {
			low = middle
		} else {
			high = middle
		}
	}
	return low, nil
}

// rawLog sends the log so far as it was printed.
func (c *call) rawLog() error {
	image, build, err := c.build()
	if err == nil {
		err = build.CheckLog()
	}
	if err != nil {
		return err
	}
	lines, err := c.server.config.Logs.ReadLog(c.r.Context(), build.ID, 0, rawLines)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	c.w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s-%s-%d.log"`, image.Ref.Name, build.Version, build.Number))
	for skip := 0; len(lines) > 0 && c.r.Context().Err() == nil; {
		var text strings.Builder
		for _, line := range lines {
			text.WriteString(strings.ToValidUTF8(line.Text, "\uFFFD") + "\n")
		}
		_, _ = io.WriteString(c.w, text.String()) // the context ends when the client goes away
		skip += len(lines)
		if lines, err = c.server.config.Logs.ReadLog(c.r.Context(), build.ID, skip, rawLines); err != nil {
			requests.Logger(c.r.Context()).Error("log incomplete", "build", build.ID, "error", err)
			panic(http.ErrAbortHandler) // so that the client sees that it is cut off
		}
	}
	return nil
}

// followLog streams the lines of a log behind one as they are printed, each as the parts that it is shown as, until the build ended.
func (c *call) followLog() error {
	_, build, err := c.build()
	if err == nil {
		err = build.CheckLog()
	}
	if err != nil {
		return err
	}
	after := c.r.Header.Get("Last-Event-ID")
	if after == "" {
		after = c.r.URL.Query().Get("after")
	}
	skip, err := strconv.Atoi(after)
	if err != nil || skip < 0 {
		return catalog.FieldErrorf("after", "after must be the number of a line")
	}
	stream := requests.OpenEvents(c.w, c.stillAllowed)
	defer stream.Close()
	_, err = c.server.config.Logs.FollowLog(c.r.Context(), build.ID, skip, func(lines []catalog.LogLine) error {
		var b strings.Builder
		for _, line := range lines {
			skip++
			data, err := json.Marshal(parseLine(line.Text))
			if err != nil {
				return err
			}
			requests.WriteEvent(&b, "", strconv.Itoa(skip), string(data))
		}
		return stream.Send(b.String())
	})
	if err == nil {
		var b strings.Builder
		requests.WriteEvent(&b, "end", "", "{}")
		err = stream.Send(b.String())
	}
	if err != nil { // the status is sent; ending without an end event makes clients reconnect
		requests.Logger(c.r.Context()).Debug("log stream interrupted", "build", build.ID, "error", err)
	}
	return nil
}

// took is how long a step ran; 0: it did not end.
func took(s catalog.Step) time.Duration {
	if s.StartedAt.IsZero() || s.EndedAt.IsZero() {
		return 0
	}
	return s.EndedAt.Sub(s.StartedAt)
}
