package language

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"text/tabwriter"

	"golang.org/x/text/unicode/bidi"
)

// Where every character is as wide as another, a table is what text/tabwriter makes of it.
func TestTableIsTabwriters(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		var text strings.Builder
		for range random.IntN(8) {
			var cells []string
			for range 1 + random.IntN(5) {
				cells = append(cells, strings.Repeat("é", random.IntN(6)))
			}
			text.WriteString(strings.Join(cells, "\t") + "\n")
		}
		var want, got bytes.Buffer
		old, table := tabwriter.NewWriter(&want, 0, 0, 3, ' ', 0), NewTable(&got, 3)
		for _, w := range []interface {
			io.Writer
			Flush() error
		}{old, table} {
			if _, err := io.WriteString(w, text.String()); err != nil {
				t.Fatal(err)
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		if got.String() != want.String() {
			t.Fatalf("of %q:\n%q, want\n%q", text.String(), got.String(), want.String())
		}
	}
}

func TestWidths(t *testing.T) {
	for text, want := range map[string]int{
		"":              0,
		"v1.0":          4,
		"نسخه":          4,
		"ایمیج‌ها":      7, // with a half-space
		"همهٔ":          3, // with a mark on its last letter
		"دکتُر":         4,
		"۱۲٫۳":          4,
		"版":             2,
		"a\u200eb":      2,
		"\u2066a\u2069": 1,
	} {
		if got := Width(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
	for _, c := range []struct{ got, want string }{
		{Pad("ها‌ها", 6), "  ها‌ها"}, {Pad("تگ", -4), "تگ  "}, {Pad("long", 2), "long"}, {Pad("long", -2), "long"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

// columns are where the cells of a line begin, as a terminal shows it.
func columns(line string, cells []string) (at []int) {
	for _, cell := range cells {
		i := strings.Index(line, cell)
		if i < 0 {
			return nil
		}
		at = append(at, Width(line[:i]))
	}
	return at
}

var persianTable = [][]string{
	{"نسخه", "وضعیت", "آغازگر", "زمان ایجاد", "حجم", "دایجست"},
	{"v1.0", "در حال ساخت", "پوش گیت", "۱۴۰۵/۰۹/۰۷ ۰۲:۵۰:۳۶", "۱۲٫۳ مگابایت", "sha256:aa"},
	{"v1.0-beta", "ساخته شد", "گیت‌هاب", "۱۴۰۵/۰۹/۰۶ ۰۲:۵۰:۳۶", "۷۰۰ بایت", "sha256:bb"},
}

func lines(t *testing.T, marks bool) []string {
	t.Helper()
	var out bytes.Buffer
	table := NewTable(&out, 3)
	table.Marks = marks
	for _, cells := range persianTable {
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

func TestPersianLinesUp(t *testing.T) {
	want := columns(lines(t, false)[0], persianTable[0])
	for i, line := range lines(t, false) {
		if got := columns(line, persianTable[i]); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("line %d: %v, want %v:\n%s", i, got, want, line)
		}
		if strings.ContainsAny(line, "\u200e\u2066\u2067\u2068\u2069") {
			t.Errorf("line %d has marks: %q", i, line)
		}
	}
}

// shown is a text as a terminal shows it in a line of a direction.
func shown(t *testing.T, text string, direction bidi.Direction) string {
	t.Helper()
	var p bidi.Paragraph
	if _, err := p.SetString(text, bidi.DefaultDirection(direction)); err != nil {
		t.Fatal(err)
	}
	order, err := p.Order()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for i := range order.NumRuns() {
		run := order.Run(i)
		part := run.String()
		if run.Direction() == bidi.RightToLeft {
			part = bidi.ReverseString(part)
		}
		out.WriteString(strings.NewReplacer(leftToRightMark, "", rightToLeftMark, "").Replace(part))
	}
	return out.String()
}

// On a terminal that turns Persian each cell stays where its column is, and is shown as it is read. Without marks the cells of a line of headings
// change places.
func TestMarksKeepColumns(t *testing.T) {
	turned := func(line string, cells []string) string {
		line = shown(t, line, bidi.LeftToRight)
		var at []int
		for _, cell := range cells {
			direction := bidi.LeftToRight
			if strings.ContainsFunc(cell, rightToLeft) {
				direction = bidi.RightToLeft
			}
			i := strings.Index(line, shown(t, cell, direction))
			if i < 0 {
				return fmt.Sprintf("no %q", cell)
			}
			at = append(at, Width(line[:i]))
		}
		return fmt.Sprint(at)
	}
	want := fmt.Sprint(columns(lines(t, false)[0], persianTable[0]))
	for i, line := range lines(t, true) {
		if got := turned(line, persianTable[i]); got != want {
			t.Errorf("line %d: %s, want %s:\n%q", i, got, want, shown(t, line, bidi.LeftToRight))
		}
	}
	if got := turned(lines(t, false)[0], persianTable[0]); got == want {
		t.Error("marks are needless")
	}
}

// What is copied to be typed has no marks, and neither has a sentence.
func TestMarksAreOfPersianCells(t *testing.T) {
	var out bytes.Buffer
	table := NewTable(&out, 2)
	table.Marks = true
	fmt.Fprint(table, "versions [--all] IMAGE\tفهرست نسخه‌ها\nنسخه\tv1.0\nفرمان‌ها: ssh git@host\n")
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	want := "versions [--all] IMAGE  \u200fفهرست نسخه‌ها\u200e\n\u200e\u200fنسخه\u200e                    v1.0\nفرمان‌ها: ssh git@host\n"
	if out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}
