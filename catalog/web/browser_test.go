//go:build browser

package web_test

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/web"
	chromium "github.com/fandoghpaas/fandogh/internal/testkit/browser"
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

// newSignedInTab is a browser that shows the image.
func newSignedInTab(t *testing.T, e *env) *chromium.Tab {
	t.Helper()
	b := chromium.New(t, e.url)
	b.SignIn("/images/ann/app", "ann", password)
	return b
}

// A real browser signs in, opens each page on a screen and on a phone, and has nothing to complain of.
func TestBrowser(t *testing.T) {
	e := newEnv(t, func(c *web.Config) { c.Logs = printing{c.Logs.(fakeLogs)} })
	b := newSignedInTab(t, e)
	if heading := b.Evaluate(`document.querySelector("h1 code").textContent`); heading != "ann/app" {
		t.Errorf("after the sign-in: %q", heading)
	}
	for _, language := range []string{"en", "fa"} {
		for _, width := range []int64{1280, 390} {
			for _, path := range []string{"/", "/images/ann", "/images/ann/app", "/images/ann/app/v1", "/images/ann/app/v2/1", "/images/ann/app/v3/1"} {
				b.Look(path, language, width)
			}
		}
		if language == "en" {
			b.ToPersian()
		}
	}
	b.Do("the log of a build that goes on", chromedp.WaitVisible(chromedp.CSS(`#L3`)))
	shown := b.Evaluate(`Array.from(document.querySelectorAll("#log li > .text")).map(n => n.textContent + "|").join("") + document.querySelectorAll("#log .c1, #log a[rel]").length`)
	if want := evil + "|red see https://example.com/a?b=1. and javascript:alert(1)|</script>|2"; shown != want {
		t.Errorf("the browser shows %s, want %s", shown, want)
	}
	b.Do("the first page while something happens", chromedp.Navigate(e.url+"/"), chromedp.WaitReady(chromedp.CSS(`#news`)))
	e.build("v4", "")
	b.Do("the first page when something happened", chromedp.WaitVisible(chromedp.CSS(`#news a`)))
	// What would be wrong is seen, and another host is not asked.
	asked := b.Evaluate(`fetch("https://example.com/").then(() => "sent", () => "refused")`)
	if all := strings.Join(b.Complaints(), "\n"); asked != "refused" || !strings.Contains(all, "Content Security Policy") {
		t.Errorf("a request to another host is %s; the browser says: %s", asked, all)
	}
}
