//go:build browser

package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/fandoghpaas/fandogh/internal/testkit"
	"github.com/fandoghpaas/fandogh/internal/testkit/browser"
)

// hostile stands wherever a user or a build may write something. If it is ever more than text, it says so to the console.
const hostile = `</script>"'><img src=x onerror=console.log("xss")><svg/onload=console.log("xss")>`

// Shell scripts of the user dev, with what is hostile in $EVIL.
const (
	prepareShop = `git init -q shop; cd shop; cp "$(command -v busybox)" busybox
cat >Dockerfile <<EOF
FROM scratch
LABEL evil='</script><img src=x onerror=console.log(1)>' org.opencontainers.image.title='<b onclick=x>'
ENV EVIL='<script>console.log(1)</script>'
COPY . /
# <script>console.log(1)</script>
RUN ["/busybox", "sh", "-c", "printf '%s\\\\033[31mred\\\\033[0m\\\\n' '</script><img src=x onerror=console.log(1)>'; i=0; while [ -e /endless ]; do i=\$((i+1)); echo tick \$i; /busybox sleep 0.1; done; [ ! -e /failing ] || exit 3"]
EOF
: >'<img src=x onerror=console.log(1)>'; mkdir '<script>'; : >"<script>/it's \"quoted\""
git add -A; git -c user.name='"><svg onload=console.log(1)>' commit -q -m "$EVIL"; git tag -a v1 -m "$EVIL"
git push -q "$GIT/dev/shop" HEAD:main v1 'HEAD:refs/heads/<img/src=x/onerror=console.log(1)>'`
	pushFailing = `cd shop; : >failing; git add -A; git commit -q -m "$EVIL"; git tag v2; ! git push -q "$GIT/dev/shop" v2`
	pushEndless = `cd shop; : >endless; git add -A; git commit -q -m "$EVIL"; git tag v3; git push -q -o detach "$GIT/dev/shop" v3`
)

// pagesEnv is a daemon with the user dev, whose shop has a version that was built, one that failed and one whose build does not end.
func pagesEnv(t *testing.T) *underLoad {
	t.Helper()
	l := newPagesEnv(t, "dev")
	l.env["EVIL"] = hostile
	for _, script := range []string{prepareShop, pushFailing, pushEndless} {
		l.must(script)
	}
	return l
}

// newPagesEnv is a daemon with a user; its faults fail the test.
func newPagesEnv(t *testing.T, user string) *underLoad {
	t.Helper()
	l := newUnderLoad(t)
	t.Cleanup(func() {
		if err := errors.Join(l.daemon.terminate(), l.daemon.faults()); err != nil {
			t.Errorf("%v\n%s", err, l.daemon.logTail())
		}
	})
	use(l.env, l.daemon)
	if err := become(l.env, l.daemon, user); err != nil {
		t.Fatal(err)
	}
	return l
}

// A browser looks at what was really built, and at what strangers wrote into it.
func TestBrowserWithRealBuilds(t *testing.T) {
	l := pagesEnv(t)
	b := browser.New(t, "http://"+l.env["HTTP"])
	b.SignIn("/", "dev", "password-of-dev")

	endless := "/images/dev/shop/v3/1"
	b.Do("a build that runs", chromedp.Navigate(b.URL+endless), chromedp.WaitVisible(chromedp.CSS(`#log`)))
	shows := func(text string) bool {
		return strings.Contains(b.Evaluate(`document.getElementById("log").textContent`), text)
	}
	testkit.Eventually(t, "the build's lines come as it prints them", func() bool { return shows("tick 3") })
	testkit.Eventually(t, "and go on to come", func() bool { return !shows("tick 3") || shows("tick 20") })
	b.Do("cancel", chromedp.Click(chromedp.CSS(`form[action$="/cancel"] button`)), chromedp.WaitVisible(chromedp.CSS(`.state.failed`)),
		chromedp.Navigate(b.URL+endless), chromedp.WaitVisible(chromedp.CSS(`div.failed`)))
	if text := b.Evaluate(`document.querySelector("div.failed").textContent`); !strings.Contains(text, "cancelled") {
		t.Errorf("the end of a cancelled build is told as %q", text)
	}
	for _, language := range []string{"en", "fa"} {
		for _, width := range []int64{1280, 390} {
			for _, path := range []string{"/", "/images/dev", "/images/dev/shop", "/images/dev/shop/v1", "/images/dev/shop/v1/1", "/images/dev/shop/v1/files", "/images/dev/shop/v1/files?path=/%3Cscript%3E&layer=1", "/images/dev/shop/v1/changes?since=v1", "/images/dev/shop/v2", "/images/dev/shop/v2/1", endless} {
				b.Look(path, language, width)
				if n := b.Evaluate(`String(document.querySelectorAll("main img, main script, main [onload], main [onerror], main [onclick]").length)`); n != "0" {
					t.Errorf("%s: %s elements are of what somebody wrote", path, n)
				}
				for _, theme := range []string{"dark", "light"} {
					b.Theme(theme)
					b.NeedsNoHelp(fmt.Sprintf("%s, %s, %d, %s", path, language, width, theme))
				}
			}
		}
		if language == "en" {
			b.ToPersian()
		}
	}
	b.Do("a build that failed", chromedp.Navigate(b.URL+"/images/dev/shop/v2/1"), chromedp.WaitVisible(chromedp.CSS(`div.failed`)))
	if text := b.Evaluate(`document.querySelector("div.failed").textContent`); !strings.Contains(text, "exit code 3") {
		t.Errorf("the failure is told as %q", text)
	}
	if text := b.Evaluate(`document.getElementById("log").textContent`); !strings.Contains(text, "</script><img src=x onerror=console.log(1)>red") {
		t.Errorf("the log lacks what the step printed: %q", text)
	}
}

// Pages of another site can neither show ours in a frame nor have the user's browser send forms.
func TestBrowserOnAnotherSite(t *testing.T) {
	l := pagesEnv(t)
	b := browser.New(t, "http://"+l.env["HTTP"])
	b.SignIn("/", "dev", "password-of-dev")
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if r.URL.Path == "/frame" {
			fmt.Fprintf(w, `<h1>other</h1><iframe id="frame" src="%s/"></iframe>`, b.URL)
			return
		}
		fmt.Fprintf(w, `<h1>other</h1><form method="post" action="%s%s"><input name="form" value="guessed"></form><script>document.forms[0].submit()</script>`, b.URL, r.URL.Query().Get("to"))
	}))
	t.Cleanup(other.Close)
	at := strings.Replace(other.URL, "127.0.0.1", "localhost", 1) // another site
	visit := func(path string, ready ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(b.Context, append([]chromedp.Action[chromedp.Void]{chromedp.Navigate(at + path)}, ready...)...); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	visit("/frame", chromedp.WaitReady(chromedp.CSS("#frame")))
	var heard []string
	testkit.Eventually(t, "the browser refuses to show the frame", func() bool {
		heard = append(heard, b.Complaints()...)
		return strings.Contains(strings.Join(heard, "\n"), "frame-ancestors")
	})
	for _, to := range []string{"/signout", "/images/dev/shop/v3/cancel"} {
		visit("/post?to="+url.QueryEscape(to), chromedp.WaitVisible(chromedp.CSS(`main`))) // ours have one, the other's have not
	}
	b.Complaints()
	b.Do("still signed in", chromedp.Navigate(b.URL+"/"), chromedp.WaitVisible(chromedp.CSS(`.user`)))
	if out := l.must(`"$FSSH" versions shop`); !strings.Contains(out, "BUILDING") {
		t.Errorf("another site cancelled a build:\n%s", out)
	}
	l.must(`"$FSSH" cancel shop v3`)
}
