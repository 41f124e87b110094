package bounded_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/fandoghpaas/fandogh/internal/bounded"
)

func TestReadAll(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		from io.Reader
		want string
		long bool
		err  error
	}{
		"nothing":           {from: strings.NewReader("")},
		"to the limit":      {from: strings.NewReader("abcd"), want: "abcd"},
		"beyond it":         {from: strings.NewReader("abcde"), long: true},
		"without an end":    {from: endless{}, long: true},
		"byte by byte":      {from: iotest.OneByteReader(strings.NewReader("abcd")), want: "abcd"},
		"broken":            {from: io.MultiReader(strings.NewReader("ab"), iotest.ErrReader(broken)), err: broken},
		"broken at its end": {from: io.MultiReader(strings.NewReader("abcd"), iotest.ErrReader(broken)), err: broken},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := bounded.ReadAll(c.from, 4)
			var tooLong *bounded.TooLongError
			if string(got) != c.want || errors.As(err, &tooLong) != c.long || c.err != nil && !errors.Is(err, c.err) || !c.long && c.err == nil && err != nil {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestBeginTakesNoMore(t *testing.T) {
	from := strings.NewReader("abcdefgh")
	got, err := bounded.Begin(from, 4)
	if string(got) != "abcd" || err != nil || from.Len() != 4 {
		t.Errorf("got %q, %v, and left %d bytes of 8", got, err, from.Len())
	}
}

// endless has no end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// A file that would block who reads it, or has no end, is refused by what it is.
func TestFile(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(os.WriteFile(at("short"), []byte("abcd"), 0o600), os.WriteFile(at("long"), []byte("abcde"), 0o600), syscall.Mkfifo(at("pipe"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(at("short"), at("link")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		at("short"): "", at("link"): "",
		at("long"): "it is longer than 4 bytes", at("pipe"): "it is no regular file", dir: "it is no regular file", "/dev/zero": "it is no regular file", at("none"): "no such file",
	} {
		text, err := bounded.File(path, 4)
		if checked := bounded.CheckFile(path, 4); (checked == nil) != (err == nil) {
			t.Errorf("%s: %v, and before it was read %v", path, err, checked)
		}
		if want == "" && (err != nil || string(text) != "abcd") {
			t.Errorf("%s: %q, %v", path, text, err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path)) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
