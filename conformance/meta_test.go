package conformance

import (
	"archive/tar"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// flat is an image of these layers, with a history of an entry for each.
func flat(t *testing.T, layers ...[]tar.Header) *image {
	t.Helper()
	img := &image{manifest: map[string]any{}, config: map[string]any{"history": []any{}, "rootfs": map[string]any{}}}
	var history, ids []any
	for _, headers := range layers {
		blob, err := archive(headers)
		if err != nil {
			t.Fatal(err)
		}
		img.layers = append(img.layers, v1.Descriptor{})
		if img.tree == nil {
			img.tree = map[string]*node{}
		}
		if err := img.unpack(strings.NewReader(string(blob))); err != nil {
			t.Fatal(err)
		}
		history, ids = append(history, map[string]any{"created_by": "COPY"}), append(ids, "id")
	}
	img.config["history"], img.config["rootfs"] = history, map[string]any{"diff_ids": ids}
	img.name()
	return img
}

// TestCompareSeesEveryDifference guards the guard: what is not seen here would pass everywhere.
func TestCompareSeesEveryDifference(t *testing.T) {
	usual := func() []tar.Header {
		return []tar.Header{dir("d", 0o755), file("d/f", "text", 0o644), hardlink("d/h", "d/f"), symlink("d/l", "f"), attribute(file("x", "x", 0o644), "user.a", "1")}
	}
	for name, change := range map[string]func(list []tar.Header) []tar.Header{
		"mode":        func(l []tar.Header) []tar.Header { l[1].Mode = 0o600; return l },
		"setuid":      func(l []tar.Header) []tar.Header { l[1].Mode = 0o4644; return l },
		"owner":       func(l []tar.Header) []tar.Header { l[0].Uid = 5; return l },
		"group":       func(l []tar.Header) []tar.Header { l[0].Gid = 5; return l },
		"content":     func(l []tar.Header) []tar.Header { l[1] = file("d/f", "tuxt", 0o644); return l },
		"hard link":   func(l []tar.Header) []tar.Header { l[2] = file("d/h", "text", 0o644); return l },
		"link target": func(l []tar.Header) []tar.Header { l[3].Linkname = "h"; return l },
		"attribute":   func(l []tar.Header) []tar.Header { l[4] = attribute(file("x", "x", 0o644), "user.a", "2"); return l },
		"missing":     func(l []tar.Header) []tar.Header { return l[:4] },
		"more":        func(l []tar.Header) []tar.Header { return append(l, file("y", "", 0o644)) },
		"kind":        func(l []tar.Header) []tar.Header { l[4] = dir("x", 0o644); return l },
	} {
		if diffs := compare(flat(t, change(usual())), flat(t, usual())); len(diffs) == 0 {
			t.Errorf("%s: no difference is seen", name)
		}
	}
	if diffs := compare(flat(t, usual()), flat(t, usual())); len(diffs) > 0 {
		t.Errorf("the same image differs: %v", diffs)
	}
	if diffs := compare(flat(t, usual()[:2], usual()[:1], usual()), flat(t, usual())); len(diffs) > 0 {
		t.Errorf("the same files in more layers of one instruction differ: %v", diffs)
	}
}

func TestCompareSeesConfiguration(t *testing.T) {
	base := func() *image { return flat(t, []tar.Header{file("x", "", 0o644)}) }
	for name, change := range map[string]func(*image){
		"unknown field":     func(i *image) { i.config["x"] = map[string]any{"deep": 1.0} },
		"manifest":          func(i *image) { i.manifest["annotations"] = map[string]any{"a": "b"} },
		"history's text":    func(i *image) { i.config["history"] = []any{map[string]any{"created_by": "ADD"}} },
		"history's comment": func(i *image) { i.config["history"] = []any{map[string]any{"created_by": "COPY", "comment": "c"}} },
		"empty layer":       func(i *image) { i.config["history"] = []any{map[string]any{"created_by": "COPY", "empty_layer": true}} },
		"more history": func(i *image) {
			i.config["history"] = []any{map[string]any{"created_by": "COPY"}, map[string]any{"created_by": "COPY"}}
		},
		"diffIDs": func(i *image) { i.config["rootfs"] = map[string]any{} },
	} {
		ours := base()
		change(ours)
		if diffs := compare(ours, base()); len(diffs) == 0 {
			t.Errorf("%s: no difference is seen", name)
		}
	}
}

func TestFlatten(t *testing.T) {
	img := flat(t,
		[]tar.Header{dir("d", 0o755), file("d/a", "a", 0o644), file("d/b", "b", 0o644), dir("e", 0o755), file("e/x", "x", 0o644), file("f", "f", 0o644)},
		[]tar.Header{dir("d", 0o700), file("d/.wh.a", "", 0), dir("e", 0o755), file("e/y", "y", 0o644), file("e/.wh..wh..opq", "", 0), file(".wh.f", "", 0)},
	)
	for path, there := range map[string]bool{"/d": true, "/d/a": false, "/d/b": true, "/e/x": false, "/e/y": true, "/f": false} {
		if got := img.tree[path] != nil; got != there {
			t.Errorf("%s is there: %v", path, got)
		}
	}
	if img.tree["/d"].mode != 0o700 {
		t.Error("a directory does not take its mode from the upper layer")
	}
}

func TestReason(t *testing.T) {
	for said, want := range map[string]string{
		"Dockerfile:3\n-----\nerror: failed to solve: process \"/bin/sh -c x\" did not complete successfully: exit code: 42": "exit code: 42",
		"error: failed to solve: failed to compute cache key: failed to calculate checksum of ref a::b: \"/x\": not found":   "not found",
		"error: failed to solve: dockerfile parse error on line 2: unknown instruction: FRMO":                                "FRMO",
	} {
		if got := reason(said); !strings.Contains(strings.Join(got, "\n"), want) {
			t.Errorf("the reason of %q is %q", said, got)
		}
	}
}

// TestOnlyTrueLabelsMayDiffer holds what a push may say of its commit to just that.
func TestOnlyTrueLabelsMayDiffer(t *testing.T) {
	const commit, day = "0123456789abcdef0123456789abcdef01234567", "2024-05-06T07:08:09Z"
	of := func(labels map[string]any) *image {
		img := flat(t, []tar.Header{dir("d", 0o755)})
		img.config["created"] = day
		if labels != nil {
			img.config["config"] = map[string]any{"Labels": labels}
		}
		return img
	}
	const revision, created = "org.opencontainers.image.revision", "org.opencontainers.image.created"
	for name, c := range map[string]struct {
		ours, plain map[string]any
		same        bool
	}{
		"ours alone":         {map[string]any{revision: commit, created: day}, nil, true},
		"beside others":      {map[string]any{revision: commit, "a": "1"}, map[string]any{"a": "1"}, true},
		"in place of others": {map[string]any{revision: commit}, map[string]any{revision: "of the base"}, true},
		"none":               {nil, nil, true},
		"left out":           {map[string]any{"a": "1"}, map[string]any{"a": "1"}, true},
		"no commit":          {map[string]any{revision: "main"}, nil, false},
		"another time":       {map[string]any{created: "2025-05-06T07:08:09Z"}, nil, false},
		"another label":      {map[string]any{"version": "1"}, nil, false},
		"one is missing":     {map[string]any{revision: commit}, map[string]any{"a": "1"}, false},
	} {
		if diffs := compare(of(c.ours), of(c.plain)); (len(diffs) == 0) != c.same {
			t.Errorf("%s: %v", name, diffs)
		}
	}
}
