//go:build browser

package web_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/web"
)

// printing has builds that wait print as soon as a browser follows them, and go on.
type printing struct{ fakeLogs }

func (p printing) ReadLog(ctx context.Context, id int64, skip, limit int) ([]catalog.LogLine, error) {
	if build, err := p.store.Build(ctx, id); err != nil || !build.State.Ended() {
		return nil, err
	}
	return p.fakeLogs.ReadLog(ctx, id, skip, limit)
}

func (p printing) FollowLog(ctx context.Context, id int64, skip int, emit func([]catalog.LogLine) error) (catalog.Build, error) {
	lines, err := p.fakeLogs.ReadLog(ctx, id, skip, 3)
	if err == nil {
		err = emit(lines)
	}
	if err != nil {
		return catalog.Build{}, err
	}
	<-ctx.Done()
	return catalog.Build{}, ctx.Err()
}

// complaints are what a browser has against pages, and requests to other hosts.
type complaints struct {
	mu   sync.Mutex
	host string
	list []string
}

func (c *complaints) listen(event any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch e := event.(type) {
	case *log.EventEntryAdded:
		c.list = append(c.list, fmt.Sprintf("%s: %s (%s)", e.Entry.Level, e.Entry.Text, e.Entry.URL))
	case *runtime.EventExceptionThrown:
		c.list = append(c.list, e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		c.list = append(c.list, fmt.Sprintf("console: %s", e.Type))
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, c.host+"/") {
			c.list = append(c.list, "asked another host: "+e.Request.URL)
		}
	}
}

func (c *complaints) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer func() { c.list = nil }()
	return c.list
}

// newTab starts Chromium, in English.
func newTab(t *testing.T) context.Context {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("needs the Debian package chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.Flag("accept-lang", "en"))
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

// tab is a page in a browser that listens for complaints.
type tab struct {
	*env
	ctx   context.Context
	found *complaints
}

func (b *tab) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
	for _, complaint := range b.found.take() {
		b.t.Errorf("%s: %s", what, complaint)
	}
}

func (b *tab) evaluate(script string) string {
	b.t.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise))
	b.must(err)
	return text
}

// look opens a page. Under FANDOGH_SCREENSHOTS, a directory, it leaves a picture of it.
func (b *tab) look(path, language string, width int64) {
	b.t.Helper()
	b.do(path, chromedp.EmulateViewport(width, 900), chromedp.Navigate(b.url+path), chromedp.WaitVisible(chromedp.CSS(`h1`)))
	if got := b.evaluate(`document.documentElement.lang + " " + (document.documentElement.scrollWidth > innerWidth)`); got != language+" false" {
		b.t.Errorf("%s at %d in %s: language, and whether it is too wide: %s", path, width, language, got)
	}
	b.picture(path, language, width)
}

// picture leaves one of what is seen.
func (b *tab) picture(path, language string, width int64) {
	b.t.Helper()
	if dir := os.Getenv("FANDOGH_SCREENSHOTS"); dir != "" {
		picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
		b.must(err)
		name := fmt.Sprintf("%s-%d%s.png", language, width, strings.ReplaceAll(path, "/", "-"))
		b.must(os.WriteFile(filepath.Join(dir, name), picture, 0o644))
	}
}

// newSignedInTab is a browser that shows the image.
func newSignedInTab(t *testing.T, e *env) *tab {
	t.Helper()
	b := &tab{e, newTab(t), &complaints{host: e.url}}
	e.must(chromedp.Listen(b.ctx, b.found.listen))
	b.do("sign-in", chromedp.Navigate(e.url+"/images/ann/app"),
		chromedp.SendKeys(chromedp.CSS(`input[name=username]`), "ann"), chromedp.SendKeys(chromedp.CSS(`input[name=password]`), password),
		chromedp.Click(chromedp.CSS(`main button`)), chromedp.WaitVisible(chromedp.CSS(`h1 code`)))
	return b
}

// A real browser signs in, opens each page on a screen and on a phone, and has nothing to complain of.
func TestBrowser(t *testing.T) {
	e := newEnv(t, func(c *web.Config) { c.Logs = printing{c.Logs.(fakeLogs)} })
	b := newSignedInTab(t, e)
	if heading := b.evaluate(`document.querySelector("h1 code").textContent`); heading != "ann/app" {
		t.Errorf("after the sign-in: %q", heading)
	}
	for _, language := range []string{"en", "fa"} {
		for _, width := range []int64{1280, 390} {
			for _, path := range []string{"/", "/images/ann", "/images/ann/app", "/images/ann/app/v1", "/images/ann/app/v2/1", "/images/ann/app/v3/1"} {
				b.look(path, language, width)
			}
		}
		if language == "en" {
			b.do("the other language", chromedp.Click(chromedp.CSS(`button[name=language]`)), chromedp.WaitVisible(chromedp.CSS(`html[lang=fa] h1`)))
		}
	}
	b.do("the log of a build that goes on", chromedp.WaitVisible(chromedp.CSS(`#L3`)))
	shown := b.evaluate(`Array.from(document.querySelectorAll("#log li > .text")).map(n => n.textContent + "|").join("") + document.querySelectorAll("#log .c1, #log a[rel]").length`)
	if want := evil + "|red see https://example.com/a?b=1. and javascript:alert(1)|</script>|2"; shown != want {
		t.Errorf("the browser shows %s, want %s", shown, want)
	}
	b.do("the first page while something happens", chromedp.Navigate(e.url+"/"), chromedp.WaitReady(chromedp.CSS(`#news`)))
	e.build("v4", "")
	b.do("the first page when something happened", chromedp.WaitVisible(chromedp.CSS(`#news a`)))
	// What would be wrong is seen, and another host is not asked.
	asked := b.evaluate(`fetch("https://example.com/").then(() => "sent", () => "refused")`)
	if all := strings.Join(b.found.take(), "\n"); asked != "refused" || !strings.Contains(all, "Content Security Policy") {
		t.Errorf("a request to another host is %s; the browser says: %s", asked, all)
	}
}
