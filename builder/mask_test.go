package builder_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/builder"
)

const token = "s3cr3t/Token+with spaces&more"

func TestMask(t *testing.T) {
	pem := "-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA7\nabcdefghijklmnopq\n-----END KEY-----\n"
	long := strings.Repeat("0123456789abcdefghijklmnopqrstuv", 40)
	mask := builder.NewMask([][]byte{[]byte(token + "\n"), []byte(pem), []byte(long), []byte("abc"), []byte(`it's "me"`), []byte("zero\x00byte"), []byte("caf\xe9-latin")})
	quoted, _ := json.Marshal(token)
	for _, test := range []struct{ name, text, want string }{
		{"as it is", "before " + token + " after", "before *** after"},
		{"twice", token + token, "***"},
		{"in two places", token + " " + token, "*** ***"},
		{"broken into lines", "x " + token[:7] + "\n" + token[7:9] + "\r\n" + token[9:] + "\ny", "x ***\n***\n***\ny"},
		{"in a query", url.QueryEscape(token), "***"},
		{"in a path", "https://example.com/" + url.PathEscape(token), "https://example.com/***"},
		{"in JSON", `{"token":` + string(quoted) + `}`, `{"token":"***"}`},
		{"in hex", hex.EncodeToString([]byte(token)), "***"},
		{"in upper hex", strings.ToUpper(hex.EncodeToString([]byte(token))) + ".", "***."},
		{"in a URL, in lower case", "s3cr3t%2fToken%2bwith%20spaces%26more", "***"},
		{"in a URL, by JavaScript", "s3cr3t%2FToken%2Bwith%20spaces%26more", "***"},
		{"in JSON, as it is", `"` + token + `"`, `"***"`},
		{"in JSON, by PHP", `"s3cr3t\/Token+with spaces&more"`, `"***"`},
		{"with quotes, in a shell", `+ echo 'it'\''s "me"'`, "+ echo '***'"},
		{"with quotes, in JSON", `{"a":"it's \"me\""}`, `{"a":"***"}`},
		{"with a zero byte, in Go", `"T=zero\x00byte"`, `"T=***"`},
		{"in another encoding than UTF-8", "x caf\xe9-latin y", "x *** y"},
		{"a line of several", "| MIIEpAIBAAKCAQEA7", "| ***"},
		{"all lines", pem, "***\n***\n***\n***\n"},
		{"without its line ends", strings.ReplaceAll(pem, "\n", ""), "***"},
		{"long", "a" + long + "b", "a***b"},
		{"too short to be known", "abc abcd", "abc abcd"},
		{"a beginning", token[:10] + "x", token[:10] + "x"},
		{"nothing", "nothing of it", "nothing of it"},
	} {
		if got := mask.Text(test.text); got != test.want {
			t.Errorf("%s: %q became %q, want %q", test.name, test.text, got, test.want)
		}
	}
	// Whatever stands around it, no more is left in base64 than the characters at its two ends.
	for _, prefix := range []string{"", "a", "ab", "abc", "user:"} {
		for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding} {
			text := encoding.EncodeToString([]byte(prefix + token + "."))
			got := mask.Text(text)
			if !strings.Contains(got, "***") || len(got) > len("***")+len(prefix)*2+8 {
				t.Errorf("base64 behind %q: %q became %q", prefix, text, got)
			}
			wrapped := text[:11] + "\n" + text[11:]
			if got := mask.Text(wrapped); !strings.Contains(got, "***") || len(got) > 2*len("***")+len(prefix)*2+9 {
				t.Errorf("base64 in lines behind %q: %q became %q", prefix, wrapped, got)
			}
		}
	}
	if builder.NewMask(nil) != nil || builder.NewMask([][]byte{[]byte("abc")}) != nil {
		t.Error("a mask of nothing")
	}
	var none *builder.Mask
	if none.Text(token) != token {
		t.Error("no mask takes something out")
	}
}

// A stream comes out the same however it is cut.
func TestMaskedStream(t *testing.T) {
	text := "a s3cr s3cr3t\n" + token + "\n\n" + token[:12] + "\n" + token[12:] + " end s3c"
	mask := builder.NewMask([][]byte{[]byte(token)})
	want := mask.Text(text)
	for size := 1; size < len(text); size++ {
		s := builder.MaskedStream{Mask: mask}
		var got strings.Builder
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			got.Write(s.Write([]byte(rest[:n])))
			rest = rest[n:]
		}
		got.Write(s.Flush())
		if got.String() != want {
			t.Errorf("in pieces of %d: %q, want %q", size, got.String(), want)
		}
	}
	s := builder.MaskedStream{Mask: mask}
	if got := string(s.Write([]byte("waiting for s3c"))) + "|" + string(s.Flush()); got != "waiting for |s3c" {
		t.Errorf("got %q", got)
	}
}

// How long a mask takes does not depend on how many values begin alike.
func BenchmarkMaskOfValuesThatBeginAlike(b *testing.B) {
	var lines strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&lines, "aaaaaaa%05d\n", i)
	}
	mask := builder.NewMask([][]byte{[]byte(lines.String())})
	text := strings.Repeat("a", 1<<16)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		mask.Text(text)
	}
}

func FuzzMask(f *testing.F) {
	f.Add("s3cr3t-t0ken", "x s3cr3t-t0ken y", 3)
	f.Add("aaaa", "aaaaaaaaaaa\naaa", 1)
	f.Fuzz(func(t *testing.T, value, text string, size int) {
		mask := builder.NewMask([][]byte{[]byte(value)})
		if mask == nil || size < 1 {
			return
		}
		whole := mask.Text(text)
		s := builder.MaskedStream{Mask: mask}
		var got strings.Builder
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			got.Write(s.Write([]byte(rest[:n])))
			rest = rest[n:]
		}
		got.Write(s.Flush())
		if got.String() != whole {
			t.Errorf("%q in pieces of %d: %q, whole %q", text, size, got.String(), whole)
		}
	})
}
