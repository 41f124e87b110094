package client

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// FuzzReadEvents reads anything without harm, and what was written as events
// comes back as it was.
func FuzzReadEvents(f *testing.F) {
	f.Add("id: 1\ndata: one\n\n", "end", "{}")
	f.Add(":\n\ndata", "", "a: b")
	f.Add("event\r\nid\r\ndata:\r\n\r\n", "x", "")
	f.Add(strings.Repeat("data: x\n", 100), "", " two  spaces ")
	f.Fuzz(func(t *testing.T, stream, name, data string) {
		if strings.ContainsAny(name+data, "\r\n") || strings.HasPrefix(name, " ") {
			t.Skip("no writer puts that into one line")
		}
		err := readEvents(strings.NewReader(stream), func() {}, func(event) (bool, error) { return false, nil })
		if err == nil {
			t.Error("a stream without a last event was taken for whole")
		}
		text := stream + fmt.Sprintf("\n\nevent: %s\nid: 7\ndata: %s\n\n", name, data)
		var last event
		if err := readEvents(strings.NewReader(text), func() {}, func(e event) (bool, error) { last = e; return false, nil }); !errors.Is(err, errBrokeOff) {
			t.Skip("a line is too long")
		}
		if want := (event{name: name, id: "7", data: data}); last != want {
			t.Errorf("got %q, want %q", last, want)
		}
	})
}
