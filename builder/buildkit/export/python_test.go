package export

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"time"
)

func compiled(flags, at, size uint32) string {
	b := []byte("\xa7\x0d\x0d\x0a")
	for _, n := range []uint32{flags, at, size} {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	return string(b) + "code"
}

// A compiled module that Python would use in the build, it uses in the image, and no other.
func TestCompiledPythonFollowsItsSource(t *testing.T) {
	made := time.Date(2026, 3, 4, 5, 6, 7, 800, time.UTC)
	second, size := uint32(made.Unix()), uint32(len("source"))
	inLayer, below := uint32(byContent("source").Unix()), uint32(byContent("below").Unix())
	files := []struct {
		name, content string
		want          uint32 // the time it says; 0: as it is
	}{
		{"lib/__pycache__/mod.cpython-311.pyc", compiled(0, second, size), inLayer},
		{"lib/__pycache__/mod.cpython-311.opt-1.pyc", compiled(0, second, size), inLayer},
		{"lib/__pycache__/mod.cpython-312.pyc", compiled(1, second, size), 0},    // tells by a hash
		{"lib/__pycache__/stale.cpython-311.pyc", compiled(0, second-9, 6), 0},   // of another source
		{"lib/__pycache__/other.cpython-311.pyc", compiled(0, second, 7), 0},     // of another size
		{"lib/__pycache__/gone.cpython-311.pyc", compiled(0, second, size), 0},   // without a source
		{"lib/__pycache__/short.cpython-311.pyc", "short", 0},                    // none at all
		{"lib/__pycache__/Under.cpython-311.pyc", compiled(0, second, 5), below}, // of a layer below
		{"lib/mod.py", "source", 0}, {"lib/stale.py", "source", 0}, {"lib/other.py", "source", 0}, {"lib/mod.pyc", compiled(0, second, size), 0},
		{"Z/__pycache__/early.cpython-311.pyc", compiled(0, second, size), inLayer}, {"Z/early.py", "source", 0},
	}
	var in, out bytes.Buffer
	w := tar.NewWriter(&in)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Typeflag: tar.TypeReg, Size: int64(len(f.content)), Mode: 0o644, ModTime: made, Format: tar.FormatPAX}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.content); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"lib/__pycache__/mod.cpython-311.opt-2.pyc": files[0].name, "lib/__pycache__/gone.cpython-311.opt-1.pyc": files[5].name} {
		if err := w.WriteHeader(&tar.Header{Name: name, Linkname: target, Typeflag: tar.TypeLink, Mode: 0o644, ModTime: made, Format: tar.FormatPAX}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	lower := func(name string) []PythonSource {
		if name != "lib/Under.py" {
			return nil
		}
		return []PythonSource{{Size: 6, Made: made}, {Size: 5, Made: made, Dated: byContent("below")}} // of two platforms
	}
	if err := (layerTimes{}).dateArchive(&out, &in, lower); err != nil {
		t.Fatal(err)
	}
	links, got := 0, map[string]string{}
	for r := tar.NewReader(&out); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if h.Typeflag == tar.TypeLink {
			if _, ok := got[h.Linkname]; !ok || !h.ModTime.Equal(byContent(got[h.Linkname])) {
				t.Errorf("the link %s, of %s, comes before %s or has another time", h.Name, h.ModTime, h.Linkname)
			}
			links++
			continue
		}
		content, err2 := io.ReadAll(r)
		if err = errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		got[h.Name] = string(content)
		if !h.ModTime.Equal(byContent(string(content))) {
			t.Errorf("%s is of %s, its content's time is %s", h.Name, h.ModTime, byContent(string(content)))
		}
	}
	if links != 2 {
		t.Errorf("%d links came", links)
	}
	for _, f := range files {
		want := f.content
		if f.want != 0 {
			want = f.content[:8] + string(binary.LittleEndian.AppendUint32(nil, f.want)) + f.content[12:]
		}
		if got[f.name] != want {
			t.Errorf("%s holds %q, want %q", f.name, got[f.name], want)
		}
	}
}
