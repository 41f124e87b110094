//go:build browser

package web_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/internal/language"
	chromium "github.com/fandoghpaas/fandogh/internal/testkit/browser"
)

// TestBrowserDates compares each day of 160 years with the browser's own calendar, which is that of ICU.
func TestBrowserDates(t *testing.T) {
	b := chromium.New(t, "about:blank")
	all := b.Evaluate(`(() => {
		const persian = new Intl.DateTimeFormat("en-u-ca-persian-nu-latn", {year: "numeric", month: "numeric", day: "numeric", timeZone: "UTC"});
		const days = [];
		for (let at = Date.UTC(1930, 0, 1); at < Date.UTC(2090, 0, 1); at += 86400000) {
			const parts = Object.fromEntries(persian.formatToParts(at).map(p => [p.type, p.value]));
			days.push(at / 1000 + " " + parts.year + "-" + parts.month + "-" + parts.day);
		}
		return days.join("\n");
	})()`)
	days := 0
	for line := range strings.Lines(all) {
		var seconds int64
		var want string
		if _, err := fmt.Sscan(line, &seconds, &want); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		year, month, day := language.Jalali(time.Unix(seconds, 0).UTC())
		if got := fmt.Sprintf("%d-%d-%d", year, month, day); got != want {
			t.Fatalf("%s is %s, in the browser %s", time.Unix(seconds, 0).UTC().Format(time.DateOnly), got, want)
		}
		days++
	}
	if days < 58_000 {
		t.Errorf("compared only %d days", days)
	}
}
