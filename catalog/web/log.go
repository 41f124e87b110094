package web

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/requests"
)

const (
	logPage    = 1000            // lines of a log on one page
	logBytes   = 512 << 10       // of text on one page
	rawLines   = 512             // of a log that are read at once: of 16 KiB each they may be many bytes
	windowSize = 500             // lines that a page with a script asks for at once, at most
	maxRuns    = 20_000          // runs of lines in an outline
	maxFound   = 1000            // lines that a search finds at once
	maxQuery   = 200             // bytes of what is searched for
	scanTime   = 5 * time.Second // for a look through a whole log
)

// lineKind is what a line says of its step.
type lineKind string

// Kinds of lines.
const (
	lineOther  lineKind = ""       // of no step
	lineBegin  lineKind = "begin"  // it starts
	lineOutput lineKind = "output" // what it printed
	lineEnd    lineKind = "end"    // how it ended
	lineWhole  lineKind = "whole"  // it starts and ends: it was cached
)

// stepLine is a line of a step, as builder/buildkit writes it: "#4 | text" is output, and nothing that a step prints looks like the others.
var (
	stepLine = regexp.MustCompile(`^#(\d{1,6}) (\| |\|$)?`)
	endLine  = regexp.MustCompile(`^#\d+ (?:done \d+\.\ds|CACHED|ERROR .*)$`)
)

// stepOfLine returns the number of the step that a line is of, 0 for none.
func stepOfLine(text string) (step int, kind lineKind) {
	found := stepLine.FindStringSubmatch(text)
	if found == nil {
		return 0, lineOther
	}
	step, _ = strconv.Atoi(found[1])
	switch {
	case found[2] != "":
		return step, lineOutput
	case endLine.MatchString(text):
		return step, lineEnd
	case strings.HasSuffix(text, " CACHED"):
		return step, lineWhole
	}
	return step, lineBegin
}

// shownLine is a line as pages have it.
type shownLine struct {
	Number int      `json:"-"`
	Millis int64    `json:"o"` // since the log began
	Step   int      `json:"s,omitempty"`
	Kind   lineKind `json:"k,omitempty"`
	Parts  []part   `json:"p"`
}

func newShownLine(number int, line catalog.LogLine) shownLine {
	step, kind := stepOfLine(line.Text)
	return shownLine{number, line.Offset.Milliseconds(), step, kind, parseLine(line.Text)}
}

// Time is when the line was written, since the log began: "1:02:03.4".
func (l shownLine) Time() string {
	d := time.Duration(l.Millis) * time.Millisecond
	text := fmt.Sprintf("%d:%02d.%d", int(d.Minutes())%60, int(d.Seconds())%60, l.Millis/100%10)
	if hours := int(d.Hours()); hours > 0 {
		text = fmt.Sprintf("%d:%02d:%02d.%d", hours, int(d.Minutes())%60, int(d.Seconds())%60, l.Millis/100%10)
	}
	return text
}

// logView is what the page of a build shows of its log.
type logView struct {
	Gone     string // why there is none any more
	At       string // path of the page
	Lines    []shownLine
	Times    bool // show when each line was written
	Query    string
	Found    []shownLine // lines with it
	FoundAll bool        // there are no others
	Earlier  string      // the page of the lines before, empty: there are none
	Later    string
	First    int    // line on the page
	Last     int    // line that is shown
	Follow   string // where lines come from that are printed from now on; empty: the build has ended
}

// ToLine is where a line is shown, without a script too.
func (v logView) ToLine(number int) string {
	return fmt.Sprintf("%s?from=%d#L%d", v.At, (number-1)/logPage*logPage+1, number)
}

// readLog reads a page of the log: from the line or the step that is asked for, else the end of it.
func (c *call) readLog(build catalog.Build) (logView, error) {
	query := c.r.URL.Query()
	v := logView{At: BuildPath(build), Times: query.Get("times") != "", Query: query.Get("q")}
	if gone := build.CheckLog(); gone != nil {
		v.Gone = catalog.MessageOf(gone)
		return v, nil
	}
	var err error
	if v.First, err = c.firstLine(build.ID, query); err != nil {
		return v, err
	}
	if v.Query != "" && len(v.Query) <= maxQuery {
		found, next, err := c.findLines(build.ID, 1, v.Query)
		if err != nil {
			return v, err
		}
		v.Found, v.FoundAll = found, next == 0
	}
	lines, err := c.server.config.Logs.ReadLog(c.r.Context(), build.ID, v.First-1, logPage+1)
	if err != nil {
		return v, err
	}
	room := logBytes
	for i, line := range lines {
		if room -= min(len(line.Text), maxShownLine); i == logPage || room < 0 {
			v.Later = fmt.Sprintf("%s?from=%d", v.At, v.First+i)
			break
		}
		v.Lines = append(v.Lines, newShownLine(v.First+i, line))
	}
	v.Last = v.First - 1 + len(v.Lines)
	if v.First > 1 {
		v.Earlier = fmt.Sprintf("%s?from=%d", v.At, max(1, v.First-logPage))
	}
	if !build.State.Ended() && v.Later == "" {
		v.Follow = v.At + "/events"
	}
	return v, nil
}

// firstLine finds the line that a page begins with.
func (c *call) firstLine(id int64, query url.Values) (int, error) {
	if from, err := strconv.Atoi(query.Get("from")); err == nil && from > 0 {
		return from, nil
	}
	if step, err := strconv.Atoi(query.Get("step")); err == nil && step > 0 {
		return c.lineOfStep(id, step)
	}
	count, err := countLines(func(lines int) (bool, error) {
		some, err := c.server.config.Logs.ReadLog(c.r.Context(), id, lines-1, 1)
		return len(some) > 0, err
	})
	return max(1, count-logPage+1), err
}

// lineOfStep finds where a step starts in the last attempt; the log's begin, where it does not.
func (c *call) lineOfStep(id int64, step int) (int, error) {
	found := 1
	_, err := c.scan(id, 1, func(number int, line catalog.LogLine) bool {
		if of, kind := stepOfLine(line.Text); of == step && (kind == lineBegin || kind == lineWhole) {
			found = number
		}
		return true
	})
	return found, err
}

// scan visits the lines there are now, from one on, until visit returns false or it has taken too long. It returns the line
// to go on at, 0 behind the last one.
func (c *call) scan(id int64, from int, visit func(number int, line catalog.LogLine) bool) (next int, err error) {
	begun := time.Now()
	for {
		lines, err := c.server.config.Logs.ReadLog(c.r.Context(), id, from-1, rawLines)
		if err != nil || len(lines) == 0 {
			return 0, err
		}
		for i, line := range lines {
			if !visit(from+i, line) {
				return from + i, nil
			}
		}
		if from += len(lines); time.Since(begun) > scanTime {
			return from, nil
		}
		if err := c.r.Context().Err(); err != nil {
			return 0, err
		}
	}
}

// findLines returns lines with a text, whatever the case of its letters, and where to go on; 0: there are no others.
func (c *call) findLines(id int64, from int, text string) (found []shownLine, next int, err error) {
	text = strings.ToLower(text)
	next, err = c.scan(id, from, func(number int, line catalog.LogLine) bool {
		if !strings.Contains(strings.ToLower(line.Text), text) {
			return true
		}
		if len(found) == maxFound {
			return false
		}
		found = append(found, newShownLine(number, line))
		return true
	})
	return found, next, err
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

// buildWithLog is build, where it has a log. Errors: NotFound.
func (c *call) buildWithLog() (catalog.Image, catalog.Build, error) {
	image, build, err := c.build()
	if err == nil {
		err = build.CheckLog()
	}
	return image, build, err
}

// logWindow answers with some lines of the log, for a page that shows a window of it.
func (c *call) logWindow() error {
	_, build, err := c.buildWithLog()
	if err != nil {
		return err
	}
	from, err := strconv.Atoi(c.r.URL.Query().Get("from"))
	if err != nil || from < 1 {
		return catalog.FieldErrorf("from", "from must be the number of a line")
	}
	lines, err := c.server.config.Logs.ReadLog(c.r.Context(), build.ID, from-1, windowSize)
	if err != nil {
		return err
	}
	shown := []shownLine{}
	for i, line := range lines {
		shown = append(shown, newShownLine(from+i, line))
	}
	return c.answer(shown)
}

// outline is which lines of a log are of which step.
type outline struct {
	Lines int      `json:"lines"` // there are now
	Runs  [][2]int `json:"runs"`  // the step whose output some lines are, 0 for others, and how many they are; of more runs than are told the rest is one of 0
}

func (c *call) logOutline() error {
	_, build, err := c.buildWithLog()
	if err != nil {
		return err
	}
	o := outline{Runs: [][2]int{}}
	next, err := c.scan(build.ID, 1, func(_ int, line catalog.LogLine) bool {
		step, kind := stepOfLine(line.Text)
		if kind != lineOutput {
			step = 0
		}
		if last := len(o.Runs) - 1; last >= 0 && (o.Runs[last][0] == step || len(o.Runs) == maxRuns) {
			if o.Runs[last][0] != step {
				o.Runs[last][0] = 0
			}
			o.Runs[last][1]++
		} else {
			o.Runs = append(o.Runs, [2]int{step, 1})
		}
		o.Lines++
		return true
	})
	if err != nil {
		return err
	}
	if next > 0 {
		return catalog.Errorf(catalog.Unavailable, "this log takes too long to read")
	}
	return c.answer(o)
}

// findInLog answers with the numbers of the lines that have a text.
func (c *call) findInLog() error {
	_, build, err := c.buildWithLog()
	if err != nil {
		return err
	}
	query := c.r.URL.Query()
	text, from := query.Get("q"), 1
	if text == "" || len(text) > maxQuery {
		return catalog.FieldErrorf("q", "q must have 1 to %d bytes", maxQuery)
	}
	if given := query.Get("from"); given != "" {
		if from, err = strconv.Atoi(given); err != nil || from < 1 {
			return catalog.FieldErrorf("from", "from must be the number of a line")
		}
	}
	found, next, err := c.findLines(build.ID, from, text)
	if err != nil {
		return err
	}
	numbers := []int{}
	for _, line := range found {
		numbers = append(numbers, line.Number)
	}
	return c.answer(struct {
		Lines []int `json:"lines"`
		Next  int   `json:"next"` // line to go on at; 0: there are no others
	}{numbers, next})
}

// answer sends what a script asked for.
func (c *call) answer(data any) error {
	body, err := json.Marshal(data)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/json")
	_, _ = c.w.Write(body) // a failed write is a client that went away
	return nil
}

// rawLog sends the log so far as it was printed.
func (c *call) rawLog() error {
	image, build, err := c.buildWithLog()
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
