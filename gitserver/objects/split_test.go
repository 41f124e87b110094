package objects

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"

	"github.com/go-git/go-git/v5/plumbing"
)

// A pack is the same however the network cuts it.
func TestPackInParts(t *testing.T) {
	var b packBuilder
	b.add(plumbing.BlobObject, "some text")
	b.add(plumbing.BlobObject, "some other text")
	pack := b.pack()
	parts := map[int]io.Reader{-1: iotest.OneByteReader(bytes.NewReader(pack))}
	for at := range pack {
		parts[at] = io.MultiReader(bytes.NewReader(pack[:at]), bytes.NewReader(pack[at:]))
	}
	for at, r := range parts {
		in, err := Receive(r, t.TempDir(), Limits{}, nil)
		if err != nil {
			t.Errorf("cut at %d of %d: %v", at, len(pack), err)
			continue
		}
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	}
}
