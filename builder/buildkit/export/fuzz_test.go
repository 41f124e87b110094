//go:build linux

package export

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/builder/buildkittest"
)

// FuzzImageConfig holds that what we do not change of a configuration stays as it is.
func FuzzImageConfig(f *testing.F) {
	f.Add([]byte(`{"config":{"StartInterval":9007199254740993,"x":null},"rootfs":{"type":"layers","diff_ids":[]},"history":[{"created_by":"a","new":[1]}]}`))
	f.Add([]byte(`{"os":"linux"}`))
	f.Add([]byte(`null`))
	f.Add([]byte(`{"history":[null]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := parseConfig(text)
		if err != nil {
			return
		}
		before := map[string]json.RawMessage{}
		_ = json.Unmarshal(text, &before)
		entries := len(c.history)
		if err := c.date(time.Unix(1, 0).UTC(), 0); err != nil {
			t.Fatal(err)
		}
		out, err := c.encode()
		if err != nil {
			t.Fatalf("%s can't be written again: %v", text, err)
		}
		again, err := parseConfig(out)
		if err != nil || len(again.history) != entries || !reflect.DeepEqual(again.diffIDs, c.diffIDs) && len(c.diffIDs) > 0 {
			t.Fatalf("%s became %s: %v", text, out, err)
		}
		for name, raw := range before {
			if name == "created" || name == "history" || name == "rootfs" {
				continue
			}
			if got := again.fields[name]; !sameJSON(raw, got) {
				t.Errorf("%s was %s and is %s", name, raw, got)
			}
		}
	})
}

// sameJSON compares by the digits, where numbers may be larger than any float can say.
func sameJSON(a, b []byte) bool {
	var texts [2]bytes.Buffer
	for i, raw := range [][]byte{a, b} {
		var plain bytes.Buffer
		if json.Compact(&plain, raw) != nil {
			return false
		}
		json.HTMLEscape(&texts[i], plain.Bytes())
	}
	return bytes.Equal(texts[0].Bytes(), texts[1].Bytes())
}

// FuzzDateArchive holds that a layer's archive keeps its entries and what is in them, and that what
// was dated once is not changed again.
func FuzzDateArchive(f *testing.F) {
	late := always(time.Unix(1700000000, 0))
	f.Add(buildkittest.Archive(f, late, map[string]string{"a": "1", "b/c": "2"}))
	f.Add(buildkittest.Archive(f, late, map[string]string{"x.py": "print()", "__pycache__/x.cpython-311.pyc": "\xa7\x0d\x0d\x0a\x00\x00\x00\x00\x00\xf1\x53\x65\x07\x00\x00\x00rest"}))
	f.Fuzz(func(t *testing.T, in []byte) {
		var once, twice bytes.Buffer
		if (layerTimes{}).dateArchive(&once, bytes.NewReader(in), nil) != nil {
			return
		}
		before, after := contents(t, in), contents(t, once.Bytes())
		if !reflect.DeepEqual(before, after) {
			t.Errorf("%v became %v", before, after)
		}
		if err := (layerTimes{}).dateArchive(&twice, bytes.NewReader(once.Bytes()), nil); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(once.Bytes(), twice.Bytes()) {
			t.Error("what was dated is dated otherwise again")
		}
	})
}

// contents counts the entries of an archive by what they are but for their times.
func contents(t *testing.T, archive []byte) map[string]int {
	t.Helper()
	found := map[string]int{}
	for from := tar.NewReader(bytes.NewReader(archive)); ; {
		header, err := from.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(from)
		if err != nil {
			t.Fatal(err)
		}
		if isCompiledPython(header) {
			clear(content[compiledTime:compiledSize])
		}
		found[strings.Join([]string{header.Name, header.Linkname, string(header.Typeflag), header.FileInfo().Mode().String(), string(content)}, "\x00")]++
	}
}
