package bounded_test

import (
	"errors"
	"io"
	"strings"
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
