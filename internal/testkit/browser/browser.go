// Package browser has tests look at pages in Chromium, and hears what it has to complain of.
package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// timeLimit bounds all that one Tab does.
const timeLimit = 4 * time.Minute

// Tab is a page of a browser that a test drives, in English until it is told otherwise. What goes wrong in it fails the test.
type Tab struct {
	Context context.Context // of chromedp's actions
	URL     string          // of the server, which is the only host that pages may ask
	t       testing.TB
	heard   complaints
}

// complaints are what a browser has against pages, and requests to other hosts.
type complaints struct {
	mu   sync.Mutex
	list []string
}

func (c *complaints) add(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, text)
}

// New starts Chromium for pages of the server at a URL. The test is skipped where there is no Chromium.
func New(t testing.TB, url string) *Tab {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("needs the Debian package chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.Flag("accept-lang", "en"))
	ctx, cancel := context.WithTimeout(t.Context(), timeLimit)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &Tab{Context: ctx, URL: url, t: t}
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *Tab) listen(event any) {
	switch e := event.(type) {
	case *log.EventEntryAdded:
		b.heard.add(fmt.Sprintf("%s: %s (%s)", e.Entry.Level, e.Entry.Text, e.Entry.URL))
	case *runtime.EventExceptionThrown:
		b.heard.add(e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		b.heard.add(fmt.Sprintf("console: %s", e.Type))
	case *network.EventRequestWillBeSent:
		// A data: URL is no request; Chromium has its own icons in them, as of a field for a day.
		if !strings.HasPrefix(e.Request.URL, b.URL+"/") && !strings.HasPrefix(e.Request.URL, "data:") {
			b.heard.add("asked another host: " + e.Request.URL)
		}
	}
}

// Complaints returns what the browser had against the pages since it was last asked, or since Do.
func (b *Tab) Complaints() []string {
	b.heard.mu.Lock()
	defer b.heard.mu.Unlock()
	defer func() { b.heard.list = nil }()
	return b.heard.list
}

// Do runs actions, and fails the test if one fails or the browser complains.
func (b *Tab) Do(what string, actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.Context, actions...); err != nil {
		b.t.Fatalf("%s: %v\n%s", what, err, strings.Join(b.Complaints(), "\n"))
	}
	for _, complaint := range b.Complaints() {
		b.t.Errorf("%s: %s", what, complaint)
	}
}

// Evaluate returns what a script, or a promise of it, comes to.
func (b *Tab) Evaluate(script string) string {
	b.t.Helper()
	text, err := chromedp.Run(b.Context, chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatal(err)
	}
	return text
}

// SignIn signs in on the page that asks for it before the one at a path.
func (b *Tab) SignIn(path, name, password string) {
	b.t.Helper()
	b.Do("sign-in", chromedp.Navigate(b.URL+path),
		chromedp.SendKeys(chromedp.CSS(`input[name=username]`), name), chromedp.SendKeys(chromedp.CSS(`input[name=password]`), password),
		chromedp.Click(chromedp.CSS(`main button`)), chromedp.WaitVisible(chromedp.CSS(`.user`)))
}

// Look opens a page, and fails the test if it is in another language or wider than the window. It
// keeps a picture.
func (b *Tab) Look(path, language string, width int64) {
	b.t.Helper()
	b.Do(path, chromedp.EmulateViewport(width, 900), chromedp.Navigate(b.URL+path), chromedp.WaitVisible(chromedp.CSS(`h1`)))
	if got := b.Evaluate(`document.documentElement.lang + " " + (document.documentElement.scrollWidth > innerWidth)`); got != language+" false" {
		b.t.Errorf("%s at %d in %s: language, and whether it is too wide: %s", path, width, language, got)
	}
	b.Keep(fmt.Sprintf("%s-%d%s", language, width, strings.ReplaceAll(path, "/", "-")))
}

// Keep leaves a picture of what the window shows under SCREENSHOTS, if that names a directory.
func (b *Tab) Keep(name string) {
	b.t.Helper()
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), b.Picture(), 0o644); err != nil {
		b.t.Error(err)
	}
}

// ToPersian presses the button for it.
func (b *Tab) ToPersian() {
	b.t.Helper()
	b.Do("the other language", chromedp.Click(chromedp.CSS(`button[name=language]`)), chromedp.WaitVisible(chromedp.CSS(`html[lang=fa] h1`)))
}

// axe is where axe-core is, beside this file.
const axe = "testdata/node_modules/axe-core/axe.min.js"

// NeedsNoHelp fails the test if axe-core finds that something of the page keeps people from using it: by keyboard, by a screen reader, or for
// want of contrast.
func (b *Tab) NeedsNoHelp(what string) {
	b.t.Helper()
	_, here, _, _ := goruntime.Caller(0)
	script, err := os.ReadFile(filepath.Join(filepath.Dir(here), axe))
	if err != nil {
		b.t.Fatalf("%v; `make browser` installs it", err)
	}
	found := b.Evaluate(string(script) + `;
		axe.run(document, {resultTypes: ["violations"]}).then((result) => result.violations
			.filter((v) => v.impact === "serious" || v.impact === "critical")
			.map((v) => v.id + ": " + v.help + ": " + v.nodes.slice(0, 3).map((n) => n.html + " " + n.any.map((a) => a.message).join("; ")).join(" | "))
			.join("\n"))`)
	if found != "" {
		b.t.Errorf("%s: axe-core finds:\n%s", what, found)
	}
}

// Theme has pages look as the system of one who likes it dark or light.
func (b *Tab) Theme(name string) {
	b.t.Helper()
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}}
	b.Do(name, func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, media)
		return chromedp.Void{}, err
	})
}

// Picture is what the window shows, as PNG.
func (b *Tab) Picture() []byte {
	b.t.Helper()
	picture, err := chromedp.Run(b.Context, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	return picture
}
