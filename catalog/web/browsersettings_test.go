//go:build browser

package web_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/storetest"
	chromium "github.com/fandoghpaas/fandogh/internal/testkit/browser"
)

// fill gives every page of the account, of settings and of the administration something to show, in each field what a user may try.
func (e *env) fill() (webhook, ofAll string) {
	e.t.Helper()
	ctx, short := e.t.Context(), evil[:100]
	root := e.users["root"]
	_, err := e.accounts.AddKey(ctx, root.ID, short, key1)
	e.must(err)
	_, _, err = e.accounts.CreateToken(ctx, catalog.NewToken{UserID: root.ID, Name: short, Scope: catalog.ScopeRead})
	e.must(err)
	made, _, err := e.webhooks.Create(ctx, catalog.Webhook{Namespace: "ann", ImageID: e.image.ID, URL: "https://ci.test/" + evil, Events: "build.started", UserID: root.ID}, "")
	e.must(err)
	all, _, err := e.webhooks.Create(ctx, catalog.Webhook{Namespace: "ann", URL: "https://ci.test/" + evil, UserID: root.ID}, "")
	e.must(err)
	storetest.KeepAudit(e.t, e.store, catalog.AuditLine{At: time.Now(), Via: "web", By: evil, From: evil, What: "user disabled", On: map[string]string{evil: evil}})
	_, err = e.store.PauseQueue(ctx, evil, evil)
	e.must(err)
	e.must(e.operator.Collect(evil, true))
	e.must(e.store.SetRetentionRule(ctx, catalog.ScopedRule{RetentionScope: catalog.RetentionScope{Namespace: "ann", ImageID: e.image.ID}, Kind: catalog.RetainVersions,
		Rule: catalog.RetentionRule{KeepLast: 3, Keep: "v*"}}))
	patterns := "v* x"
	_, err = e.github.Connect(ctx, e.image, root.ID, catalog.GitHubSettings{Repository: evil, Tags: &patterns, Branches: &patterns, Paths: &patterns, Context: &patterns})
	e.must(err)
	return "/settings/ann/app/webhooks/" + strconv.FormatInt(made.ID, 10), "/namespaces/ann/webhooks/" + strconv.FormatInt(all.ID, 10)
}

// A real browser opens the pages of the account, of settings and of the administration, in both languages, dark and light, on a
// screen and on a phone, and nothing is wrong with them.
func TestBrowserSettings(t *testing.T) {
	e := newEnv(t)
	webhook, ofAll := e.fill()
	b := chromium.New(t, e.url)
	b.SignIn("/account", "root", password)
	pages := append([]string{
		"/account", "/images/ann/app", "/namespaces/ann/members", "/namespaces/ann/usage", "/namespaces/ann/webhooks", ofAll, "/namespaces/ann/retention", "/namespaces/ann/retention/preview?kind=versions&keep_last=1", "/settings/ann/app", "/settings/ann/app/webhooks", webhook, "/settings/ann/app/github",
		"/settings/ann/app/retention", "/settings/ann/app/retention/preview?kind=versions&keep_last=1", "/search?q=a",
	}, adminPages...)
	for _, language := range []string{"en", "fa"} {
		for _, theme := range []string{"light", "dark"} {
			b.Theme(theme)
			for _, path := range pages {
				for _, width := range []int64{1280, 390} {
					b.Look(path, language, width)
				}
				b.NeedsNoHelp(fmt.Sprintf("%s in %s, %s", path, language, theme))
			}
		}
		if language == "en" {
			b.ToPersian()
		}
	}
}

// A failed version is built again with other options by a form that folds away, in both languages and themes.
func TestBrowserRebuild(t *testing.T) {
	e := newEnv(t)
	b := chromium.New(t, e.url)
	b.SignIn("/images/ann/app/v2", "ann", password)
	for _, language := range []string{"en", "fa"} {
		for _, theme := range []string{"light", "dark"} {
			b.Theme(theme)
			for _, path := range []string{"/images/ann/app/v2", "/images/ann/app/v2/1"} {
				for _, width := range []int64{1280, 390} {
					b.Look(path, language, width)
					b.Do("the form", chromedp.Click(chromedp.CSS(`details summary`)), chromedp.WaitVisible(chromedp.CSS(`textarea[name=build-arg]`)))
					if overflows := b.Evaluate(`String(document.documentElement.scrollWidth > document.documentElement.clientWidth)`); overflows != "false" {
						t.Errorf("%s in %s at %d: the form is wider than the page", path, language, width)
					}
					b.Keep(fmt.Sprintf("%s-%s-%d-rebuild%s", language, theme, width, strings.ReplaceAll(path, "/", "-")))
				}
				b.NeedsNoHelp(path + " in " + language + ", " + theme)
			}
		}
		if language == "en" {
			b.ToPersian()
		}
	}
	b.Do("another build", chromedp.Click(chromedp.CSS(`input[name=no-cache]`)), chromedp.SendKeys(chromedp.CSS(`textarea[name=build-arg]`), "A=1\nB=2"),
		chromedp.Click(chromedp.CSS(`details form button`)), chromedp.WaitNotPresent(chromedp.CSS(`details[open] form`)))
	if got := strings.Join(e.control.options, " "); got != "build-arg=A=1 build-arg=B=2 no-cache" {
		t.Errorf("asked for %q", got)
	}
}

// The page of the queue shows what happens to it without being loaded again, and leaves alone what somebody types.
func TestBrowserQueue(t *testing.T) {
	e := newEnv(t)
	b := chromium.New(t, e.url)
	b.SignIn("/admin/queue", "root", password)
	b.Do("the queue", chromedp.WaitVisible(chromedp.CSS(`#live`)), chromedp.SendKeys(chromedp.CSS(`input[name=reason]`), "an upgrade"))
	b.Evaluate(`document.body.dataset.first = "yes"`)
	e.build("v4", "")
	b.Do("another build", chromedp.WaitVisible(chromedp.CSS(`#queuelist a[href="/images/ann/app/v4"]`)))
	if typed := b.Evaluate(`document.activeElement.value`); typed != "an upgrade" {
		t.Errorf("what was typed is %q", typed)
	}
	e.finish("v3", catalog.OutcomeBuilt)
	b.Do("the end of a build", chromedp.WaitNotPresent(chromedp.CSS(`#queuelist a[href="/images/ann/app/v3"]`)))
	_, err := e.store.PauseQueue(t.Context(), evil, evil)
	e.must(err)
	b.Do("a pause by somebody else", chromedp.WaitVisible(chromedp.CSS(`#queuestate .failed`)), chromedp.WaitVisible(chromedp.CSS(`form[action="/admin/queue/resume"] button`)))
	if first := b.Evaluate(`document.body.dataset.first + document.querySelectorAll("#queue img, #queue script").length`); first != "yes0" {
		t.Errorf("the page was loaded again, or has elements of others: %s", first)
	}
	for _, complaint := range b.Complaints() {
		t.Errorf("the browser complains: %s", complaint)
	}
}

// What is asked of forms works in a browser: a zone is kept, a new token is shown, and an image stays when another name was typed.
func TestBrowserForms(t *testing.T) {
	e := newEnv(t)
	b := chromium.New(t, e.url)
	b.SignIn("/account", "ann", password)
	b.Do("another zone", chromedp.SetValue(chromedp.CSS(`input[name=zone]`), "Asia/Tehran"), chromedp.Click(chromedp.CSS(`form[action="/account/look"] button`)), chromedp.WaitVisible(chromedp.CSS(`.done`)))
	if footer := b.Evaluate(`document.querySelector("footer").textContent.trim()`); footer != "Times are in the zone Asia/Tehran." {
		t.Errorf("the footer says %q", footer)
	}
	b.Do("a token", chromedp.SendKeys(chromedp.CSS(`form[action="/account/tokens"] input[name=name]`), "ci"),
		chromedp.SendKeys(chromedp.CSS(`form[action="/account/tokens"] input[name=password]`), password), chromedp.Click(chromedp.CSS(`form[action="/account/tokens"] button`)),
		chromedp.WaitVisible(chromedp.CSS(`.secret pre`)))
	b.Do("the image's settings", chromedp.Navigate(e.url+"/settings/ann/app"), chromedp.SendKeys(chromedp.CSS(`input[name=confirm]`), "ann/other"))
	// The browser complains of the status of the page that says why not.
	e.must(chromedp.Do(b.Context, chromedp.Click(chromedp.CSS(`button.danger`)), chromedp.WaitVisible(chromedp.CSS(`main .failed`))))
}
