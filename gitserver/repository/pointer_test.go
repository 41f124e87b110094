package repository

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	pointerOID  = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"
	pointerText = "version https://git-lfs.github.com/spec/v1\noid sha256:" + pointerOID + "\nsize 12345\n"
)

// tooLong is what git-lfs does not push the object of, although its check takes it for a pointer.
const tooLong = "1024 bytes"

// What is a pointer, git-lfs says: each case is asked of the stock one.
func TestParsePointer(t *testing.T) {
	plain := pointer{oid: pointerOID, size: 12345}
	extended := pointer{oid: pointerOID, size: 12345, extended: true}
	replaced := func(old, new string) string { return strings.Replace(pointerText, old, new, 1) }
	ext := func(keys ...string) string {
		var lines string
		for _, key := range keys {
			lines += key + " sha256:" + pointerOID + "\n"
		}
		return replaced("oid", lines+"oid")
	}
	for name, c := range map[string]struct {
		text string
		want pointer // empty: it is none
	}{
		"as git-lfs writes it":          {pointerText, plain},
		"without the last line's end":   {strings.TrimSpace(pointerText), plain},
		"CR LF":                         {strings.ReplaceAll(pointerText, "\n", "\r\n"), plain},
		"blanks around":                 {"\n \t" + pointerText + "\n\n", plain},
		"empty lines within":            {strings.ReplaceAll(pointerText, "\n", "\n\n"), plain},
		"before its release":            {replaced("git-lfs.github.com", "hawser.github.com"), plain},
		"the first version":             {replaced("https://git-lfs.github.com/spec/v1", "http://git-media.io/v/2"), plain},
		"of an empty file":              {replaced("12345", "0"), pointer{oid: pointerOID}},
		"a plus sign":                   {replaced("12345", "+12345"), plain},
		"an extension":                  {ext("ext-0-foo"), extended},
		"two extensions":                {ext("ext-1-foo", "ext-0-bar"), extended},
		"extensions of one priority":    {ext("ext-0-foo", "ext-0-bar"), pointer{}},
		"an extension of two digits":    {ext("ext-10-foo"), pointer{}},
		"an extension at the beginning": {"ext-0-foo sha256:" + pointerOID + "\n" + pointerText, extended},
		"an extension at the end":       {pointerText + "ext-0-foo sha256:" + pointerOID + "\n", pointer{}},
		"an extension without an OID":   {replaced("oid", "ext-0-foo bar\noid"), pointer{}},
		"another version":               {replaced("spec/v1", "spec/v2"), pointer{}},
		"another file of the spec":      {replaced("spec/v1", "spec/v1#x"), pointer{}},
		"upper case":                    {strings.ToUpper(pointerText), pointer{}},
		"an OID in upper case":          {replaced(pointerOID, strings.ToUpper(pointerOID)), pointer{}},
		"a short OID":                   {replaced(pointerOID, pointerOID[1:]), pointer{}},
		"another hash":                  {replaced("sha256", "sha512"), pointer{}},
		"another order":                 {"version https://git-lfs.github.com/spec/v1\nsize 12345\noid sha256:" + pointerOID + "\n", pointer{}},
		"a key too many":                {pointerText + "mode 1\n", pointer{}},
		"an unknown key":                {replaced("oid", "mode 1\noid"), pointer{}},
		"no size":                       {replaced("size 12345\n", ""), pointer{}},
		"a negative size":               {replaced("12345", "-1"), pointer{}},
		"a size that is none":           {replaced("12345", "12 KB"), pointer{}},
		"a size too large":              {replaced("12345", "9223372036854775808"), pointer{}},
		"two blanks":                    {replaced("size 1", "size  1"), pointer{}},
		"a tab":                         {replaced("size 1", "size\t1"), pointer{}},
		"a byte order mark":             {"\xef\xbb\xbf" + pointerText, pointer{}},
		"text behind it":                {pointerText + "\nhello\n", pointer{}},
		"text about it":                 {"See https://git-lfs.github.com/spec/v1 for git-lfs.\n", pointer{}},
		"1023 bytes":                    {pointerText + strings.Repeat("\n", 1023-len(pointerText)), plain},
		tooLong:                         {pointerText + strings.Repeat("\n", 1024-len(pointerText)), pointer{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := parsePointer([]byte(c.text))
			if want := c.want != (pointer{}); ok != want || ok && got != c.want {
				t.Errorf("got %+v, %t; want %+v", got, ok, c.want)
			}
			file := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command("git", "lfs", "pointer", "--check", "--file", file).CombinedOutput()
			if takes := err == nil; takes != ok && name != tooLong {
				t.Errorf("git-lfs takes it for a pointer: %t (%v)\n%s", takes, err, out)
			}
		})
	}
}

// FuzzPointer holds that a pointer says nothing but what is in it, and is read the same with the blanks gone.
func FuzzPointer(f *testing.F) {
	f.Add([]byte(pointerText))
	f.Add([]byte(strings.ReplaceAll(pointerText, "\n", "\r\n\r\n")))
	f.Add([]byte(strings.Replace(pointerText, "oid", "ext-0-a sha256:"+pointerOID+"\noid", 1)))
	f.Add([]byte("version \n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, ok := parsePointer(text)
		if !ok {
			return
		}
		if len(text) >= maxPointer || p.size < 0 || !strings.Contains(string(text), "oid sha256:"+p.oid) {
			t.Fatalf("%q is %+v", text, p)
		}
		if again, ok := parsePointer([]byte(strings.TrimSpace(string(text)))); !ok || again != p {
			t.Fatalf("%q is %+v, and without blanks %+v, %t", text, p, again, ok)
		}
	})
}
