package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/web"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

func TestLogInParts(t *testing.T) {
	e := newEnv(t)
	b := e.signedIn("ann")
	const build = "/images/ann/app/v2/1/"
	for path, want := range map[string]string{
		"outline":           `{"lines":1203,"runs":[[0,3],[4,1198],[0,2]]}`,
		"lines?from=1201":   `[{"o":0,"s":4,"k":"output","p":[{"t":"#4 | line"}]},{"o":62300,"s":4,"k":"end","p":[{"t":"#4 done 1.2s"}]},{"o":0,"p":[{"t":"Built"}]}]`,
		"lines?from=5000":   `[]`,
		"find?q=BUILT":      `{"lines":[1203],"next":0}`,
		"find?q=%3Cscript":  `{"lines":[1],"next":0}`,
		"find?q=absent":     `{"lines":[],"next":0}`,
		"find?q=e&from=202": `{"lines":[` + strings.TrimSuffix(numbers(202, 1000), ",") + `],"next":1202}`,
	} {
		got := b.get(build + path)
		if strings.TrimSpace(got.body) != want || got.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %s %s, want %s", path, got.Status, got.body, want)
		}
	}
	var lines []json.RawMessage
	if err := json.Unmarshal([]byte(b.get(build+"lines?from=1").body), &lines); err != nil || len(lines) != 500 {
		t.Errorf("a window has %d lines, %v", len(lines), err)
	}
	for _, path := range []string{"lines", "lines?from=0", "lines?from=x", "find", "find?q=" + strings.Repeat("x", 201), "find?q=x&from=0"} {
		if got := b.get(build + path); got.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", path, got.Status)
		}
	}
	page := b.get("/images/ann/app/v2/1?q=built&times=1").body
	for _, want := range []string{`?from=1001#L1203`, `<span class="at">1:02.3</span>`, "Lines that contain this: 1."} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}
}

func numbers(from, count int) string {
	var b strings.Builder
	for i := range count {
		fmt.Fprintf(&b, "%d,", from+i)
	}
	return b.String()
}

// A page of a build that runs has its steps, without a script too.
func TestRunningSteps(t *testing.T) {
	e := newEnv(t)
	page := e.signedIn("ann").get("/images/ann/app/v3/1").body
	for _, want := range []string{`<tr data-number="2" class="running">`, "after step 1", "?step=2#log", `class="bar cached critical"`, "[2/2] RUN"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s: %s", want, page)
		}
	}
}

// chatty prints lines to all who follow, when told to.
type chatty struct {
	fakeLogs
	lines   int
	waiting atomic.Int32
	begin   chan struct{}
}

func (c *chatty) FollowLog(ctx context.Context, id int64, skip int, emit func([]catalog.LogLine) error) (catalog.Build, error) {
	c.waiting.Add(1)
	select {
	case <-c.begin:
	case <-ctx.Done():
		return catalog.Build{}, ctx.Err()
	}
	for n := skip; n < c.lines; n += 10 {
		lines := make([]catalog.LogLine, 10)
		for i := range lines {
			lines[i].Text = fmt.Sprintf("#3 | line %d", n+i+1)
		}
		if err := emit(lines); err != nil {
			return catalog.Build{}, err
		}
	}
	return c.store.Build(ctx, id)
}

// A thousand browsers follow one build: each sees every line once and in order, and they take little each.
func TestThousandFollow(t *testing.T) {
	const browsers, lines = 1000, 500
	logs := &chatty{lines: lines, begin: make(chan struct{})}
	e := newEnv(t, func(c *web.Config) { logs.fakeLogs = c.Logs.(fakeLogs); c.Logs = logs })
	b := e.signedIn("ann")
	before := heap()
	var all sync.WaitGroup
	var whole atomic.Int32
	for range browsers {
		all.Go(func() {
			if n, err := b.follow("/images/ann/app/v3/1/events?after=0"); n == lines && err == nil {
				whole.Add(1)
			} else {
				t.Errorf("after %d lines: %v", n, err)
			}
		})
	}
	testkit.Eventually(t, "all browsers follow", func() bool { return logs.waiting.Load() == browsers })
	const most = 200 << 10 // with both ends of the connection, which are in this process
	if each := (int64(heap()) - int64(before)) / browsers; each > most {
		t.Errorf("a browser that waits takes %d bytes", each)
	}
	close(logs.begin)
	all.Wait()
	if n := whole.Load(); n != browsers {
		t.Errorf("%d of %d browsers saw the whole log", n, browsers)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// follow counts the lines that a stream has in order until it ends.
func (b *browser) follow(path string) (lines int, err error) {
	ctx, cancel := context.WithTimeout(b.t.Context(), 2*time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", b.url+path, nil)
	if err != nil {
		return 0, err
	}
	r.Header.Set("Accept", "text/event-stream")
	response, err := b.client.Do(r)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	for text := bufio.NewScanner(response.Body); text.Scan(); {
		switch line := text.Text(); {
		case line == fmt.Sprintf("id: %d", lines+1):
			lines++
		case strings.HasPrefix(line, "id: "):
			return lines, fmt.Errorf("unexpected %s", line)
		case line == "event: end":
			return lines, nil
		}
	}
	return lines, fmt.Errorf("%s: the stream ended early", response.Status)
}
