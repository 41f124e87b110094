package web

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	tags "golang.org/x/text/language"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/language"
)

// lang is a language of the pages.
type lang string

// The languages of the pages.
const (
	english = lang(language.English)
	persian = lang(language.Persian)
)

// languages are all, first the one of who prefers none of them.
var languages = []lang{english, persian}

// matcher finds the language in the order of languages.
var matcher = tags.NewMatcher([]tags.Tag{tags.English, tags.Persian})

// languageOf is what the user chose, or else what the browser prefers.
func languageOf(r *http.Request) lang {
	if cookie, err := r.Cookie(languageCookie); err == nil && lang(cookie.Value).known() {
		return lang(cookie.Value)
	}
	preferred, _, err := tags.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil {
		return languages[0]
	}
	_, index, _ := matcher.Match(preferred...)
	return languages[index]
}

func (l lang) known() bool { return l == english || l == persian }

// Direction is the dir of a page.
func (l lang) Direction() string {
	if l == persian {
		return "rtl"
	}
	return "ltr"
}

func (c *call) chooseLanguage() error {
	chosen := lang(c.form.Get("language"))
	if !chosen.known() {
		return catalog.FieldErrorf("language", "the languages are en and fa")
	}
	c.keepChoice(languageCookie, string(chosen))
	return c.goTo(localPath(c.form.Get("next")))
}

// text returns a message in the language; what it says of something comes in with args. Errors: Internal (there is no such message).
func (l lang) text(key string, args ...any) (string, error) {
	message, ok := messages[key]
	if !ok {
		return "", fmt.Errorf("there is no message %q", key)
	}
	text := message.English
	if l == persian {
		text = message.Persian
	}
	if len(args) == 0 {
		return text, nil
	}
	return fmt.Sprintf(text, args...), nil
}

// digits writes a number as the language does.
func (l lang) digits(number string) string {
	if l == persian {
		return language.Digits(number)
	}
	return number
}

func (l lang) number(n any) string { return l.digits(fmt.Sprint(n)) }

// measure is a number with the message of its unit, which takes it.
func (l lang) measure(unit, number string) (string, error) { return l.text(unit, l.digits(number)) }

// size writes bytes as docker does: 12.3 MB is 12,300,000 bytes.
func (l lang) size(bytes int64) (string, error) {
	units := []string{"size.b", "size.kb", "size.mb", "size.gb", "size.tb"}
	n, unit := float64(bytes), 0
	for ; n >= 999.5 && unit < len(units)-1; unit++ {
		n /= 1000
	}
	digits := 0 // behind the point, of three in all
	if unit > 0 && n < 99.95 {
		digits = 1
	}
	return l.measure(units[unit], strings.TrimSuffix(strconv.FormatFloat(n, 'f', digits, 64), ".0"))
}

// change writes by how much a size grew or shrank.
func (l lang) change(bytes int64) (string, error) {
	sign := "+"
	if bytes < 0 {
		sign, bytes = "−", -bytes
	}
	text, err := l.size(bytes)
	return sign + text, err
}

// duration writes how long something took.
func (l lang) duration(d time.Duration) (string, error) {
	switch {
	case d < 10*time.Second:
		return l.measure("time.s", fmt.Sprintf("%.1f", d.Seconds()))
	case d < time.Minute:
		return l.measure("time.s", fmt.Sprintf("%d", int(d.Seconds())))
	case d < time.Hour:
		return l.text("time.ms", l.number(int(d.Minutes())), l.number(int(d.Seconds())%60))
	}
	return l.text("time.hm", l.number(int(d.Hours())), l.number(int(d.Minutes())%60))
}

// ago writes how long ago something was.
func (l lang) ago(d time.Duration) (string, error) {
	switch {
	case d < time.Minute:
		return l.text("ago.now")
	case d < time.Hour:
		return l.text("ago.min", l.number(int(d.Minutes())))
	case d < 48*time.Hour:
		return l.text("ago.h", l.number(int(d.Hours())))
	}
	return l.text("ago.d", l.number(int(d.Hours())/24))
}
