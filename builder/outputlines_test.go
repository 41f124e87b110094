package builder

import (
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestLinesAreWholeAndClean(t *testing.T) {
	long := strings.Repeat("x", maxOutputLineBytes)
	for name, test := range map[string]struct {
		pieces []string
		want   []string
	}{
		"whole":                  {[]string{"one\ntwo\n"}, []string{"one", "two"}},
		"in pieces":              {[]string{"o", "ne\nt", "wo"}, []string{"one", "two"}},
		"empty lines":            {[]string{"\n\na\n"}, []string{"", "", "a"}},
		"windows line ends":      {[]string{"one\r\ntwo\r", "\n"}, []string{"one", "two"}},
		"progress bar":           {[]string{"10%\r50%\r", "100%\ndone\n"}, []string{"100%", "done"}},
		"progress bar unended":   {[]string{"10%\r50%\r"}, []string{"50%"}},
		"colours":                {[]string{"\x1b[1;31mred\x1b[0m \x1b]0;title\x07plain\n"}, []string{"red plain"}},
		"cursor moves":           {[]string{"\x1b[2K\x1b[1Gx\x1b(By\n"}, []string{"xy"}},
		"controls":               {[]string{"a\x00b\x08c\td\x7f\u009b\n"}, []string{"abc\td"}},
		"reordering":             {[]string{"a\u202eb\u202cc \u2066d\u2069 e\u2028f\n"}, []string{"a\uFFFDb\uFFFDc \uFFFDd\uFFFD e\uFFFDf"}},
		"Persian":                {[]string{"می\u200cخواهم\u200f\n"}, []string{"می\u200cخواهم\u200f"}},
		"invalid UTF-8":          {[]string{"a\xffb\n"}, []string{"a\uFFFDb"}},
		"character in pieces":    {[]string{"\xd8", "\xb3\n"}, []string{"س"}},
		"over-long":              {[]string{long, "yyy\nnext\n"}, []string{long + " … (line cut)", "next"}},
		"over-long bar":          {[]string{long + "yyy\rshort\n"}, []string{"short"}},
		"cut within a character": {[]string{long[1:] + "سس\n"}, []string{long[1:] + " … (line cut)"}},
	} {
		t.Run(name, func(t *testing.T) {
			var splitter OutputLines
			var got []string
			for _, piece := range test.pieces {
				got = append(got, splitter.Write([]byte(piece))...)
			}
			got = append(got, splitter.Flush()...)
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// However output is cut into pieces, the same safe lines come of it.
func FuzzLines(f *testing.F) {
	f.Add([]byte("a\r\nb\x1b[0mc\rd\n"), 3)
	f.Add([]byte("\xd8\xb3\x1b]0;x"), 1)
	f.Fuzz(func(t *testing.T, data []byte, at int) {
		whole, pieces := &OutputLines{}, &OutputLines{}
		want := append(whole.Write(data), whole.Flush()...)
		at = min(max(at, 0), len(data))
		got := append(pieces.Write(data[:at]), pieces.Write(data[at:])...)
		got = append(got, pieces.Flush()...)
		if !slices.Equal(got, want) {
			t.Fatalf("in pieces %q, whole %q", got, want)
		}
		for _, line := range got {
			if !utf8.ValidString(line) || len(line) > 3*maxOutputLineBytes+20 {
				t.Fatalf("unsafe line %q", line)
			}
			for _, r := range line {
				if r != '\t' && unicode.IsControl(r) {
					t.Fatalf("control character in %q", line)
				}
			}
		}
	})
}
