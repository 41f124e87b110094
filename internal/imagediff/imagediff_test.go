package imagediff

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func layer(t *testing.T, headers ...tar.Header) []byte {
	t.Helper()
	var text bytes.Buffer
	w := tar.NewWriter(&text)
	for _, h := range headers {
		content := h.Uname // stands for what is in the file
		h.Uname, h.Size = "", int64(len(content))
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return text.Bytes()
}

func file(name, content string) tar.Header {
	return tar.Header{Typeflag: tar.TypeReg, Name: name, Uname: content, Mode: 0o644, ModTime: time.Unix(0, 0)}
}

func with(h tar.Header, change func(*tar.Header)) tar.Header {
	change(&h)
	return h
}

func TestLayers(t *testing.T) {
	a := file("a", "1")
	for name, test := range map[string]struct {
		was, is []tar.Header
		want    string
	}{
		"the same":                {[]tar.Header{a, file("b", "1")}, []tar.Header{a, file("b", "1")}, ""},
		"in another order":        {[]tar.Header{a, file("b", "1")}, []tar.Header{file("b", "1"), a}, ""},
		"written otherwise":       {[]tar.Header{a}, []tar.Header{file("./a", "1")}, ""},
		"content":                 {[]tar.Header{a}, []tar.Header{file("a", "2")}, "/a: content"},
		"added and removed":       {[]tar.Header{a}, []tar.Header{file("b", "1")}, "/a: removed, /b: added"},
		"a whiteout":              {[]tar.Header{a}, []tar.Header{a, file(".wh.b", "")}, "/.wh.b: added"},
		"mode":                    {[]tar.Header{a}, []tar.Header{with(a, func(h *tar.Header) { h.Mode = 0o4755 })}, "/a: mode 4755, was 0644"},
		"owner":                   {[]tar.Header{a}, []tar.Header{with(a, func(h *tar.Header) { h.Uid, h.Gid = 1, 2 })}, "/a: owner 1:2, was 0:0"},
		"time":                    {[]tar.Header{a}, []tar.Header{with(a, func(h *tar.Header) { h.ModTime = time.Unix(1, 0) })}, "/a: time 1970-01-01T00:00:01Z, was 1970-01-01T00:00:00Z"},
		"time and content":        {[]tar.Header{a}, []tar.Header{with(file("a", "2"), func(h *tar.Header) { h.ModTime, h.Mode = time.Unix(1, 0), 0o600 })}, "/a: content; mode 0600, was 0644"},
		"a link":                  {[]tar.Header{{Typeflag: tar.TypeSymlink, Name: "l", Linkname: "x"}}, []tar.Header{{Typeflag: tar.TypeSymlink, Name: "l", Linkname: "y"}}, "/l: link to y, was x"},
		"a hard link":             {[]tar.Header{a, file("b", "1")}, []tar.Header{a, {Typeflag: tar.TypeLink, Name: "b", Linkname: "a", Mode: 0o644, ModTime: time.Unix(0, 0)}}, "/b: content; a hard link, was a file; link to a, was none"},
		"a directory":             {[]tar.Header{{Typeflag: tar.TypeDir, Name: "d/", Mode: 0o755}}, []tar.Header{file("d", "")}, "/d: a file, was a directory; mode 0644, was 0755"},
		"a device":                {[]tar.Header{{Typeflag: tar.TypeChar, Name: "n", Devmajor: 1, Devminor: 3}}, []tar.Header{{Typeflag: tar.TypeChar, Name: "n", Devmajor: 1, Devminor: 5}}, "/n: device 1:5, was 1:3"},
		"extended attributes":     {[]tar.Header{a}, []tar.Header{with(a, func(h *tar.Header) { h.PAXRecords = map[string]string{"SCHILY.xattr.user.x": "1"} })}, `/a: extended attributes user.x="1", was none`},
		"twice":                   {[]tar.Header{a, file("a", "2")}, []tar.Header{a, file("a", "3")}, "/a: content"},
		"once less":               {[]tar.Header{a, file("a", "2"), file("b", "")}, []tar.Header{a, file("b", "")}, "/a: removed"},
		"whiteouts":               {[]tar.Header{file(".wh.a", "")}, []tar.Header{file(".wh..wh..opq", "")}, "/.wh..wh..opq: added, /.wh.a: removed"},
		"a whiteout or a link":    {[]tar.Header{file(".wh.a", "")}, []tar.Header{{Typeflag: tar.TypeLink, Name: ".wh.a", Linkname: "b", Mode: 0o644, ModTime: time.Unix(0, 0)}}, "/.wh.a: link to b, was none"},
		"once more":               {[]tar.Header{a}, []tar.Header{a, a}, "/a: added"},
		"names that are no names": {[]tar.Header{file("../../a", "1")}, []tar.Header{file("/a", "2")}, "/a: content"},
	} {
		all, _, err := Layers(t.Context(), bytes.NewReader(layer(t, test.was...)), bytes.NewReader(gzipped(t, layer(t, test.is...))), DefaultLimits)
		if got := list(all); err != nil || got != test.want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, test.want)
		}
	}
}

func list(all []Difference) string {
	var texts []string
	for _, d := range all {
		texts = append(texts, d.Name+": "+d.What)
	}
	return strings.Join(texts, ", ")
}

// Layers may be anything: they are read within limits, or refused.
func TestHostileLayers(t *testing.T) {
	limits := Limits{Unpacked: 1 << 20, Held: 64 << 10, Differences: 10}
	good := layer(t, file("a", "1"))
	var many []tar.Header
	for i := range 200 {
		many = append(many, file(fmt.Sprint("f", i), ""))
	}
	zeros := strings.Repeat("\x00", 2<<20)
	for name, test := range map[string]struct {
		is   []byte
		want string // of the error; empty: none
	}{
		"good":           {good, ""},
		"empty":          {nil, ""},
		"no tar":         {[]byte(strings.Repeat("x", 1024)), "the second layer is not a tar archive"},
		"text":           {[]byte("x"), "the second layer is not a tar archive"},
		"cut":            {good[:512], "damaged behind its file 1"},
		"no gzip":        {[]byte("\x1f\x8bxxxx"), "the second layer"},
		"a bomb":         {gzipped(t, layer(t, file("a", zeros))), "unpacks to more than 1048576 bytes"},
		"behind its end": {gzipped(t, append(layer(t, file("a", "1")), zeros...)), "unpacks to more than 1048576 bytes"},
		"a hole":         {sparse(t, 1<<40), "unpacks to more than 1048576 bytes"},
		"a small hole":   {sparse(t, 1<<10), ""},
		"many files":     {layer(t, many...), "more files than can be compared"},
		"a long name":    {layer(t, file(strings.Repeat("n/", 50_000)+"n", "")), "more files than can be compared"},
	} {
		_, _, err := Layers(t.Context(), bytes.NewReader(good), bytes.NewReader(test.is), limits)
		if err != nil && !errors.As(err, new(*LayerError)) || (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
	slices.Reverse(many)
	all, more, err := Layers(t.Context(), bytes.NewReader(nil), bytes.NewReader(layer(t, many[150:]...)), limits)
	if len(all) != 10 || all[0] != (Difference{"/f0", "added"}) || all[9].Name != "/f17" || !more || err != nil {
		t.Errorf("%d differences, more %v, %v: %v", len(all), more, err, all)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Layers(ctx, bytes.NewReader(good), bytes.NewReader(good), limits); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

func gzipped(t *testing.T, plain []byte) []byte {
	t.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(plain); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// sparse is a tar with a file of nothing but a hole. The writer makes none, so that its first file is made the second's header.
func sparse(t *testing.T, size int64) []byte {
	t.Helper()
	var records strings.Builder
	for _, r := range []string{"GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.name=hole", fmt.Sprint("GNU.sparse.realsize=", size)} {
		fmt.Fprintf(&records, "%d %s\n", len(r)+4, r) // each length has two digits
	}
	holes := fmt.Sprintf("1\n%d\n0\n", size)
	text := layer(t, file("PaxHeaders.0/hole", records.String()), file("GNUSparseFile.0/hole", holes+strings.Repeat("\x00", 512-len(holes))))
	const kind, sum = 156, 148
	var was int
	if _, err := fmt.Sscanf(string(text[sum:sum+6]), "%o", &was); err != nil {
		t.Fatal(err)
	}
	copy(text[sum:], fmt.Sprintf("%06o", was+tar.TypeXHeader-tar.TypeReg))
	text[kind] = tar.TypeXHeader
	return text
}

// Layers in one order take no memory for their files.
func TestManyFilesTakeNoMemory(t *testing.T) {
	var files []tar.Header
	for i := range 10_000 {
		files = append(files, file(fmt.Sprint("directory/file", i), ""))
	}
	text := layer(t, files...)
	all, more, err := Layers(t.Context(), bytes.NewReader(text), bytes.NewReader(text), Limits{Unpacked: 1 << 30, Held: 1 << 10, Differences: 1})
	if len(all) > 0 || more || err != nil {
		t.Errorf("%v, %v, %v", all, more, err)
	}
}

func TestConfigs(t *testing.T) {
	const was = `{"created": "2026-01-01T00:00:00Z", "config": {"Env": ["A=1", "B=2"], "Labels": {"x": "<1>"}}, "rootfs": {"diff_ids": ["a"]}}`
	for is, want := range map[string]string{
		was: "",
		`{"created": "2026-01-01T00:00:00Z", "config": {"Env": ["A=1", "B=3"], "Labels": {"y": 1}}, "rootfs": {"diff_ids": ["b"]}}`: `config.Env[1]: "B=3", was "B=2", config.Labels.x: none, was "<1>", config.Labels.y: 1, was none`,
		`{"config": {"Env": ["A=1"], "Labels": {"x": "<1>"}}}`:                                                                      `config.Env: ["A=1"], was ["A=1","B=2"], created: none, was "2026-01-01T00:00:00Z"`,
		fmt.Sprintf(`{"created": "2026-01-01T00:00:00Z", "config": {"Env": ["A=1", "B=2"], "Labels": {"x": "%0500d"}}}`, 0):         `config.Labels.x: "` + strings.Repeat("0", 119) + `…, was "<1>"`,
	} {
		all, err := Configs([]byte(was), []byte(is))
		if got := list(all); err != nil || got != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
	if _, err := Configs([]byte(was), []byte("no JSON")); err == nil {
		t.Error("no error")
	}
}
