//go:build browser

package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// failures is a test that keeps what it is failed with.
type failures struct {
	testing.TB
	texts []string
}

func (f *failures) Helper() {}
func (f *failures) Errorf(format string, args ...any) {
	f.texts = append(f.texts, fmt.Sprintf(format, args...))
}

// What is wrong with a page fails the test, and each fault by its name.
func TestBrowserFindsFaults(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<!doctype html><html lang=en><title>t</title><h1>A page</h1><main><p style="color:#ddd;background:#fff">pale</p><img src="/x"><div style="width:3000px">wide</div>
			<script>console.log("said"); fetch("http://192.0.2.1/").catch(() => 0)</script></main>`)
	}))
	t.Cleanup(server.Close)
	f := &failures{TB: t}
	b := New(f, server.URL)
	b.Theme("light")
	b.Look("/", "fa", 390)
	b.NeedsNoHelp("/")
	b.Do("and all that came meanwhile", chromedp.WaitReady(chromedp.CSS("h1")))
	all := strings.Join(f.texts, "\n")
	for _, want := range []string{"in fa: language, and whether it is too wide: en true", "color-contrast", "image-alt", "console: log", "asked another host: http://192.0.2.1/"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not found in:\n%s", want, all)
		}
	}
}
