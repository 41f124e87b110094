//go:build browser

package web_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/web"
)

// longLogs have a hundred thousand lines, of two steps that print by turns.
type longLogs struct{ fakeLogs }

const longLog = 100_000

func (longLogs) ReadLog(_ context.Context, _ int64, skip, limit int) ([]catalog.LogLine, error) {
	var lines []catalog.LogLine
	for n := skip + 1; n <= longLog && (limit == 0 || len(lines) < limit); n++ {
		text := fmt.Sprintf("#%d | line %d", 1+n/100%2, n)
		switch n {
		case 1:
			text = "#1 [1/2] RUN one"
		case 2:
			text = "#2 [2/2] RUN two"
		case 77_777:
			text = "#1 | the Needle " + evil
		case longLog:
			text = "Built"
		}
		lines = append(lines, catalog.LogLine{Text: text})
	}
	return lines, nil
}

// A log of a hundred thousand lines is a window: few lines are elements, whichever is looked for.
func TestBrowserLongLog(t *testing.T) {
	e := newEnv(t, func(c *web.Config) { c.Logs = longLogs{c.Logs.(fakeLogs)} })
	b := newSignedInTab(t, e)
	const elements = `String(document.querySelectorAll("#log li").length < 200)`
	b.Do("the end", chromedp.Navigate(e.url+"/images/ann/app/v1/1"), chromedp.WaitVisible(chromedp.CSS(`.window #L100000`)))
	if got := b.Evaluate(elements + ` + document.querySelector("#L100000 .text").textContent`); got != "trueBuilt" {
		t.Errorf("at the end: %s", got)
	}
	b.Do("a line", chromedp.Navigate(e.url+"/images/ann/app/v1/1?x#L50000"), chromedp.WaitVisible(chromedp.CSS(`.window #L50000.target .text`)))
	if got := b.Evaluate(elements + ` + document.querySelector("#L50000 .text").textContent`); got != "true#1 | line 50000" {
		t.Errorf("a line in the middle: %s", got)
	}
	b.Do("a search", chromedp.SendKeys(chromedp.CSS(`#logtools input[name=q]`), "needle\r"), chromedp.WaitVisible(chromedp.CSS(`#L77777.target.marked .text`)))
	if got := b.Evaluate(`document.getElementById("found").textContent + document.querySelector("#L77777 .text").textContent`); got != "1 / 1#1 | the Needle "+evil {
		t.Errorf("a search: %s", got)
	}
	b.Do("the begin", chromedp.Evaluate[chromedp.Void](`document.getElementById("log").scrollTop = 0`), chromedp.WaitVisible(chromedp.CSS(`#L1 button`)))
	b.Do("a fold", chromedp.Click(chromedp.CSS(`#L1 button`)), chromedp.WaitVisible(chromedp.CSS(`#L1 button[aria-expanded=false]`)))
	if got := b.Evaluate(`Array.from(document.querySelectorAll("#log li")).slice(0, 3).map(li => li.id).join() + document.querySelectorAll("#L100").length`); got != "L1,L2,L1000" && got != "L1,L2,L1001" {
		t.Errorf("with a step folded away the window begins with %s", got)
	}
	b.Do("times", chromedp.Click(chromedp.CSS(`#logtools input[name=times]`)), chromedp.WaitVisible(chromedp.CSS(`.times #L1 .at`)))
	b.Do("all unfolded", chromedp.Click(chromedp.CSS(`button[name=foldall]`)), chromedp.WaitVisible(chromedp.CSS(`#L1 button[aria-expanded=true]`)))
	b.Keep("log")
}

// growing is a build that prints as the test says, and then fails.
type growing struct {
	fakeLogs
	mu      sync.Mutex
	lines   []catalog.LogLine
	changed chan struct{}
	ended   bool
}

func (g *growing) print(end bool, texts ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, text := range texts {
		g.lines = append(g.lines, catalog.LogLine{Text: text})
	}
	g.ended = end
	close(g.changed)
	g.changed = make(chan struct{})
}

func (g *growing) ReadLog(_ context.Context, _ int64, skip, limit int) ([]catalog.LogLine, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	lines := g.lines[min(skip, len(g.lines)):]
	if limit > 0 {
		lines = lines[:min(limit, len(lines))]
	}
	return append([]catalog.LogLine{}, lines...), nil
}

func (g *growing) FollowLog(ctx context.Context, id int64, skip int, emit func([]catalog.LogLine) error) (catalog.Build, error) {
	for {
		g.mu.Lock()
		lines, changed, ended := g.lines[min(skip, len(g.lines)):], g.changed, g.ended
		g.mu.Unlock()
		if skip += len(lines); len(lines) > 0 {
			if err := emit(lines); err != nil {
				return catalog.Build{}, err
			}
		}
		if ended {
			return g.store.Build(ctx, id)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return catalog.Build{}, ctx.Err()
		}
	}
}

// A build is seen line by line while it prints, each step begins and ends, and what it fails with is shown when it ended.
func TestBrowserFollowsABuild(t *testing.T) {
	g := &growing{changed: make(chan struct{})}
	e := newEnv(t, func(c *web.Config) { g.fakeLogs = c.Logs.(fakeLogs); c.Logs = g })
	b := newSignedInTab(t, e)
	g.print(false, "Building")
	b.Do("a build that runs", chromedp.Navigate(e.url+"/images/ann/app/v3/1"), chromedp.WaitVisible(chromedp.CSS(`.window #L1 .text`)))
	for n, line := range []string{"#7 [2/2] RUN make " + evil, "#7 | " + evil, "#7 | more"} {
		g.print(false, line)
		b.Do(line, chromedp.WaitVisible(chromedp.CSS(fmt.Sprintf(`.window #L%d .text`, n+2))))
		if got := b.Evaluate(fmt.Sprintf(`document.querySelector("#L%d .text").textContent`, n+2)); got != line {
			t.Errorf("the browser shows %q, want %q", got, line)
		}
	}
	b.Do("a step that runs", chromedp.WaitVisible(chromedp.CSS(`#steps tr.running[data-number="7"]`)))
	b.Keep("follow")
	g.print(false, "#7 ERROR exit code: 2")
	b.Do("a step that failed", chromedp.WaitVisible(chromedp.CSS(`#steps tr[data-number="7"]:not(.running)`)))
	if got := b.Evaluate(`document.querySelector('#steps tr[data-number="7"]').innerText.replace(/\s+/g, " ")`); got != "7. [2/2] RUN make "+evil+" ERROR exit code: 2" {
		t.Errorf("the step that failed is shown as %q", got)
	}
	e.finish("v3", catalog.OutcomeUserError)
	g.print(true, "ann/app:v3 was not built")
	b.Do("a build that failed", chromedp.WaitVisible(chromedp.CSS(`.state.build_failed`)), chromedp.WaitVisible(chromedp.CSS(`.window #L6 .text`)))
}

// What is in a version, what changed, and why its build was slow can be read on a screen and on a phone, in both languages.
func TestBrowserVersions(t *testing.T) {
	e := newEnv(t)
	e.finish("v3", catalog.OutcomeBuilt)
	b := newSignedInTab(t, e)
	for _, language := range []string{"en", "fa"} {
		for _, width := range []int64{1280, 390} {
			for _, path := range []string{"/images/ann/app/v3", "/images/ann/app/v3/files", "/images/ann/app/v3/files?layer=1&path=/etc", "/images/ann/app/v3/files?path=/bomb", "/images/ann/app/v3/changes", "/images/ann/app/v3/1"} {
				b.Look(path, language, width)
			}
		}
		if language == "en" {
			b.ToPersian()
		}
	}
	b.Do("a directory", chromedp.Navigate(e.url+"/images/ann/app/v3/files"), chromedp.Click(chromedp.CSS(`main td a`)), chromedp.WaitVisible(chromedp.CSS(`.path a[aria-current=page]:not(:first-child)`)))
	b.Do("the changes", chromedp.Navigate(e.url+"/images/ann/app/v3"), chromedp.Click(chromedp.CSS(`main a[href$="/changes"]`)), chromedp.WaitVisible(chromedp.CSS(`select[name=since]`)))
	if got := b.Evaluate(`String(document.querySelectorAll("main tbody tr").length) + document.querySelector("main tbody code").textContent`); got != "3/"+evil {
		t.Errorf("the changes are shown as %s", got)
	}
}
