package language

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestOfLocale(t *testing.T) {
	for _, c := range []struct {
		all, messages, lang string
		want                Language
	}{
		{"", "", "", English},
		{"", "", "fa_IR.UTF-8", Persian},
		{"", "", "fa", Persian},
		{"", "", "fa_IR", Persian},
		{"", "", "fa_AF.utf8", Persian},
		{"", "", "fa_IR.UTF-8@calendar", Persian},
		{"", "", "fa_IR.ISO-8859-6", English},
		{"", "fa_IR.UTF-8", "en_US.UTF-8", Persian},
		{"", "en_US.UTF-8", "fa_IR.UTF-8", English},
		{"C", "fa_IR.UTF-8", "fa_IR.UTF-8", English},
		{"fa_IR.UTF-8", "C", "C", Persian},
		{"", "", "fax", English},
		{"", "", "de_DE.UTF-8", English},
		{"", "", "POSIX", English},
		{"", "", "../fa", English},
	} {
		set := map[string]string{"LC_ALL": c.all, "LC_MESSAGES": c.messages, "LANG": c.lang}
		if got := OfLocale(func(name string) string { return set[name] }); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestParse(t *testing.T) {
	for code, want := range map[string]bool{"en": true, "fa": true, "": false, "FA": false, "fa_IR": false, "de": false} {
		if l, ok := Parse(code); ok != want || ok && string(l) != code || !ok && l != English {
			t.Errorf("%q: %s, %t", code, l, ok)
		}
	}
}

func TestMeasures(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Size(0), "۰ بایت"},
		{Size(12_345_678), "۱۲٫۳ مگابایت"},
		{Size(999_999), "۱ مگابایت"},
		{Size(5e15), "۵۰۰۰ ترابایت"},
		{BinarySize(1023), "۱۰۲۳ بایت"},
		{BinarySize(1 << 20), "۱ مبی‌بایت"},
		{BinarySize(5 << 29), "۲٫۵ گیبی‌بایت"},
		{Duration(0), "۰ ثانیه"},
		{Duration(1234 * time.Millisecond), "۱٫۲۳ ثانیه"},
		{Duration(59600 * time.Millisecond), "۱ دقیقه"},
		{Duration(65 * time.Second), "۱ دقیقه و ۵ ثانیه"},
		{Duration(2*time.Hour + 3*time.Second), "۲ ساعت و ۳ ثانیه"},
		{Moment(time.Date(2026, 11, 28, 2, 50, 36, 0, time.UTC)), "۱۴۰۵/۰۹/۰۷ ۰۲:۵۰:۳۶"},
		{Moment(time.Date(2024, 3, 19, 23, 59, 59, 0, time.UTC)), "۱۴۰۲/۱۲/۲۹ ۲۳:۵۹:۵۹"},
		{Moment(time.Date(2024, 3, 20, 0, 0, 0, 0, time.UTC)), "۱۴۰۳/۰۱/۰۱ ۰۰:۰۰:۰۰"},
		{Moment(time.Date(2025, 3, 20, 12, 0, 0, 0, time.UTC)), "۱۴۰۳/۱۲/۳۰ ۱۲:۰۰:۰۰"},
		{Moment(time.Date(1979, 2, 11, 0, 0, 0, 0, time.UTC)), "۱۳۵۷/۱۱/۲۲ ۰۰:۰۰:۰۰"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

var errInner = Errorf("inner")

type transparent struct{ error }

func (t transparent) Unwrap() error { return t.error }

func TestSpeaker(t *testing.T) {
	foreign := errors.New("foreign")
	s := Speaker{Persian, map[string]string{
		"%d of %s": "از %[2]s، %[1]d", "inner": "درونی", "outer: %w": "بیرونی: %w", "key %d": "کلید %d",
	}, func(err error) (string, bool) { return "بیگانه", err.Error() == "foreign" }}
	wrapped := Errorf("outer: %w", errInner)
	if !errors.Is(wrapped, errInner) || wrapped.Error() != "outer: inner" {
		t.Errorf("%v", wrapped)
	}
	for _, c := range []struct{ got, want string }{
		{s.Text("%d of %s", 12, "v1.2"), "از v1.2، ۱۲"},
		{s.Text("key %d", Plain(12)), "کلید 12"},
		{s.Text("unknown %d%%", 7), "unknown ۷%"},
		{s.Text("100%"), "100%"},
		{s.Error(wrapped), "بیرونی: درونی"},
		{s.Error(transparent{wrapped}), "بیرونی: درونی"},
		{s.Error(errors.Join(errInner, foreign)), "درونی\nبیگانه"},
		{s.Error(fmt.Errorf("own words: %w", errInner)), "own words: inner"},
		{s.Refusal("conflict", "it is there"), "این کار اکنون ممکن نیست (به انگلیسی): it is there"},
		{s.Refusal("nothing known", "it is there"), "it is there"},
		{s.Name(States, "BUILT"), "ساخته شد"},
		{s.Name(States, "NEW"), "NEW"},
		{Speaker{}.Text("%d of %s", 12, "v"), "12 of v"},
		{Speaker{}.Error(wrapped), "outer: inner"},
		{Speaker{}.Name(States, "BUILT"), "BUILT"},
		{Speaker{}.Refusal("conflict", "it is there"), "it is there"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}
