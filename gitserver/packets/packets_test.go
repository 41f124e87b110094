package packets

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/fandoghpaas/fandogh/catalog"
)

// FuzzPackets holds that lines are read as they stand in the stream, one after the other.
func FuzzPackets(f *testing.F) {
	f.Add([]byte("0009hello0000" + "0001" + "0006a\n" + "0004" + "0000"))
	f.Add([]byte("0003"))
	f.Add([]byte("fff0x"))
	f.Add([]byte("000A12345\n"))
	f.Add([]byte("00000008"))
	f.Fuzz(func(t *testing.T, data []byte) {
		reader := NewReader(bytes.NewReader(data))
		for rest := data; ; {
			line, kind, err := reader.Next()
			if err != nil {
				if code := catalog.CodeOf(err); !errors.Is(err, io.EOF) && code != catalog.Invalid && code != catalog.TooLarge || errors.Is(err, io.EOF) && len(rest) > 0 {
					t.Fatalf("%v before %q", err, rest)
				}
				return
			}
			head := map[Kind]string{Flush: "0000", Delim: DelimPacket}[kind]
			if kind == Line {
				head = fmt.Sprintf("%04x", len(line)+4)
				if !strings.EqualFold(head, string(rest[:4])) {
					head, line = fmt.Sprintf("%04x", len(line)+5), append(bytes.Clone(line), '\n')
				}
			}
			if !strings.EqualFold(head, string(rest[:4])) || !bytes.HasPrefix(rest[4:], line) {
				t.Fatalf("%q was read from %q", line, rest)
			}
			rest = rest[4+len(line):]
		}
	})
}

func TestData(t *testing.T) {
	long := strings.Repeat("x", 65516)
	for name, c := range map[string]struct {
		stream, want string
		err          error
		code         catalog.Code
	}{
		"none":                         {stream: "0000", want: ""},
		"ends of lines":                {stream: "0006a\n" + "0005\n" + "0000", want: "a\n\n"},
		"empty packets":                {stream: "0004" + "0005a" + "0004" + "0000", want: "a"},
		"long":                         {stream: "fff0" + long + "fff0" + long + "0000", want: long + long},
		"hung up":                      {stream: "0005a", want: "a", err: io.ErrUnexpectedEOF},
		"hung up, in one":              {stream: "0009a", err: io.ErrUnexpectedEOF},
		"a mark within":                {stream: "0005a" + "0001", want: "a", code: catalog.Invalid},
		"not a packet":                 {stream: "zzzz", code: catalog.Invalid},
		"more than a request may have": {stream: strings.Repeat("fff0"+long, 600) + "0000", want: strings.Repeat(long, 600)},
	} {
		t.Run(name, func(t *testing.T) {
			p := NewReader(iotest.HalfReader(strings.NewReader(c.stream + "0008next")))
			if c.err != nil {
				p = NewReader(strings.NewReader(c.stream))
			}
			got, err := io.ReadAll(p.Data())
			if string(got) != c.want {
				t.Errorf("%d bytes, want %d", len(got), len(c.want))
			}
			switch {
			case c.err != nil:
				if !errors.Is(err, c.err) {
					t.Errorf("got %v, want %v", err, c.err)
				}
			case catalog.CodeOf(err) != c.code:
				t.Errorf("got %v, want %q", err, c.code)
			case c.code == "":
				if line, kind, err := p.Next(); err != nil || kind != Line || string(line) != "next" {
					t.Errorf("what follows: %q, %v, %v", line, kind, err)
				}
			}
		})
	}
}
